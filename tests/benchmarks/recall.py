"""How many of the true pairs a rule finds, at the widest threshold where nearly all pairs that it names are true."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_PRECISION = 0.99

Distances = NDArray[np.int64]


class Judged(NamedTuple):
    """The distances that a rule gives to pairs: which are true, and which are not. Shapes (changes, n) and (m,)."""

    name: str
    of_true: dict[str, Distances]
    of_false: Distances
    of_seeds: Distances
    """Those of the false ones that are hardest: pictures of one prompt by different seeds."""

    def recall(self, threshold_bits: int, changes: Sequence[str] | None = None) -> float:
        """Share of the true pairs that is found; of some changes, or of all."""
        return share_within(self._true(changes), threshold_bits)

    def precision(self, threshold_bits: int) -> float:
        """Share of the pairs found that are true; 1 if there are none."""
        true = int((self._true() <= threshold_bits).sum())
        false = int((self.of_false <= threshold_bits).sum())
        return true / (true + false) if true + false else 1.0

    def seeds_merged(self, threshold_bits: int) -> float:
        """Share of the pairs of one prompt by different seeds that are taken for the same picture."""
        return share_within(self.of_seeds, threshold_bits)

    def widest(self, least_precision: float = LEAST_PRECISION) -> int | None:
        """The widest threshold that is precise enough, and so is each smaller one; None where not even 0 is."""
        widest = None
        for threshold_bits in range(int(max(self._true().max(), 0)) + 1):
            if self.precision(threshold_bits) < least_precision:
                break
            widest = threshold_bits
        return widest

    def _true(self, changes: Sequence[str] | None = None) -> Distances:
        return np.concatenate([self.of_true[change] for change in (self.of_true if changes is None else changes)])


def share_within(distances: Distances, threshold_bits: int) -> float:
    """Share of the distances that are not above a threshold; 0 of none."""
    return float((distances <= threshold_bits).mean()) if len(distances) else 0.0
