"""XMP into and out of PNG, JPEG and WebP files, without touching anything else in them.

A picture that is saved anew is another picture (JPEG, WebP), loses its content credentials, and takes a thousand times
as long; here the bytes of the picture, and of all other metadata, stay what they were.
"""

from typing import Protocol

from blocks.errors import ArchiveError
from tasks.measured import MediaType
from tasks.provenance import jpeg, png, webp
from tasks.provenance.pieces import Piece


class _Format(Protocol):
    """What each module of a format does."""

    def take_apart(self, data: bytes) -> list[Piece]: ...

    def put_together(self, pieces: list[Piece], packet: bytes) -> bytes: ...


_FORMATS: dict[MediaType, _Format] = {"image/png": png, "image/jpeg": jpeg, "image/webp": webp}


def media_type_of(data: bytes) -> MediaType:
    """Says by its first bytes which of our formats a file is in.

    Raises:
        ArchiveError: None of them.
    """
    if data.startswith(png.MAGIC):
        return "image/png"
    if data.startswith(jpeg.MAGIC):
        return "image/jpeg"
    if data.startswith(webp.MAGIC) and data[8:12] == webp.FORM:
        return "image/webp"
    raise ArchiveError("These bytes are no PNG, JPEG or WebP file, so nothing can be written into them.")


def with_packet(data: bytes, packet: bytes) -> bytes:
    """Makes a copy that carries this XMP packet, and no other. Doing it twice changes nothing more.

    Content credentials in the file stay in it byte for byte, but no longer fit it: see `mark`.

    Raises:
        ArchiveError: The file is damaged or in no format of ours, or the packet does not fit into a JPEG.
    """
    return _FORMATS[media_type_of(data)].put_together(take_apart(data), packet)


def packet_of(data: bytes) -> bytes | None:
    """The XMP packet that a file carries, if any that can be read.

    Raises:
        ArchiveError: The file is damaged or in no format of ours.
    """
    return next((piece.content for piece in take_apart(data) if piece.kind == "xmp" and piece.content), None)


def manifest_in(data: bytes) -> bytes:
    """The C2PA data that a file carries, not checked in any way; empty where there is none.

    Raises:
        ArchiveError: The file is damaged or in no format of ours.
    """
    return b"".join(piece.content for piece in take_apart(data) if piece.kind == "manifest")


def take_apart(data: bytes) -> list[Piece]:
    """Lists the pieces of a file, in their order.

    Raises:
        ArchiveError: The file is damaged or in no format of ours.
    """
    return _FORMATS[media_type_of(data)].take_apart(data)
