"""Small copies of pictures, so that a page of hundreds opens at once. Derived: they can always be made again."""

import io
import struct

from PIL import ExifTags, Image, ImageOps

LONG_SIDE_PX = 512
"""Half of klein's native side: its pictures are halved exactly, which costs a third of any other size."""
JPEG_QUALITY = 84
BACKDROP = (24, 22, 21)
"""What shows through transparent pictures."""

_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_AVERAGED_MODES = frozenset({"L", "RGB", "LA", "RGBA"})


def thumbnail_of(picture: Image.Image, long_side_px: int = LONG_SIDE_PX, quality: int = JPEG_QUALITY) -> bytes:
    """Makes a small JPEG of an open picture, without its metadata; the picture itself stays as it is.

    Raises:
        OSError: The picture's bytes are cut.
    """
    turned = _upright(picture)
    small = _fit(turned, long_side_px) if max(turned.size) > long_side_px else turned
    with io.BytesIO() as file:
        _flatten(small).save(file, "JPEG", quality=quality)
        return file.getvalue()


def _upright(picture: Image.Image) -> Image.Image:
    """Turns a picture as its EXIF data asks for. Pillow's own way writes the data anew, which fails where it is odd."""
    try:
        turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):  # EXIF data that cannot be read turns nothing
        return picture
    return picture if turn is None else picture.transpose(turn)


def _fit(picture: Image.Image, long_side_px: int) -> Image.Image:
    """Shrinks by a whole factor first, which costs a tenth, and finely from there; nobody sees a difference."""
    factor = max(picture.size) // long_side_px
    smaller = picture.reduce(factor) if factor > 1 and picture.mode in _AVERAGED_MODES else picture
    return ImageOps.contain(smaller, (long_side_px, long_side_px))


def _flatten(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    flat = Image.new("RGB", picture.size, BACKDROP)
    colours = picture.convert("RGBA")
    flat.paste(colours, mask=colours.getchannel("A"))
    return flat
