"""Who leads and who follows: pictures that are alike become one keeper and its duplicates. Pure.

Greedy leaders in a canonical order: the first picture leads; each next one follows the nearest leader that it is like,
or leads itself. Unlike connected components this cannot chain A ~ B ~ C into one group: every duplicate is like its own
keeper. The order is that of `Merits` and of nothing else, so it makes no difference in which order pictures are given,
how many workers compare them, and how many are taken at once.

Two pictures that look alike in gray and differ much in their colours are not the same to somebody who asked for a red
teapot and a blue one: the second leads too, and is called a colour variant of the first. A tint is told, and no more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.leaders import Leaders, Nearest, Places
from tasks.likeness import (
    HOW,
    PLAIN_THRESHOLD_BITS,
    Alikeness,
    Likenesses,
    Resemblance,
    about_how_many_pairs,
    all_pairs,
)
from tasks.signature import COLOR_VARIANT_LEVELS, are_color_variants, are_plain, unpacked_each

BLOCK = 1024
"""Pictures that are taken at first; each later block is as large as all before it. What is like a leader already is not
compared with its own block."""

MOST_PAIRS = BLOCK * BLOCK // 2
"""A block with more pairs is taken in halves. Pictures that are all alike, as plain ones are, stand side by side in the
canonical order; so thousands of them are first seen in one block, and would make millions of pairs."""

OTHER_COLORS_LEVELS = 12.0
"""So many levels of 256 on average, and it is another picture. Half or less of what separates most colourways (28
pictures, median: 17 with red and blue swapped, 14 and 19 with all hues turned by 90 and 180 degrees), and more than
brightness and saturation 0.7, contrast 1.3 and a tint of 10 % made of any of them (at most 11.8)."""

Pair = frozenset[str]
"""Two names."""

Picked = NDArray[np.bool_]


class Merits(NamedTuple):
    """What makes a picture lead those that it is like: the smaller one does, and the first field that differs says why.

    Lineage stands before all that pixels tell: no figure of pixels knows an original from its sharpened copy.
    """

    is_new: bool = True
    """False for what the archive had found to be a keeper before: it stays one."""
    is_unasked: bool = True
    """False for what a person has kept by name."""
    is_unsettled: bool = True
    """False for what this edition has found to be a keeper before: it stays one, and so do the edits made of it."""
    minus_stars: int = 0
    edits: int = 0
    """0 for a generated picture, then one more with each edit."""
    is_flagged: bool = False
    minus_quality: float = 0
    minus_pixels: int = 0
    made_at: float = 0.0
    sha256: str = ""


BECAUSE = (
    "was there before",
    "was kept by a person",
    "was it already",
    "has more stars",
    "was edited less",
    "is not flagged",
    "has more detail",
    "is larger",
    "is older",
    "has the smaller hash",
)
"""What is said of a leader, by the field of `Merits` that decided."""

KEPT = "kept by a person"
STANDING = "keeper already"
TOLD_APART = "told apart by a person"
COLOR_VARIANT = "colour variant"
"""Why a picture leads that is like another."""


class Entrant(NamedTuple):
    """A picture that takes part."""

    name: str
    """Its SHA-256, or its path."""
    signature: bytes
    """A comparable row of the catalogue (`tasks/signature.py`)."""
    chain: str
    """What is of one chain is never held against each other."""
    parent: str | None = None
    merits: Merits = Merits()
    may_lead: bool = True

    @property
    def is_settled(self) -> bool:
        """Whether it leads in any case, and is not judged."""
        return not self.merits.is_new

    @property
    def insists(self) -> bool:
        """Whether it leads whatever it is like."""
        return not (self.merits.is_unasked and self.merits.is_unsettled)


class Placing(NamedTuple):
    """What became of one picture."""

    name: str
    follows: bool
    leader: str | None
    """Of a picture that leads although it is like another, that one; None where it is like none."""
    resemblance: Resemblance | None
    because: str
    """Why the leader leads; or why a picture leads that is like another; empty where it is like none."""
    threshold_bits: int
    """What counted for it."""
    has_other_colors: bool = False
    """Whether its colours are not those of the picture that it is like."""


def group(
    entrants: Iterable[Entrant],
    alike: Alikeness,
    *,
    apart: AbstractSet[Pair] = frozenset(),
    workers: int = 1,
    block: int = BLOCK,
    on_progress: Callable[[int, int], None] = lambda done, due: None,
) -> tuple[Placing, ...]:
    """Places all pictures that are not settled, in the canonical order. CPU work.

    Args:
        entrants: Pictures, each name once.
        alike: What counts as alike.
        apart: Pairs of names that a person has told apart: neither follows the other.
        workers: Threads that compare.
        block: How many to take at first.
        on_progress: Told after each block how many pictures are placed, and how many there are.
    """
    ordered = sorted(entrants, key=lambda each: (each.merits, each.name))
    settled = sum(each.is_settled for each in ordered)
    grouping = _Grouping(ordered, alike, apart, workers)
    grouping.lead(np.arange(settled))
    first = settled
    while first < len(ordered):
        after = min(len(ordered), first + max(block, first - settled))
        grouping.place(np.arange(first, after))
        first = after
        on_progress(first - settled, len(ordered) - settled)
    return tuple(grouping.placings(settled))


class _Grouping:
    """The pictures in their order, as arrays, with the nearest leader of each so far."""

    def __init__(self, ordered: Sequence[Entrant], alike: Alikeness, apart: AbstractSet[Pair], workers: int) -> None:
        self._ordered, self._alike, self._apart, self._workers = ordered, alike, apart, workers
        self._rows = unpacked_each(each.signature for each in ordered)
        self._chains = _numbered([each.chain for each in ordered])
        self._told = _told_apart(ordered, apart)
        self._insists = np.array([each.insists for each in ordered], dtype=np.bool_)
        self._may_lead = np.array([each.may_lead for each in ordered], dtype=np.bool_)
        self._leaders = Leaders(self._rows, alike, workers)
        self._best, self._variant, self._refused = (Nearest(len(ordered)) for _ in range(3))

    def lead(self, places: Places) -> None:
        """Makes pictures leaders of whatever comes after them."""
        self._leaders.add(places)

    def place(self, places: Places) -> None:
        """Finds out of the next pictures which lead, and whom the others follow."""
        self._note(self._leaders.like(places))
        undecided = places[~self._follows(places)]
        if len(undecided) > BLOCK and about_how_many_pairs(self._rows[undecided], self._alike) > MOST_PAIRS:
            for half in np.array_split(places, 2):
                self.place(half)
            return
        new = self._place_among_themselves(undecided)
        decided = np.setdiff1d(places, undecided, assume_unique=True)
        if len(new) and len(decided):
            self._note(Leaders.of(new, self._rows, self._alike, self._workers).like(decided))
        self.lead(new)

    def placings(self, first: int) -> Iterator[Placing]:
        """Says what became of each picture from a place on."""
        follows, plain = self._follows(np.arange(len(self._ordered))), are_plain(self._rows)
        followers = np.flatnonzero(follows)
        recolored = set(followers[self._differ_in_colors(self._best.found(followers), COLOR_VARIANT_LEVELS)].tolist())
        for place in range(first, len(self._ordered)):
            bits = min(self._alike.threshold_bits, PLAIN_THRESHOLD_BITS) if plain[place] else self._alike.threshold_bits
            placing = self._placing(place, follows=bool(follows[place]), threshold_bits=bits)
            is_recolored = place in recolored or placing.because == COLOR_VARIANT
            yield placing._replace(has_other_colors=is_recolored)

    def _place_among_themselves(self, undecided: Places) -> Places:
        """Goes through pictures that are like no leader so far; returns those of them that lead."""
        found = all_pairs(self._rows[undecided], self._alike, threads=self._workers)
        found = found._replace(new=undecided[found.new], known=undecided[found.known])
        repeats = self._kinds(found).repeats
        leads = dict(zip(undecided.tolist(), self._may_lead[undecided].tolist(), strict=True))
        insists = set(undecided[self._insists[undecided]].tolist())
        for later, earlier in zip(repeats.new.tolist(), repeats.known.tolist(), strict=True):  # sorted by the later
            if leads[earlier] and later not in insists:
                leads[later] = False
        leading = np.array([place for place in leads if leads[place]], dtype=np.int64)
        self._note(found.only(np.isin(found.known, leading)))
        return leading

    def _note(self, found: Likenesses) -> None:
        """Remembers the nearest leaders among these pairs of places: of equally near ones the first."""
        kinds = self._kinds(found)
        self._best.note(kinds.repeats)
        self._variant.note(kinds.variants)
        self._refused.note(kinds.refused)

    def _kinds(self, found: Likenesses) -> "_Kinds":
        """Tells apart what pairs mean; pairs of one chain, and those with a later picture, mean nothing."""
        found = found.only((found.known < found.new) & (self._chains[found.new] != self._chains[found.known]))
        refused = self._told[found.new] & self._told[found.known]
        for pair in np.flatnonzero(refused).tolist():
            names = (self._ordered[found.new[pair]].name, self._ordered[found.known[pair]].name)
            refused[pair] = frozenset(names) in self._apart
        variants = self._differ_in_colors(found, OTHER_COLORS_LEVELS) & ~refused
        return _Kinds(found.only(~refused & ~variants), found.only(variants), found.only(refused))

    def _differ_in_colors(self, found: Likenesses, levels: float) -> Picked:
        """Holds the colours of pairs against each other, those of mirror images the other way round."""
        is_mirrored = found.how == HOW.index("mirror")
        return are_color_variants(self._rows[found.new], self._rows[found.known], mirrored=is_mirrored, levels=levels)

    def _follows(self, places: Places) -> Picked:
        follows: Picked = (self._best.leaders[places] >= 0) & ~self._insists[places]
        return follows

    def _placing(self, place: int, *, follows: bool, threshold_bits: int) -> Placing:
        """Names the picture that another one is like, and says why which of them leads."""
        own = self._ordered[place]
        insisting = STANDING if own.merits.is_unasked else KEPT
        kinds = [(self._best, insisting), (self._refused, TOLD_APART), (self._variant, COLOR_VARIANT)]
        for nearest, because in kinds:
            if nearest.leaders[place] >= 0:
                leader = self._ordered[nearest.leaders[place]]
                why = _why(leader, own) if follows else because
                return Placing(own.name, follows, leader.name, nearest.resemblance(place), why, threshold_bits)
        why = "" if own.merits.is_unasked else KEPT
        return Placing(own.name, follows, None, None, why, threshold_bits)


class _Kinds(NamedTuple):
    """Pairs by what they mean."""

    repeats: Likenesses
    variants: Likenesses
    refused: Likenesses


def _why(leader: Entrant, follower: Entrant) -> str:
    if follower.parent == leader.name:
        return "is its parent"
    merits, others = leader.merits, follower.merits
    if merits._replace(is_unsettled=True) < others._replace(is_unsettled=True):
        merits = merits._replace(is_unsettled=others.is_unsettled)  # it would lead anyhow: the same is said each time
    pairs = zip(merits, others, BECAUSE, strict=True)
    return next((because for one, other, because in pairs if one != other), BECAUSE[-1])


def _numbered(names: Sequence[str]) -> Places:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _told_apart(ordered: Sequence[Entrant], apart: AbstractSet[Pair]) -> Picked:
    """Which pictures a person has told apart from any other: few, whose pairs are looked up one by one."""
    named = {name for pair in apart for name in pair}
    return np.array([each.name in named for each in ordered], dtype=np.bool_)
