"""The leaders of a grouping: an index over them that grows, and for each picture the nearest one so far."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tasks.likeness import HOW, Alikeness, Candidates, Likenesses, Resemblance
from tasks.signature import Packed

Places = NDArray[np.int64]
"""Shape (n,): where pictures stand in the canonical order."""


class Leaders:
    """Leaders, by their places, and an index over them."""

    def __init__(self, rows: Packed, alike: Alikeness, workers: int) -> None:
        self._rows, self._alike, self._workers = rows, alike, workers
        self._parts: list[tuple[Places, Candidates]] = []

    @classmethod
    def of(cls, places: Places, rows: Packed, alike: Alikeness, workers: int) -> "Leaders":
        """Makes an index over some leaders alone."""
        leaders = cls(rows, alike, workers)
        leaders.add(places)
        return leaders

    def add(self, places: Places) -> None:
        """Adds leaders; an index that has become as small as what is added is made anew together with it."""
        while self._parts and len(self._parts[-1][0]) <= len(places):
            places = np.concatenate([self._parts.pop()[0], places])
        if len(places):
            self._parts.append((places, Candidates.of(self._rows[places], self._alike)))

    def like(self, places: Places) -> Likenesses:
        """Finds the leaders that each of these pictures is like; the pairs are of places."""
        if self._workers == 1:
            return Likenesses.of(self._like(places))
        chunks = [chunk for chunk in np.array_split(places, self._workers) if len(chunk)]
        with ThreadPoolExecutor(self._workers) as pool:
            found = list(pool.map(self._like, chunks))
        return Likenesses.of([each for part in found for each in part])

    def _like(self, places: Places) -> list[Likenesses]:
        rows = self._rows[places]
        return [
            found._replace(new=places[found.new], known=leaders[found.known])
            for leaders, candidates in self._parts
            for found in (candidates.within(rows),)
        ]


class Nearest:
    """For each place the nearest leader of one kind so far; -1: none."""

    def __init__(self, count: int) -> None:
        self.leaders = np.full(count, -1, dtype=np.int64)
        self._distances_bits = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
        self._hows = np.zeros(count, dtype=np.uint8)

    def note(self, found: Likenesses) -> None:
        """Takes in further pairs."""
        order = np.lexsort((found.known, found.distance_bits, found.new))
        order = order[np.diff(found.new[order], prepend=-1) != 0]
        new, known = found.new[order], found.known[order]
        distance_bits, how = found.distance_bits[order], found.how[order]
        before = self._distances_bits[new]
        nearer = (distance_bits < before) | ((distance_bits == before) & (known < self.leaders[new]))
        self.leaders[new[nearer]] = known[nearer]
        self._distances_bits[new[nearer]] = distance_bits[nearer]
        self._hows[new[nearer]] = how[nearer]

    def found(self, places: Places) -> Likenesses:
        """Says again what is known of places that have a leader."""
        return Likenesses(places, self.leaders[places], self._distances_bits[places], self._hows[places])

    def resemblance(self, place: int) -> Resemblance:
        """How near the leader of one place is, and in what way."""
        return Resemblance(int(self._distances_bits[place]), HOW[self._hows[place]])
