"""Small copies of pictures, so that a page of hundreds opens at once. Derived: they can always be made again."""

import io

from PIL import Image, ImageOps

LONG_SIDE_PX = 480
JPEG_QUALITY = 84
BACKDROP = (24, 22, 21)
"""What shows through transparent pictures."""


def thumbnail_of(picture: Image.Image, long_side_px: int = LONG_SIDE_PX, quality: int = JPEG_QUALITY) -> bytes:
    """Makes a small JPEG of an open picture, without its metadata; the picture itself stays as it is.

    Raises:
        OSError: The picture's bytes are cut.
    """
    turned = ImageOps.exif_transpose(picture)
    box_px = (long_side_px, long_side_px)
    small = ImageOps.contain(turned, box_px) if max(turned.size) > long_side_px else turned
    with io.BytesIO() as file:
        _flatten(small).save(file, "JPEG", quality=quality)
        return file.getvalue()


def _flatten(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    flat = Image.new("RGB", picture.size, BACKDROP)
    colours = picture.convert("RGBA")
    flat.paste(colours, mask=colours.getchannel("A"))
    return flat
