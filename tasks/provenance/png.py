"""PNG: chunks, and the one that holds XMP (PNG third edition, 11.3.3.4; XMP specification part 3)."""

import struct
import zlib

from tasks.provenance.pieces import Piece, damaged

MAGIC = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp\x00"
_UNCOMPRESSED = b"\x00\x00\x00\x00"  # compression flag and method, and no language and no translated keyword
_MAX_PACKET_BYTES = 1 << 20
_OVERHEAD = 12  # length, type, CRC


def take_apart(data: bytes) -> list[Piece]:
    """Lists the signature, the chunks, and what lies behind them.

    Raises:
        ArchiveError: It is cut, or its chunks are not in a PNG's order.
    """
    pieces = [Piece("other", data[: len(MAGIC)])]
    position, kind = len(MAGIC), b""
    while kind != b"IEND":
        if position + _OVERHEAD > len(data):
            raise damaged("PNG", "it ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + _OVERHEAD + length
        if end > len(data):
            raise damaged("PNG", f"a chunk of {length} bytes is cut")
        pieces.append(_piece(kind, data[position:end]))
        position = end
    if pieces[1].raw[4:8] != b"IHDR" or not any(piece.kind == "picture" for piece in pieces):
        raise damaged("PNG", "it has no picture in it")
    return [*pieces, Piece("other", data[position:])]


def put_together(pieces: list[Piece], packet: bytes) -> bytes:
    """Writes the pieces, with a packet in place of any other, before the picture: readers need not go past it."""
    kept = [piece for piece in pieces if piece.kind != "xmp"]
    before = next(index for index, piece in enumerate(kept) if piece.kind == "picture")
    rows = [piece.raw for piece in kept]
    rows.insert(before, _chunk(b"iTXt", _KEYWORD + _UNCOMPRESSED + packet))
    return b"".join(rows)


def _piece(kind: bytes, raw: bytes) -> Piece:
    body = raw[8:-4]
    if kind == b"iTXt" and body.startswith(_KEYWORD):
        return Piece("xmp", raw, _packet(body[len(_KEYWORD) :]))
    if kind == b"caBX":
        return Piece("manifest", raw, body)
    return Piece("picture" if kind == b"IDAT" else "other", raw)


def _packet(body: bytes) -> bytes:
    text = body[2:].split(b"\x00", 2)[-1]
    if body[:1] == b"\x00":
        return text
    try:
        return zlib.decompressobj().decompress(text, _MAX_PACKET_BYTES)
    except zlib.error:
        return b""  # unreadable, and replaced all the same


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
