"""WebP: RIFF chunks, and the one that holds XMP (RFC 9649, sections 2.5 to 2.7)."""

import struct

from tasks.provenance.pieces import Piece, damaged

MAGIC = b"RIFF"
FORM = b"WEBP"
_HEADER_BYTES = 12
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10
_KEY_FRAME_START = b"\x9d\x01\x2a"
_LOSSLESS_SIGNATURE = 0x2F
_PICTURES = (b"VP8 ", b"VP8L", b"ANMF")


def take_apart(data: bytes) -> list[Piece]:
    """Lists the RIFF header, the chunks, and what lies behind them.

    Raises:
        ArchiveError: It is cut, or has no picture in it.
    """
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise damaged("WebP", f"{end - len(data)} bytes are missing")
    pieces, position = [Piece("other", data[:_HEADER_BYTES])], _HEADER_BYTES
    while position < end:
        if position + 8 > end:
            raise damaged("WebP", "a chunk is cut")
        kind, length = struct.unpack_from("<4sI", data, position)
        after = position + 8 + length + length % 2
        if after > end:
            raise damaged("WebP", f"a chunk of {length} bytes is cut")
        pieces.append(_piece(kind, data[position:after], length))
        position = after
    if len(pieces) == 1 or not any(piece.kind == "picture" for piece in pieces):
        raise damaged("WebP", "it has no picture in it")
    return [*pieces, Piece("other", data[end:])]


def put_together(pieces: list[Piece], packet: bytes) -> bytes:
    """Writes the pieces in the extended form, with a packet behind the picture, in place of any other.

    Raises:
        ArchiveError: It is in the simple form, and its picture does not say how large it is.
    """
    *chunks, behind = [piece.raw for piece in pieces[1:] if piece.kind != "xmp"]
    if chunks[0][:4] == b"VP8X":
        chunks[0] = _with_flag(chunks[0])
    else:
        chunks.insert(0, _extended_header(chunks[0]))
    body = FORM + b"".join(chunks) + _chunk(b"XMP ", packet)
    return MAGIC + struct.pack("<I", len(body)) + body + behind


def _piece(kind: bytes, raw: bytes, length: int) -> Piece:
    if kind == b"XMP ":
        return Piece("xmp", raw, raw[8 : 8 + length])
    if kind == b"C2PA":
        return Piece("manifest", raw, raw[8 : 8 + length])
    return Piece("picture" if kind in _PICTURES else "other", raw)


def _with_flag(header: bytes) -> bytes:
    if len(header) < 18:
        raise damaged("WebP", "its header is cut")
    return header[:8] + bytes([header[8] | _XMP_FLAG]) + header[9:]


def _extended_header(picture: bytes) -> bytes:
    """Makes the VP8X chunk that a simple file does not have, from the size in its picture's own header."""
    if picture[:4] == b"VP8L" and len(picture) >= 13 and picture[8] == _LOSSLESS_SIGNATURE:
        bits = struct.unpack_from("<I", picture, 9)[0]
        width_px, height_px, has_alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    elif picture[:4] == b"VP8 " and picture[11:14] == _KEY_FRAME_START and len(picture) >= 18:
        width_px, height_px = (side & 0x3FFF for side in struct.unpack_from("<HH", picture, 14))
        has_alpha = False
    else:
        raise damaged("WebP", "its picture does not say how large it is")
    if width_px == 0 or height_px == 0:
        raise damaged("WebP", "its picture has no size")
    flags = _XMP_FLAG | (_ALPHA_FLAG if has_alpha else 0)
    sides = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    return _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)
