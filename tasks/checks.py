"""What is found out about the bytes of a picture, in one decode: facts, hashes, how it looks, and a small copy."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image

from blocks.errors import BadPicture
from tasks.drift import small_of
from tasks.gate.refusal import Refusal
from tasks.measured import Checks, MediaType, Signature
from tasks.pixels import pixels_blake3, pixels_sha256
from tasks.quality import look_of
from tasks.signature import fingerprint_of, sign
from tasks.thumbnails import thumbnail_of

MAX_PIXELS = 64_000_000
"""Larger than any klein picture by far; a decompression bomb is refused before it is decoded."""

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
    small: Image.Image
    """What the drift of an edit is measured on."""
    ends_black: bool
    """Its last row is all zeros: what Pillow leaves where a file's data ended before its rows."""


def examine(data: bytes, shown_as: str) -> Examined:
    """Decodes a picture completely, once: facts, hashes, look and thumbnail. Call it in a thread, it is CPU work.

    This takes what any viewer takes, such as a reference from a phone. Pictures that were paid for go through
    `tasks/gate/admit.py`, which is stricter and ends here.

    Args:
        data: The bytes as they came.
        shown_as: What the messages call it.

    Raises:
        BadPicture: The bytes are no PNG, JPEG or WebP, are cut, or are far too large.
    """
    with _opened(data, shown_as) as picture:
        return Examined(
            _check(picture, data, shown_as), thumbnail_of(picture), small_of(picture), ends_black=_ends_black(picture)
        )


def decode_and_check(data: bytes, shown_as: str) -> Checks:
    """Decodes a picture completely, for its facts alone; as `examine` otherwise.

    Raises:
        BadPicture: As in `examine`.
    """
    with _opened(data, shown_as) as picture:
        return _check(picture, data, shown_as)


def decode_and_sign(data: bytes, shown_as: str) -> Signature:
    """Decodes a picture for its signature alone; as `examine` otherwise.

    Raises:
        BadPicture: As in `examine`.
    """
    with _opened(data, shown_as) as picture:
        refuse_bomb(*picture.size, shown_as)
        return sign(picture)


def decode_and_hash_as_before(data: bytes, shown_as: str) -> str:
    """Decodes a picture for the hash of its pixels that records of formats 2 and 3 have; as `examine` otherwise.

    Raises:
        BadPicture: As in `examine`.
    """
    with _opened(data, shown_as) as picture:
        refuse_bomb(*picture.size, shown_as)
        return pixels_sha256(picture)


def decode_small(data: bytes, shown_as: str) -> Image.Image:
    """Decodes a picture for the small copy that drift is measured on; as `examine` otherwise.

    Raises:
        BadPicture: As in `examine`.
    """
    with _opened(data, shown_as) as picture:
        refuse_bomb(*picture.size, shown_as)
        return small_of(picture)


def refuse_bomb(width_px: int, height_px: int, shown_as: str) -> None:
    """Refuses a picture by the size that it declares, before anything is decoded.

    Raises:
        BadPicture: It has more than `MAX_PIXELS`.
    """
    if width_px * height_px > MAX_PIXELS:
        raise BadPicture(
            f"{shown_as} has {width_px} x {height_px} pixels, more than any picture of ours.",
            reason=Refusal.TOO_MANY_PIXELS,
        )


@contextmanager
def _opened(data: bytes, shown_as: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture(
            f"{shown_as} has more pixels than any picture of ours.", reason=Refusal.TOO_MANY_PIXELS
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow's ways of saying "not a picture" (UnidentifiedImageError is an OSError) and "cut short".
        raise BadPicture(
            f"{shown_as} is no complete PNG, JPEG or WebP picture: {_first_line(error)}", reason=Refusal.UNDECODABLE
        ) from error


def _check(picture: Image.Image, data: bytes, shown_as: str) -> Checks:
    width_px, height_px = picture.size
    refuse_bomb(width_px, height_px, shown_as)
    picture.load()
    look = look_of(picture)
    signature = sign(picture)
    return Checks(
        media_type=MEDIA_TYPES[picture.format or ""],
        width_px=width_px,
        height_px=height_px,
        size_bytes=len(data),
        fingerprint=fingerprint_of(signature),
        pixels_blake3=pixels_blake3(picture),
        signature=signature,
        quality=look.quality,
        flags=look.flags,
    )


def _ends_black(picture: Image.Image) -> bool:
    width_px, height_px = picture.size
    return picture.crop((0, height_px - 1, width_px, height_px)).getbbox() is None


def _first_line(error: Exception) -> str:
    # Pillow puts the repr of a BytesIO into its message: an address that helps nobody.
    return str(error).partition("<_io")[0].strip() or type(error).__name__
