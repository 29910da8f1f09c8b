"""How much an edit may change, held against how much it did: what is wrong with it, and which attempt comes nearest."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.brief import EditStep
from tasks.measured import Drift, DriftFlag

UNCHANGED_SHARE = 0.005
"""What changed less than this, and has no tint that one can see, has not changed at all."""

SEEN_DELTA_E = 2.3


class Fault(NamedTuple):
    """What is wrong with an edit, and by how much."""

    kind: DriftFlag
    distance: float
    """From 0 to 1: how far from what is allowed; an edit that changed nothing is the farthest of all."""
    reason: str


def fault_of(step: EditStep, drift: Drift | None) -> Fault | None:
    """Holds an edit against the limits of its step; None where it is fine, or nobody could measure it.

    An edit that changed nothing is at fault even where the step has no limits, unless its `min_change` is 0.
    """
    if drift is None:
        return None
    share = drift.changed_share
    if is_unchanged(drift) and step.min_change != 0:
        return Fault("no_change", 1.0, f"changed nothing{_bounds(step)}")
    if step.min_change is not None and share < step.min_change:
        return Fault("too_little", step.min_change - share, f"changed {_percent(share)} of the picture{_bounds(step)}")
    if step.max_change is not None and share > step.max_change:
        return Fault("too_much", share - step.max_change, f"changed {_percent(share)} of the picture{_bounds(step)}")
    return None


def is_unchanged(drift: Drift) -> bool:
    """Tells whether an edit gave back what it was given."""
    return drift.changed_share < UNCHANGED_SHARE and drift.color_shift < SEEN_DELTA_E


def nearest(faults: Sequence[Fault | None]) -> int:
    """Says which attempt goes on: the first that is fine, or else the first of those that are nearest to it."""
    distances = [0.0 if fault is None else fault.distance for fault in faults]
    fine = [place for place, fault in enumerate(faults) if fault is None]
    return fine[0] if fine else distances.index(min(distances))


def _bounds(step: EditStep) -> str:
    bounds = (("at least", step.min_change), ("at most", step.max_change))
    said = " and ".join(f"{name} {_percent(bound)}" for name, bound in bounds if bound is not None)
    return f", where {said} may change" if said else ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
