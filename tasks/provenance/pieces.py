"""A picture file as a row of pieces, by which metadata is changed and the picture itself is not touched."""

from typing import Literal, NamedTuple

from blocks.errors import ArchiveError


class Piece(NamedTuple):
    """One piece of a file, in the file's own bytes: a PNG or RIFF chunk, or a JPEG segment.

    Put together again in their order, the pieces of a file are the file.
    """

    kind: Literal["xmp", "manifest", "picture", "other"]
    raw: bytes
    content: bytes = b""
    """Of `xmp`: the packet. Of `manifest`: the C2PA data without the wrapping of the file format."""


def damaged(file_format: str, why: str) -> ArchiveError:
    """The error for a file that cannot be taken apart."""
    return ArchiveError(
        f"This {file_format} file is damaged: {why}. Nothing was written into it; `python -m flows verify` finds out "
        "what happened to it."
    )
