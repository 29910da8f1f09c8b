"""Finds all codes within so many bits of each other, exactly, without comparing each with each: multi-index hashing.

Codes are cut into bands of bits, and each band is a table: value -> rows. Say that in each band up to some number of
bits is flipped, in all ways, and what the table has there is compared. By the pigeonhole this finds all codes within
the radius where the (flips + 1) of all bands add up to more than the radius. How many each band gets is chosen by what
it costs: a value that half of all pictures have, as plain ones do, makes a band that is better left alone.

Works for codes of any number of 64-bit words. The answer is that of brute force, for every radius.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tasks.near import Words
from tasks.near_tables import (
    AT_ONCE,
    FEWEST_ROWS,
    WORD_BITS,
    Band,
    Keys,
    Matches,
    Places,
    Plan,
    Slots,
    Tables,
    compared,
    each_with_each,
    masks_of,
    only,
    spread,
)

MERGE_SHARE = 0.05
"""Appended rows are compared one by one until they are so many of all."""

_ROWS_AT_ONCE = 1 << 16
_PASSES = 6


class NearIndex:
    """Codes in tables; new ones are appended to a tail without tables, which is worked in when it has grown."""

    def __init__(self, words: Words) -> None:
        self._tables = Tables(words)
        self._tail = words[:0]

    @classmethod
    def of(cls, words: Words) -> Self:
        """Builds the index of codes. Shape (n, words of a code); they may not be copied: leave the array as it is."""
        return cls(words)

    def __len__(self) -> int:
        return len(self._tables.words) + len(self._tail)

    def append(self, words: Words) -> None:
        """Adds codes; their rows follow those that are there."""
        self._tail = np.concatenate([self._tail, words])
        if len(self._tail) > max(FEWEST_ROWS, MERGE_SHARE * len(self._tables.words)):
            self._tables = Tables(np.concatenate([self._tables.words, self._tail]))
            self._tail = self._tail[:0]

    def within(self, queries: Words, radius_bits: int) -> Matches:
        """Finds the rows within a radius of each query, the radius included."""
        first = len(self._tables.words)
        tail = [
            Matches(near.query, near.row + first, near.distance_bits)
            for near in each_with_each(queries, self._tail, radius_bits)
        ]
        return Matches.of([*self._tables.within(queries, radius_bits), *tail])


def pairs_within(words: Words, radius_bits: int, *, threads: int = 1) -> Matches:
    """Finds all pairs of codes within a radius, the radius included; `query` is the lower row of each."""
    return Matches.of(list(each_pairs_within(words, radius_bits, threads=threads)))


def each_pairs_within(words: Words, radius_bits: int, *, threads: int = 1) -> Iterator[Matches]:
    """As `pairs_within`, part by part in no order, each pair once: where there are more than fit into memory."""
    tables = Tables(words)
    plan = tables.plan(radius_bits)
    if plan is None:
        for near in each_with_each(words, words, radius_bits):
            yield only(near, near.query < near.row)
        return
    with ThreadPoolExecutor(threads) as pool:
        for place in range(len(plan)):
            join = _SelfJoin(tables, place, plan, radius_bits)
            if threads == 1:
                for highest_bit in join.highest_bits():
                    yield from join.pairs(highest_bit)
            else:
                for found in pool.map(join.all_pairs, join.highest_bits()):
                    yield from found


class _SelfJoin:
    """All pairs of codes that one band finds, with the codes in the order of the band: neighbours in memory.

    There are thousands of candidates for each code, so most are dropped by one look at 64 bits. Laid in a ring, the
    bands of a pair within the radius have one from which on (by the cycle lemma) not only that band, but any number of
    bands in a row differ in fewer bits than their (flips + 1) add up to. So a band may ask that of itself and of as
    many bands behind it as go into one word: another one finds what it misses.
    """

    def __init__(self, tables: Tables, place: int, plan: Plan, radius_bits: int) -> None:
        self._radius_bits, self._place = radius_bits, place
        self._rings = [_ring(tables.bands, plan, each) for each in range(place + 1)]
        self._band = tables.bands[place]
        self._words = np.asfortranarray(tables.words[self._band.order])
        self._keys = self._band.keys(self._words)
        self._rows_of_key = np.minimum(np.diff(self._band.begins), _PASSES + 1).astype(np.uint8)
        self._shown = self._rings[place].shown(self._words)
        self.masks_of = masks_of(self._band.bits, plan[place]).tolist()

    def highest_bits(self) -> list[int]:
        """The jobs that the work falls into, for `pairs`."""
        return sorted({mask.bit_length() for mask in self.masks_of})

    def all_pairs(self, highest_bit: int) -> list[Matches]:
        """As `pairs`, in one go."""
        return list(self.pairs(highest_bit))

    def pairs(self, highest_bit: int) -> Iterator[Matches]:
        """Yields pairs of which the values differ in this bit, counted from 1, and in none higher; 0: in none at all.

        Each two values meet once: the one without that bit looks for the other.
        """
        if highest_bit == 0:
            behind = np.arange(1, len(self._keys) + 1)
            for left, right in spread(behind, self._band.begins[self._keys + 1]):
                yield from self._checked(left, right)
            return
        lookers = np.flatnonzero(self._keys & np.uint32(1 << (highest_bit - 1)) == 0)
        masks = [mask for mask in self.masks_of if mask.bit_length() == highest_bit]
        for start in range(0, len(lookers), _ROWS_AT_ONCE):
            rows = lookers[start : start + _ROWS_AT_ONCE]
            keys, shown = self._keys[rows], self._shown[rows]
            candidates = (each for mask in masks for each in self._candidates(keys ^ np.uint32(mask), shown))
            for probe, slot in _together(candidates):
                yield from self._checked(rows[probe], slot)

    def _candidates(self, keys: Keys, shown: NDArray[np.uint64]) -> Iterator[tuple[Places, Places]]:
        """Yields what the table has for some keys and is near enough in one word: the first rows, the second ones.

        Most values have a row or some. What the few with many rows have is written out.
        """
        counts = self._rows_of_key.take(keys)
        probe = np.flatnonzero(counts)
        counts, shown, slots = counts.take(probe), shown.take(probe), self._band.begins.take(keys.take(probe))
        for done in range(1, _PASSES + 1):
            near = self._near_ones(shown, slots)
            if len(near):
                yield probe.take(near), slots.take(near).astype(np.int64)
            more = np.flatnonzero(counts > done)
            if not len(more):
                return
            probe, counts, shown, slots = probe.take(more), counts.take(more), shown.take(more), slots.take(more)
            slots += np.int32(1)
        for some, slot in spread(slots, self._band.begins[keys.take(probe) + 1]):
            near = self._near_ones(shown.take(some), slot)
            yield probe.take(some.take(near)), slot.take(near)

    def _near_ones(self, shown: NDArray[np.uint64], slots: Places | Slots) -> Places:
        apart = np.bitwise_count(shown ^ self._shown.take(slots))
        return np.flatnonzero(apart <= self._rings[self._place].most_bits)

    def _checked(self, left: Places, right: Places | Slots) -> Iterator[Matches]:
        """Counts all bits, and leaves out what the ring of an earlier band has found."""
        near = compared(self._words, left, self._words, right, self._radius_bits, self._band)
        for place, ring in enumerate(self._rings):
            if len(near.query):
                found = ring.finds(self._words[near.query], self._words[near.row])
                near = only(near, found if place == self._place else ~found)
        if len(near.query):
            rows = self._band.order[near.query].astype(np.int64), self._band.order[near.row].astype(np.int64)
            yield Matches(np.minimum(*rows), np.maximum(*rows), near.distance_bits)


def _together(parts: Iterable[tuple[Places, Places]]) -> Iterator[tuple[Places, Places]]:
    """Puts small parts together, as far as they do not become many."""
    waiting: list[tuple[Places, Places]] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part[0])
        if size >= AT_ONCE:
            yield np.concatenate([each[0] for each in waiting]), np.concatenate([each[1] for each in waiting])
            waiting, size = [], 0
    if waiting:
        yield np.concatenate([each[0] for each in waiting]), np.concatenate([each[1] for each in waiting])


class _Ring(NamedTuple):
    """A band, and those behind it as far as they go into one word; the last is followed by the first."""

    band: Band
    flips: int
    bits: int
    most_bits: int

    def shown(self, words: Words) -> NDArray[np.uint64]:
        """The bits of the bands, in one word. Shape (n,)."""
        word, offset = divmod(self.band.first_bit, WORD_BITS)
        shown = words[:, word] << np.uint64(offset)
        if offset:
            shown |= words[:, (word + 1) % words.shape[1]] >> np.uint64(WORD_BITS - offset)
        return shown & np.uint64((1 << WORD_BITS) - (1 << (WORD_BITS - self.bits)))

    def finds(self, ones: Words, others: Words) -> NDArray[np.bool_]:
        """Whether it finds these pairs. Shape (n,)."""
        if self.flips < 0:
            return np.zeros(len(ones), dtype=np.bool_)
        apart = np.bitwise_count(self.band.keys(ones) ^ self.band.keys(others)) <= self.flips
        found: NDArray[np.bool_] = apart & (np.bitwise_count(self.shown(ones) ^ self.shown(others)) <= self.most_bits)
        return found


def _ring(bands: Sequence[Band], plan: Plan, place: int) -> _Ring:
    bits = flips_and_one = 0
    for step in range(len(bands)):
        behind = (place + step) % len(bands)
        if bits + bands[behind].bits > WORD_BITS:
            break
        bits += bands[behind].bits
        flips_and_one += plan[behind] + 1
    return _Ring(bands[place], plan[place], bits, flips_and_one - 1)
