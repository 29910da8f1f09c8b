"""The bands of codes as tables, which `tasks/near_index.py` looks into: what they hold, and what it costs to look."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from math import inf, log2
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tasks.near import Words

WORD_BITS = 64
FEWEST_ROWS = 512
"""So few codes are compared one by one."""

AT_ONCE = 1 << 17
"""Candidates at a time: their arrays stay in the processor's cache, however many there are."""

_PAIRS_AT_ONCE = 1 << 15
_FEWEST_BAND_BITS, _MOST_BAND_BITS = 16, 22
_MOST_FLIPS = 3
_SAMPLE = 128
_PROBE_COST, _CANDIDATE_COST, _PAIR_COST = 6.0, 8.0, 2.5
"""Nanoseconds, roughly: to look one value up, to compare one row that is found so, and to compare one of all rows."""

Places = NDArray[np.int64]
"""Shape (n,): rows of an array."""

Slots = NDArray[np.int32]
Keys = NDArray[np.uint32]
Plan = tuple[int, ...]
"""For each band how many of its bits may be flipped; -1: it is not looked into."""


class Matches(NamedTuple):
    """Pairs within a radius, as arrays of one length, sorted by `query`, then `row`."""

    query: Places
    row: Places
    distance_bits: Places

    @classmethod
    def of(cls, parts: "Sequence[Matches]") -> Self:
        """Puts parts together, in order."""
        if not parts:
            return cls(*np.empty((3, 0), dtype=np.int64))
        query, row, distance_bits = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((row, query))
        return cls(query[order], row[order], distance_bits[order])


class Band(NamedTuple):
    """Some bits of all codes, as a table: the rows with value v are `order[begins[v]:begins[v + 1]]`."""

    first_bit: int
    bits: int
    order: Slots
    begins: Slots

    @property
    def first_word(self) -> int:
        """The word to compare first, as in its own one codes that it finds are alike already; it may be one too far."""
        return self.first_bit // WORD_BITS + 1

    def keys(self, words: Words) -> Keys:
        """The values that codes have in this band."""
        return _keys(words, self.first_bit, self.bits)


class Tables:
    """The bands of some codes, and what it costs to look into them."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.bands: list[Band] = []
        if len(words) > FEWEST_ROWS:
            self.bands = [_band(words, *place) for place in _places(words.shape[1] * WORD_BITS, len(words))]
            sample = words[:: -(-len(words) // _SAMPLE)]
            self._costs = [_costs(band, sample) for band in self.bands]

    def plan(self, radius_bits: int) -> Plan | None:
        """Chooses the flips of each band that cost least together; None where comparing each with each costs less."""
        best: dict[int, tuple[float, Plan]] = {0: (0.0, ())}
        for place in range(len(self.bands)):
            longer: dict[int, tuple[float, Plan]] = {}
            for sure, (cost, plan) in best.items():
                for flips, more in enumerate(self._costs[place], start=-1):
                    now_sure = min(sure + flips + 1, radius_bits + 1)
                    if cost + more < longer.get(now_sure, (inf, ()))[0]:
                        longer[now_sure] = (cost + more, (*plan, flips))
            best = longer
        cost, plan = best.get(radius_bits + 1, (inf, ()))
        return plan if cost < len(self.words) * _PAIR_COST else None

    def within(self, queries: Words, radius_bits: int) -> Iterator[Matches]:
        """Yields the rows near each query, each once."""
        plan = self.plan(radius_bits)
        if plan is None:
            yield from each_with_each(queries, self.words, radius_bits)
            return
        for place, (band, flips) in enumerate(zip(self.bands, plan, strict=True)):
            masks = masks_of(band.bits, flips)
            at_once = max(1, AT_ONCE // max(1, len(masks)))
            for first in range(0, len(queries) if flips >= 0 else 0, at_once):
                some = queries[first : first + at_once]
                keys = (band.keys(some)[:, np.newaxis] ^ masks).ravel()
                for probe, slot in spread(band.begins[keys], band.begins[keys + 1]):
                    near = compared(some, probe // len(masks), self.words, band.order[slot], radius_bits, band)
                    near = self.first_found(near, some, self.words, place, plan)
                    yield Matches(near.query + first, near.row, near.distance_bits)

    def first_found(self, near: Matches, ones: Words, others: Words, place: int, plan: Plan) -> Matches:
        """Leaves out the pairs that an earlier band has found."""
        for band, flips in zip(self.bands[:place], plan[:place], strict=True):
            if flips >= 0 and len(near.query):
                apart = np.bitwise_count(band.keys(ones[near.query]) ^ band.keys(others[near.row]))
                near = only(near, apart > flips)
        return near


def compared(ones: Words, left: Places, others: Words, right: Places | Slots, radius_bits: int, band: Band) -> Matches:
    """Counts the differing bits of pairs word by word, and drops a pair as soon as there are too many."""
    word_count = ones.shape[1]
    distances = np.zeros(len(left), dtype=np.uint16)
    for step in range(word_count):
        word = (band.first_word + step) % word_count
        distances = distances + np.bitwise_count(ones[:, word][left] ^ others[:, word][right])
        near = np.flatnonzero(distances <= radius_bits)
        left, right, distances = left[near], right[near], distances[near]
    return Matches(left.astype(np.int64), right.astype(np.int64), distances.astype(np.int64))


def each_with_each(queries: Words, words: Words, radius_bits: int) -> Iterator[Matches]:
    """Compares all with all, in blocks."""
    columns = np.ascontiguousarray(words.T)
    bits_type = np.uint8 if words.shape[1] * WORD_BITS < 256 else np.uint16
    queries_at_once = max(1, _PAIRS_AT_ONCE // max(1, len(words)))
    for first_query in range(0, len(queries), queries_at_once):
        some = queries[first_query : first_query + queries_at_once]
        for first_row in range(0, len(words), _PAIRS_AT_ONCE):
            block = columns[:, first_row : first_row + _PAIRS_AT_ONCE]
            distances = np.zeros((len(some), block.shape[1]), dtype=bits_type)
            for word, column in enumerate(block):
                distances += np.bitwise_count(some[:, word, np.newaxis] ^ column)
            near = np.flatnonzero(distances <= radius_bits)
            if len(near):
                query, row = np.divmod(near, block.shape[1])
                yield Matches(query + first_query, row + first_row, distances.ravel()[near].astype(np.int64))


def only(near: Matches, wanted: NDArray[np.bool_]) -> Matches:
    """Leaves some of the pairs out."""
    return near if wanted.all() else Matches(near.query[wanted], near.row[wanted], near.distance_bits[wanted])


def spread(begins: NDArray[np.integer], ends: NDArray[np.integer]) -> Iterator[tuple[Places, Places]]:
    """Writes ranges out, so many numbers at a time: yields the place of each number's range, and the number."""
    counts = (ends - begins).astype(np.int64)
    stops = np.cumsum(counts)
    total = int(stops[-1]) if len(stops) else 0
    for done in range(0, total, AT_ONCE):
        until = min(done + AT_ONCE, total)
        first, last = np.searchsorted(stops, (done, until - 1), side="right").tolist()
        within = slice(first, last + 1)
        starts = stops[within] - counts[within]  # where each range begins in the row of all numbers
        shown = np.minimum(stops[within], until) - np.maximum(starts, done)
        numbers = np.arange(done, until) + np.repeat(begins[within] - starts, shown)
        yield np.repeat(np.arange(first, last + 1), shown), numbers


