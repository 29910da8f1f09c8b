"""What is found out about the bytes of a picture, in one decode: that they are one, its size, its fingerprint."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from PIL import Image

from blocks.errors import BadPicture
from tasks.models import Checks
from tasks.near import fingerprint
from tasks.thumbnails import thumbnail_of

MAX_PIXELS = 64_000_000
"""Larger than any klein picture by far; a decompression bomb is refused before it is decoded."""

MediaType = Literal["image/png", "image/jpeg", "image/webp"]
FORMATS = ("PNG", "JPEG", "WEBP")
MEDIA_TYPES: dict[str, MediaType] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # what Pillow calls a JPEG with further pictures behind it, as phones make them
    "WEBP": "image/webp",
}


class Examined(NamedTuple):
    """Everything that one decode of a picture gives."""

    checks: Checks
    thumbnail: bytes


def examine(data: bytes, shown_as: str) -> Examined:
    """Decodes a picture completely, once: facts, fingerprint and thumbnail. Call it in a thread, it is CPU work.

    Args:
        data: The bytes as they came.
        shown_as: What the messages call it.

    Raises:
        BadPicture: The bytes are no PNG, JPEG or WebP, are cut, or are far too large.
    """
    with _opened(data, shown_as) as picture:
        return Examined(_check(picture, data, shown_as), thumbnail_of(picture))


def decode_and_check(data: bytes, shown_as: str) -> Checks:
    """Decodes a picture completely, for its facts alone; as `examine` otherwise.

    Raises:
        BadPicture: As in `examine`.
    """
    with _opened(data, shown_as) as picture:
        return _check(picture, data, shown_as)


@contextmanager
def _opened(data: bytes, shown_as: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture(f"{shown_as} has more pixels than any picture of ours.") from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow's ways of saying "not a picture" (UnidentifiedImageError is an OSError) and "cut short".
        raise BadPicture(f"{shown_as} is no complete PNG, JPEG or WebP picture: {_first_line(error)}") from error


def _check(picture: Image.Image, data: bytes, shown_as: str) -> Checks:
    width_px, height_px = picture.size
    if width_px * height_px > MAX_PIXELS:
        raise BadPicture(f"{shown_as} has {width_px} x {height_px} pixels, more than any picture of ours.")
    picture.load()
    return Checks(
        media_type=MEDIA_TYPES[picture.format or ""],
        width_px=width_px,
        height_px=height_px,
        size_bytes=len(data),
        fingerprint=fingerprint(picture),
    )


def _first_line(error: Exception) -> str:
    # Pillow puts the repr of a BytesIO into its message: an address that helps nobody.
    return str(error).partition("<_io")[0].strip() or type(error).__name__
