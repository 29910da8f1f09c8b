"""Small copies of pictures, so that a page of hundreds opens at once."""

import asyncio
import io
from collections.abc import Iterable

from PIL import Image, ImageOps

from blocks.archive.layout import object_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError

LONG_SIDE_PX = 480
JPEG_QUALITY = 84
DECODERS = 2
"""Full pictures decoded at once: each takes up to 200 MB for a moment."""
MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
BACKDROP = (24, 22, 21)
"""What shows through transparent pictures."""


async def make_thumbs(store: Store, pictures: Iterable[str], folder: str) -> frozenset[str]:
    """Writes `<folder>/<sha256>.jpg` for every picture that has none yet.

    Returns:
        The pictures that cannot be shown, because their bytes are missing or broken.
    """
    decoders = asyncio.Semaphore(DECODERS)

    async def make(sha256: str) -> bool:
        key = f"{folder}/{sha256}.jpg"
        async with decoders:
            if await store.head(key) is not None:
                return True
            thumb = await _thumb_of(store, sha256)
            if thumb is not None:
                await store.put_if_absent(key, thumb)
            return thumb is not None

    names = tuple(pictures)
    made = await asyncio.gather(*(make(sha256) for sha256 in names))
    return frozenset(sha256 for sha256, is_made in zip(names, made, strict=True) if not is_made)


async def _thumb_of(store: Store, sha256: str) -> bytes | None:
    try:
        data = await store.get(object_key(sha256))
    except ArchiveError:
        return None  # lost from the archive: the sheet says so in the picture's place, and `verify` finds it
    return await asyncio.to_thread(shrink, data, LONG_SIDE_PX)


def shrink(data: bytes, long_side_px: int, quality: int = JPEG_QUALITY) -> bytes | None:
    """Makes a small JPEG without metadata; None where the bytes are no complete PNG, JPEG or WebP picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            small = _flatten(ImageOps.exif_transpose(picture))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None  # Pillow's ways of saying: no picture, a cut one, or a bomb
    small.thumbnail((long_side_px, long_side_px), Image.Resampling.LANCZOS)
    with io.BytesIO() as file:
        small.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        return file.getvalue()


def _flatten(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    flat = Image.new("RGB", picture.size, BACKDROP)
    flat.paste(picture.convert("RGBA"), mask=picture.convert("RGBA").getchannel("A"))
    return flat
