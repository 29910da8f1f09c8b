"""JPEG: segments up to the scan, and the APP1 that holds XMP (XMP specification part 3, 1.1.3)."""

import struct

from blocks.errors import ArchiveError
from tasks.provenance.pieces import Piece, damaged

MAGIC = b"\xff\xd8"
MAX_PACKET_BYTES = 65_502
"""Largest packet in one segment (XMP specification part 3). What is larger would need the extended form, which Pillow
and many others do not read: a mark that half of all readers miss is worse than a clear refusal."""

_APP0, _APP1, _APP11, _SOS, _EOI = 0xE0, 0xE1, 0xEB, 0xDA, 0xD9
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\x00"
_EXIF = b"Exif\x00"
_JUMBF_WRAPPING = 20  # marker, length, "JP", instance, sequence number, and the box header that each repeats


def take_apart(data: bytes) -> list[Piece]:
    """Lists the segments, and the scans with all that follows as one piece.

    Raises:
        ArchiveError: It is cut, or no JPEG marker stands where one must.
    """
    pieces = [Piece("other", data[: len(MAGIC)])]
    position = len(MAGIC)
    while True:
        marker, body = _marker(data, position)
        if marker == _SOS:
            return [*pieces, Piece("picture", data[position:])]
        end = body + struct.unpack_from(">H", data, body)[0]
        if marker == _EOI or end > len(data) or end < body + 2:
            raise damaged("JPEG", "it ends before its picture begins")
        pieces.append(_piece(marker, data[position:end], data[body + 2 : end]))
        position = end


def put_together(pieces: list[Piece], packet: bytes) -> bytes:
    """Writes the pieces, with a packet in place of any other, after JFIF's and Exif's own segments.

    Raises:
        ArchiveError: The packet is larger than a segment can be.
    """
    if len(packet) > MAX_PACKET_BYTES:
        raise ArchiveError(
            f"The XMP of this picture has {len(packet)} bytes, and JPEG has room for {MAX_PACKET_BYTES}. "
            "Export it without its prompt."
        )
    kept = [piece for piece in pieces if piece.kind != "xmp"]
    rows = [piece.raw for piece in kept]
    rows.insert(1 + sum(_leads(raw) for raw in rows), _segment(_APP1, _XMP + packet))
    return b"".join(rows)


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """Reads a marker with its fill bytes (ITU-T T.81, B.1.1.2); says which one, and where its length stands."""
    start = position
    while data[position : position + 1] == b"\xff":
        position += 1
    if position == start or position + 3 > len(data):
        raise damaged("JPEG", "a segment is cut or does not begin with a marker")
    return data[position], position + 1


def _piece(marker: int, raw: bytes, body: bytes) -> Piece:
    if marker == _APP1 and body.startswith(_XMP):
        return Piece("xmp", raw, body[len(_XMP) :])
    if marker == _APP1 and body.startswith(_EXTENDED_XMP):
        return Piece("xmp", raw)
    if marker == _APP11 and body.startswith(b"JP"):
        return Piece("manifest", raw, raw[_JUMBF_WRAPPING:])
    return Piece("other", raw)


def _leads(raw: bytes) -> bool:
    return raw[1:2] == bytes([_APP0]) or (raw[1:2] == bytes([_APP1]) and raw[4:].startswith(_EXIF))


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
