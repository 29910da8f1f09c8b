"""Walks through the chunks of a WebP file (RFC 9649, section 2)."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.gate.refusal import Flaw, Refusal
from tasks.gate.walked import Walked, cut_short, damaged, refuse_oversized, refuse_trailing

_RIFF_HEADER_BYTES = 12
_PICTURES = frozenset({b"VP8 ", b"VP8L"})
_ANIMATION = frozenset({b"ANIM", b"ANMF"})
_CREDENTIALS = b"C2PA"
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = b"\x2f"


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview


def walk_webp(data: bytes) -> Walked:
    """Checks the file's size against its own word, the chunks' lengths, and that there is one picture.

    Raises:
        Flaw: With what is wrong.
    """
    size_bytes = int.from_bytes(data[4:8], "little") + 8
    if size_bytes > len(data):
        raise cut_short(f"it has {len(data)} bytes of {size_bytes}")
    refuse_trailing(len(data) - size_bytes)
    chunks = list(_chunks(data))
    kinds = [chunk.kind for chunk in chunks]
    if _ANIMATION.intersection(kinds):
        raise Flaw(Refusal.ANIMATED, "is an animation, not one picture")
    pictures = [chunk for chunk in chunks if chunk.kind in _PICTURES]
    if len(pictures) != 1:
        raise damaged(f"it has {len(pictures)} pictures in it")
    if chunks[0].kind not in {b"VP8X", pictures[0].kind}:
        raise damaged("its first chunk is no header")
    return Walked(*_size_px(pictures[0]), has_credentials=_CREDENTIALS in kinds)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    view, position = memoryview(data), _RIFF_HEADER_BYTES
    while position < len(data):
        kind, length = data[position : position + 4], int.from_bytes(view[position + 4 : position + 8], "little")
        shown = kind.decode("ascii", "replace").strip()
        end = position + 8 + length + length % 2  # an odd length is made even by one more byte
        if end > len(data):
            raise cut_short(f"in the middle of its {shown!r} chunk")
        if kind not in _PICTURES:
            refuse_oversized(shown, length)
        yield _Chunk(kind, view[position + 8 : position + 8 + length])
        position = end


def _size_px(picture: _Chunk) -> tuple[int, int]:
    """Reads width and height from the picture's own header: 14 bits each."""
    body = picture.body
    if picture.kind == b"VP8L":
        if body[:1] != _LOSSLESS_START or len(body) < 5:
            raise damaged("its lossless picture has no header")
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if body[3:6] != _LOSSY_START or len(body) < 10:
        raise damaged("its lossy picture has no header")
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
