"""Walks through the chunks of a PNG file (PNG specification, third edition, sections 5, 8 and 13.2)."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tasks.gate.refusal import Flaw, Refusal
from tasks.gate.walked import Walked, cut_short, damaged, refuse_oversized, refuse_trailing

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND_BODY_BYTES = 12
"""Length and type before a chunk's body, its CRC behind."""

_HEADER_SIZE_BYTES = 13
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_ANIMATION = b"acTL"
_CREDENTIALS = b"caBX"
"""Where C2PA puts its manifest in a PNG (C2PA specification, embedding manifests)."""

_INTERLACE_AT = len(PNG_SIGNATURE) + 8 + 12
"""Where the last byte of the header lies."""

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""In a pixel, by colour type: gray, colours, an index, gray and alpha, colours and alpha."""

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of Adam7: where each begins, and its steps, across and down."""

_ONE_PASS = ((0, 0, 1, 1),)


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview


def walk_png(data: bytes) -> Walked:
    """Checks each chunk's length and CRC, their order, and that nothing lies behind the last.

    Raises:
        Flaw: With what is wrong.
    """
    chunks = _chunks(data)
    header = next(chunks)
    if header.kind != b"IHDR" or len(header.body) != _HEADER_SIZE_BYTES:
        raise damaged("its first chunk is no header")
    kinds = [header.kind]
    for chunk in chunks:
        _check_place(chunk.kind, kinds)
        kinds.append(chunk.kind)
    if b"IDAT" not in kinds:
        raise damaged("it has no picture data")
    return Walked(
        width_px=int.from_bytes(header.body[:4]),
        height_px=int.from_bytes(header.body[4:8]),
        has_credentials=_CREDENTIALS in kinds,
    )


def is_interlaced(data: bytes) -> bool:
    """Whether the rows of a good PNG come in passes."""
    return data[_INTERLACE_AT] != 0


def refuse_missing_rows(data: bytes) -> None:
    """Refuses a file whose picture data ends in all order, and before its last row: decoders leave the rest black.

    Unpacks all of it once more, so it is asked only of pictures that may be such: those that end black, and those whose
    rows come in passes, of which the last one fills every other row. They are known to decode.

    Raises:
        Flaw: Rows are missing.
    """
    header, *others = _chunks(data)
    due = _unpacked_size_bytes(header.body)
    packed = b"".join(each.body for each in others if each.kind == b"IDAT")
    unpacked = len(zlib.decompressobj().decompress(packed, due))
    if unpacked < due:
        raise cut_short(f"its picture data has {unpacked} of {due} bytes")


def _unpacked_size_bytes(header: memoryview) -> int:
    """Adds up the rows of all passes, each with the byte that names its filter."""
    width_px, height_px = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    depth_bits, color_type, interlace = header[8], header[9], header[12]
    size_bytes = 0
    for left, top, across, down in _PASSES if interlace else _ONE_PASS:
        columns, rows = -(-(width_px - left) // across), -(-(height_px - top) // down)
        if columns > 0 and rows > 0:
            size_bytes += rows * (1 + (columns * depth_bits * _SAMPLES[color_type] + 7) // 8)
    return size_bytes


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Goes from chunk to chunk, up to the end chunk, which has to be the end of the file."""
    view, position, kind = memoryview(data), len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if len(data) - position < _AROUND_BODY_BYTES:
            raise cut_short("its end chunk is missing")
        length, kind = int.from_bytes(view[position : position + 4]), data[position + 4 : position + 8]
        _check_kind(kind, length)
        end = position + _AROUND_BODY_BYTES + length
        if end > len(data):
            raise cut_short(f"in the middle of its {kind.decode()} chunk")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise damaged(f"the checksum of its {kind.decode()} chunk at byte {position} is wrong")
        yield _Chunk(kind, view[position + 8 : end - 4])
        position = end
    refuse_trailing(len(data) - position)


def _check_kind(kind: bytes, length: int) -> None:
    if not (kind.isalpha() and kind.isascii()):
        raise damaged("the name of a chunk is no word")
    is_ancillary = kind[:1].islower()
    if is_ancillary or kind == b"IEND":
        refuse_oversized(kind.decode(), length)
    elif kind not in _CRITICAL:
        raise damaged(f"it has a {kind.decode()} chunk, which no PNG has")


def _check_place(kind: bytes, before: list[bytes]) -> None:
    if kind == b"IHDR":
        raise damaged("it has two headers")
    if kind == b"IDAT" and b"IDAT" in before and before[-1] != b"IDAT":
        raise damaged("its picture data is torn apart by other chunks")
    if kind == b"PLTE" and b"IDAT" in before:
        raise damaged("its palette comes after the picture data")
    if kind == _ANIMATION:
        raise Flaw(Refusal.ANIMATED, "is an animation, not one picture")