def _places(bits: int, rows: int) -> list[tuple[int, int]]:
    """Cuts a code into bands so that a value has about one row, or some: the first bit and the bits of each band."""
    wanted = min(max(log2(rows), _FEWEST_BAND_BITS), _MOST_BAND_BITS)
    cuts = np.linspace(0, bits, round(bits / wanted) + 1).astype(int).tolist()
    return [(first, after - first) for first, after in pairwise(cuts)]


def _keys(words: Words, first_bit: int, bits: int) -> Keys:
    """Reads some bits of each code, counted from the highest bit of its first word. They may lie in two words."""
    word, offset = divmod(first_bit, WORD_BITS)
    below = WORD_BITS - offset - bits
    if below >= 0:
        found = words[:, word] >> np.uint64(below)
    else:
        found = (words[:, word] << np.uint64(-below)) | (words[:, word + 1] >> np.uint64(WORD_BITS + below))
    return (found & np.uint64((1 << bits) - 1)).astype(np.uint32)


def _band(words: Words, first_bit: int, bits: int) -> Band:
    keys = _keys(words, first_bit, bits)
    order = np.argsort(keys.astype(np.uint16), kind="stable")  # numpy sorts 16 bits by radix: two rounds, if need be
    if bits > 16:
        order = order[np.argsort((keys >> np.uint32(16)).astype(np.uint16)[order], kind="stable")]
    begins = np.zeros((1 << bits) + 1, dtype=np.int32)
    np.cumsum(np.bincount(keys, minlength=1 << bits), out=begins[1:])
    return Band(first_bit, bits, order.astype(np.int32), begins)


def _costs(band: Band, sample: Words) -> list[float]:
    """What one query costs in a band with -1, 0, 1 … flips, on average over a sample of the codes themselves."""
    costs = [0.0]
    for flips in range(_MOST_FLIPS + 1):
        masks = masks_of(band.bits, flips)
        keys = band.keys(sample)[:, np.newaxis] ^ masks
        found = float((band.begins[keys + 1] - band.begins[keys]).sum()) / len(sample)
        costs.append(len(masks) * _PROBE_COST + found * _CANDIDATE_COST)
    return costs


@lru_cache(maxsize=64)
def masks_of(bits: int, flips: int) -> Keys:
    """All ways to flip up to so many bits. None for -1."""
    ways = [
        sum(1 << bit for bit in chosen) for count in range(flips + 1) for chosen in combinations(range(bits), count)
    ]
    return np.array(ways, dtype=np.uint32)
