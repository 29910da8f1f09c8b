"""How alike two pictures are, by their signatures: as a copy, as a crop of one another, or mirrored; and who is alike.

The distance of two pictures is the least of: full against full; full against each view of the other, either way, where
crops count; full against the mirror image of the other, either way, where mirror images count. Where either picture is
plain, at most `PLAIN_THRESHOLD_BITS` may differ: all plain pictures resemble each other. Where one has no detail
either, such as a small thing on an even ground, only full against full counts.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tasks.brief import Dedupe
from tasks.measured import VIEWS, How, Signature
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, words_of
from tasks.near_index import NearIndex, pairs_within
from tasks.near_tables import Matches, each_with_each
from tasks.signature import Bits, Packed, are_plain, are_without_detail, packed, unpacked

PLAIN_THRESHOLD_BITS = 12

HOW: tuple[How, ...] = ("copy", "crop", "mirror")
"""What the numbers in `Likenesses.how` stand for; of equal distances the first one of these."""

_FARTHEST_BITS = FINGERPRINT_BITS + 1
_AT_ONCE = 1 << 16
_SAMPLE = 256

Hows = NDArray[np.uint8]
"""Places in `HOW`."""

_COPY: Hows = np.zeros(1, dtype=np.uint8)


class Alikeness(NamedTuple):
    """What counts as alike."""

    threshold_bits: int
    crops: bool = True
    mirror: bool = True

    @classmethod
    def of(cls, rule: Dedupe) -> Self:
        """Takes what a brief says."""
        bits = THRESHOLD_BITS[rule.threshold] if rule.distance_bits is None else rule.distance_bits
        return cls(bits, rule.crops, rule.mirror)


class Resemblance(NamedTuple):
    """How near two pictures are, and in what way."""

    distance_bits: int
    how: How


class Likenesses(NamedTuple):
    """Pairs of pictures that are alike, as arrays of one length, sorted by `new`, then `known`."""

    new: NDArray[np.int64]
    known: NDArray[np.int64]
    distance_bits: NDArray[np.int64]
    how: Hows

    @classmethod
    def of(cls, parts: "Sequence[Likenesses]") -> Self:
        """Puts parts together: of what is said of a pair, the least distance, and for that the first of `HOW`."""
        if not parts:
            nothing = np.empty(0, dtype=np.int64)
            return cls(nothing, nothing, nothing, nothing.astype(np.uint8))
        new, known, distance_bits, how = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((how, distance_bits, known, new))
        new, known, distance_bits, how = new[order], known[order], distance_bits[order], how[order]
        is_first = np.ones(len(new), dtype=np.bool_)
        is_first[1:] = (new[1:] != new[:-1]) | (known[1:] != known[:-1])
        return cls(new[is_first], known[is_first], distance_bits[is_first], how[is_first])

    def only(self, wanted: Bits) -> "Likenesses":
        """Leaves some of the pairs out."""
        return Likenesses(self.new[wanted], self.known[wanted], self.distance_bits[wanted], self.how[wanted])


def resemblance(one: Signature, other: Signature, alike: Alikeness) -> Resemblance:
    """Measures how near two pictures are, whatever the threshold. The order of the two makes no difference."""
    distances, hows = resemblances(unpacked(packed(one)), unpacked(packed(other)), alike)
    return Resemblance(int(distances[0]), HOW[hows[0]])


def resemblances(ones: Packed, others: Packed, alike: Alikeness) -> tuple[NDArray[np.int64], Hows]:
    """As `resemblance`, row by row: the distances, and how, as places in `HOW`. Shape (n,) each."""
    first, second = ones["views"], others["views"]
    distances = np.full((len(HOW), len(ones)), _FARTHEST_BITS, dtype=np.int64)
    distances[0] = _apart(first[:, 0], second[:, 0])
    if alike.crops:
        distances[1] = np.minimum(
            _apart(first[:, :1], second[:, 1:]).min(axis=1), _apart(second[:, :1], first[:, 1:]).min(axis=1)
        )
    if alike.mirror:
        distances[2] = np.minimum(_apart(first[:, 0], others["mirror"]), _apart(second[:, 0], ones["mirror"]))
    distances[1:, are_without_detail(ones) | are_without_detail(others)] = _FARTHEST_BITS
    hows = distances.argmin(axis=0)
    return distances[hows, np.arange(len(ones))], hows.astype(np.uint8)


def are_alike(ones: Packed, others: Packed, distances_bits: NDArray[np.int64], alike: Alikeness) -> Bits:
    """Whether such distances count as alike, row by row: plain pictures have to be nearer."""
    plain_bits = min(alike.threshold_bits, PLAIN_THRESHOLD_BITS)
    is_near: Bits = distances_bits <= np.where(are_plain(ones) | are_plain(others), plain_bits, alike.threshold_bits)
    return is_near


class Figures(NamedTuple):
    """How much there is to see in pictures."""

    are_plain: Bits
    are_without_detail: Bits

    @classmethod
    def of(cls, signatures: Packed) -> Self:
        """Reads them from signatures."""
        return cls(are_plain(signatures), are_without_detail(signatures))

    def and_those_of(self, signatures: Packed) -> "Figures":
        """Adds those of further pictures."""
        more = Figures.of(signatures)
        return Figures(*(np.concatenate(pair) for pair in zip(self, more, strict=True)))


class Candidates:
    """Known pictures, to find those that new ones are like: exactly the pairs that `resemblances` would name."""

    def __init__(self, known: Packed, alike: Alikeness) -> None:
        self._alike, self._figures = alike, Figures.of(known)
        self._full = NearIndex.of(words_of(known["views"][:, 0]))
        self._sides = NearIndex.of(words_of(_sides(known, alike)))

    @classmethod
    def of(cls, known: Packed, alike: Alikeness) -> Self:
        """Builds the index over known pictures."""
        return cls(known, alike)

    def __len__(self) -> int:
        return len(self._figures.are_plain)

    def append(self, signatures: Packed) -> None:
        """Makes further pictures known; they are numbered on."""
        self._figures = self._figures.and_those_of(signatures)
        self._full.append(words_of(signatures["views"][:, 0]))
        self._sides.append(words_of(_sides(signatures, self._alike)))

    def within(self, new: Packed) -> Likenesses:
        """Finds all known pictures that each new one is like."""
        bits = self._alike.threshold_bits
        full, sides, hows = (
            words_of(new["views"][:, 0]),
            words_of(_sides(new, self._alike)),
            _hows_of_sides(self._alike),
        )
        found = [_found(self._full.within(full, bits))]
        if len(hows):
            found.append(_found(self._sides.within(full, bits), row_hows=hows))
            found.append(_found(self._full.within(sides, bits), query_hows=hows))
        return Likenesses.of([_gated(each, Figures.of(new), self._figures) for each in found])


def all_pairs(signatures: Packed, alike: Alikeness, *, threads: int = 1) -> Likenesses:
    """Finds all pairs of pictures that are alike among one set; `new` is the higher row of each.

    Where thousands of pictures are equal, as plain ones are, all their pairs are named: see how many there are first.
    """
    bits, hows = alike.threshold_bits, _hows_of_sides(alike)
    full = words_of(signatures["views"][:, 0])
    parts = [_found(pairs_within(full, bits, threads=threads))]
    if len(hows):
        sides = NearIndex.of(words_of(_sides(signatures, alike)))
        for first in range(0, len(full), _AT_ONCE):
            near = _found(sides.within(full[first : first + _AT_ONCE], bits), row_hows=hows)
            near = near._replace(new=near.new + first)
            parts.append(near.only(near.new != near.known))
    ordered = [each._replace(new=np.maximum(*each[:2]), known=np.minimum(*each[:2])) for each in parts]
    figures = Figures.of(signatures)
    return Likenesses.of([_gated(each, figures, figures) for each in ordered])


def about_how_many_pairs(signatures: Packed, alike: Alikeness) -> int:
    """Estimates how many pairs `all_pairs` would find as copies, by an even sample: before they fill the memory."""
    full = words_of(signatures["views"][:, 0])
    sample = full[:: -(-len(full) // _SAMPLE)]
    found = sum(len(near.query) for near in each_with_each(sample, full, alike.threshold_bits)) - len(sample)
    return found * len(full) // (2 * len(sample))


def _gated(found: Likenesses, new: Figures, known: Figures) -> Likenesses:
    """Leaves out what does not count because either picture is plain, or has no detail."""
    is_plain = new.are_plain[found.new] | known.are_plain[found.known]
    has_no_detail = new.are_without_detail[found.new] | known.are_without_detail[found.known]
    is_copy = found.how == HOW.index("copy")
    return found.only((~is_plain | (found.distance_bits <= PLAIN_THRESHOLD_BITS)) & (~has_no_detail | is_copy))


def _found(near: Matches, *, query_hows: Hows = _COPY, row_hows: Hows = _COPY) -> Likenesses:
    """Reads matches of codes of which each picture has several, and says which of them it was."""
    new, query_side = np.divmod(near.query, len(query_hows))
    known, row_side = np.divmod(near.row, len(row_hows))
    return Likenesses(new, known, near.distance_bits, np.maximum(query_hows[query_side], row_hows[row_side]))


def _hows_of_sides(alike: Alikeness) -> Hows:
    """What each of `_sides` stands for."""
    crops = [HOW.index("crop")] * ((VIEWS - 1) * alike.crops)
    return np.array(crops + [HOW.index("mirror")] * alike.mirror, dtype=np.uint8)


def _sides(signatures: Packed, alike: Alikeness) -> NDArray[np.uint8]:
    """The codes of pictures beside the full one, as far as they count. Shape (n, sides, 24)."""
    views = signatures["views"][:, 1:][:, : (VIEWS - 1) * alike.crops]
    mirror = signatures["mirror"][:, np.newaxis][:, : int(alike.mirror)]
    return np.concatenate([views, mirror], axis=1)


def _apart(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts the differing bits of fingerprints, along the last axis."""
    apart: NDArray[np.int64] = np.bitwise_count(ones ^ others).sum(axis=-1, dtype=np.int64)
    return apart
