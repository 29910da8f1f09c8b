"""Tells what a file is by its first bytes, and walks through it to its very end; decodes nothing."""

from collections.abc import Callable
from typing import NamedTuple

from tasks.gate.jpeg import walk_jpeg
from tasks.gate.png import PNG_SIGNATURE, walk_png
from tasks.gate.refusal import Flaw, Refusal
from tasks.gate.walked import Walked
from tasks.gate.webp import walk_webp
from tasks.measured import MediaType


class Structure(NamedTuple):
    """What a file says of itself."""

    media_type: MediaType
    width_px: int
    height_px: int
    has_credentials: bool
    """Whether a C2PA manifest is in it; whether that is valid is another question."""


def media_type_of(data: bytes) -> MediaType | None:
    """Names the type by the first bytes, the only ones that do not lie; None for what is not on the list."""
    if data.startswith(PNG_SIGNATURE):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def structure_of(data: bytes) -> Structure:
    """Walks through a whole file.

    Raises:
        Flaw: It is of no type on the list, cut short, damaged, or goes on behind its end.
    """
    if not data:
        raise Flaw(Refusal.EMPTY, "is empty")
    media_type = media_type_of(data)
    if media_type is None:
        raise Flaw(Refusal.UNKNOWN_TYPE, "is no PNG, JPEG or WebP picture")
    walked = _WALKS[media_type](data)
    if walked.width_px == 0 or walked.height_px == 0:
        raise Flaw(Refusal.DAMAGED, f"says that it has {walked.width_px} x {walked.height_px} pixels")
    return Structure(media_type, *walked)


_WALKS: dict[MediaType, Callable[[bytes], Walked]] = {
    "image/png": walk_png,
    "image/jpeg": walk_jpeg,
    "image/webp": walk_webp,
}
