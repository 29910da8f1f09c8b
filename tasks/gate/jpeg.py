"""Walks through the segments of a JPEG file (ITU-T T.81, annex B), and looks for holes in its picture data."""

import re

from tasks.gate.walked import Walked, cut_short, damaged, refuse_trailing

_START, _END = 0xD8, 0xD9
_HUFFMAN_TABLES, _SCAN, _APP11 = 0xC4, 0xDA, 0xEB
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_SEQUENTIAL_FRAMES = frozenset({0xC0, 0xC1})
"""Baseline and extended: each block's coefficients come in one piece, with Huffman codes."""

_WITHOUT_LENGTH = frozenset({0x01, _START, *range(0xD0, 0xD8)})
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In picture data, FF 00 is a plain FF, FF D0 to FF D7 are restarts, and FF FF is padding."""

_HOLE = bytes(512)
"""What a lost sector leaves behind."""

_END_OF_BLOCK = 0x00


def walk_jpeg(data: bytes) -> Walked:
    """Checks that segments follow each other from start to end marker, and that nothing lies behind.

    Raises:
        Flaw: With what is wrong.
    """
    return _Walk(data).to_the_end()


class _Walk:
    """One walk: where it is, and what it has seen."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 2  # behind the start marker
        self._frame: tuple[int, int, int] | None = None  # marker, width, height
        self._has_scan = False
        self._has_credentials = False
        self._all_zeros_mean: dict[int, int] = {}  # by table: the symbol whose code is made of zeros

    def to_the_end(self) -> Walked:
        while (marker := self._next_marker()) != _END:
            segment = self._segment(marker)
            if marker in _FRAMES:
                self._see_frame(marker, segment)
            elif marker == _HUFFMAN_TABLES:
                self._see_tables(segment)
            elif marker == _SCAN:
                self._see_scan(segment)
            elif marker == _APP11 and segment.startswith(b"JP") and b"c2pa" in segment:
                self._has_credentials = True
        if self._frame is None or not self._has_scan:
            raise damaged("it has no picture data")
        refuse_trailing(len(self._data) - self._position)
        return Walked(self._frame[1], self._frame[2], self._has_credentials)

    def _next_marker(self) -> int:
        data, position = self._data, self._position
        if position < len(data) and data[position] != 0xFF:
            raise damaged(f"there is no marker at byte {position}")
        while position < len(data) and data[position] == 0xFF:
            position += 1
        if position >= len(data):
            raise cut_short("its end marker is missing")
        self._position = position + 1
        return data[position]

    def _segment(self, marker: int) -> bytes:
        if marker in _WITHOUT_LENGTH or marker == 0:
            raise damaged(f"marker {marker:02X} is in the wrong place")
        start, length = self._position + 2, int.from_bytes(self._data[self._position : self._position + 2])
        end = self._position + length
        if end > len(self._data) or start > len(self._data):
            raise cut_short(f"in the middle of its segment {marker:02X}")
        if length < 2:
            raise damaged(f"segment {marker:02X} has no length")
        self._position = end
        return self._data[start:end]

    def _see_frame(self, marker: int, segment: bytes) -> None:
        if self._frame is not None:
            raise damaged("it has two frames")
        if len(segment) < 6:
            raise damaged("its frame has no size")
        self._frame = marker, int.from_bytes(segment[3:5]), int.from_bytes(segment[1:3])

    def _see_tables(self, segment: bytes) -> None:
        """Notes of each Huffman table the first symbol: codes are given out in order, so its code is all zeros."""
        while len(segment) > 17:
            self._all_zeros_mean[segment[0]] = segment[17]
            segment = segment[17 + sum(segment[1:17]) :]

    def _see_scan(self, segment: bytes) -> None:
        if self._frame is None:
            raise damaged("its picture data comes before its frame")
        found = _MARKER_IN_SCAN.search(self._data, self._position)
        if found is None:
            raise cut_short("in the middle of its picture data")
        if self._frame[0] in _SEQUENTIAL_FRAMES and self._zeros_mean_nothing(segment):
            hole = self._data.find(_HOLE, self._position, found.start())
            if hole >= 0:
                raise damaged(f"there is a hole in its picture data at byte {hole}")
        self._has_scan = True
        self._position = found.start()

    def _zeros_mean_nothing(self, segment: bytes) -> bool:
        """Says whether hundreds of zero bytes cannot be a picture: in some table they do not mean "end of block".

        They would be block after block with all its coefficients alike, which no picture has. Where zeros do mean
        "end of block" in all tables, as in files with tables of their own, they may be a plain area.
        """
        components = segment[0] if segment else 0
        tables = {0x10 | (each & 0x0F) for each in segment[2 : 1 + 2 * components : 2]}
        return any(self._all_zeros_mean.get(table, _END_OF_BLOCK) != _END_OF_BLOCK for table in tables)
