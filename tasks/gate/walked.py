"""What the walks through the three formats have in common."""

from typing import NamedTuple

from tasks.gate.refusal import Flaw, Refusal

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""For one chunk beside the picture's data. The largest seen: a C2PA manifest with the thumbnails of 8 edits, 1.3 MB."""


class Walked(NamedTuple):
    """What a walk has found."""

    width_px: int
    height_px: int
    has_credentials: bool


def refuse_oversized(name: str, size_bytes: int) -> None:
    """Refuses a chunk of metadata that no honest encoder writes.

    Raises:
        Flaw: It is larger than `MAX_METADATA_BYTES`.
    """
    if size_bytes > MAX_METADATA_BYTES:
        raise Flaw(Refusal.OVERSIZED_METADATA, f"has a {name} chunk of {size_bytes} bytes")


def refuse_trailing(size_bytes: int) -> None:
    """Refuses what lies behind the end of a file: it is no part of the picture, and nobody knows what it is.

    Raises:
        Flaw: There are such bytes.
    """
    if size_bytes:
        raise Flaw(Refusal.TRAILING_BYTES, f"has {size_bytes} bytes behind its end")


def cut_short(where: str) -> Flaw:
    """Says that the bytes end too early."""
    return Flaw(Refusal.CUT_SHORT, f"ends too early: {where}")


def damaged(what: str) -> Flaw:
    """Says that the bytes are there, and wrong."""
    return Flaw(Refusal.DAMAGED, f"is damaged: {what}")
