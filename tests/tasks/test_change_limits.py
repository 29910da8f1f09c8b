"""Edits held against the limits of their steps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BriefError
from tasks.brief import EditStep, RevisionBrief
from tasks.brief_reading import read_brief
from tasks.change_limits import Fault, fault_of, nearest
from tasks.measured import Drift


def step(**limits: Any) -> EditStep:
    return EditStep(instruction="Make it night.", **limits)


def drift(share: float, shift: float = 0.0) -> Drift:
    return Drift(changed_share=share, mean_change=share / 2, color_shift=shift)


@pytest.mark.parametrize(
    ("limits", "measured", "fault"),
    [
        ({}, drift(0.9), None),
        ({}, drift(0.001), Fault("no_change", 1.0, "changed nothing")),
        ({}, drift(0.001, shift=4), None),
        ({"min_change": 0}, drift(0), None),
        ({"min_change": 0.1}, drift(0), Fault("no_change", 1.0, "changed nothing, where at least 10 % may change")),
        ({"min_change": 0.1}, drift(0.1), None),
        ({"max_change": 0.5}, drift(0.5), None),
        (
            {"min_change": 0.25, "max_change": 0.5},
            drift(0.125),
            Fault(
                "too_little", 0.125, "changed 12.5 % of the picture, where at least 25 % and at most 50 % may change"
            ),
        ),
        (
            {"max_change": 0.25},
            drift(0.75),
            Fault("too_much", 0.5, "changed 75 % of the picture, where at most 25 % may change"),
        ),
        ({"min_change": 0.1, "max_change": 0.2}, None, None),
    ],
)
def test_an_edit_is_held_against_its_limits(limits: dict[str, float], measured: Drift | None, fault: Fault) -> None:
    """The limits are allowed themselves; a tint is a change of its own; what nobody measured is not at fault."""
    assert fault_of(step(**limits), measured) == fault


FAULTS = st.none() | st.builds(Fault, st.just("too_much"), st.floats(0.001, 1), st.just(""))


@given(st.lists(FAULTS, min_size=1, max_size=6))
def test_the_nearest_attempt_goes_on(faults: list[Fault | None]) -> None:
    """The first that is fine; if there is none, no other is nearer, and none before it is as near."""
    chosen = nearest(faults)
    if None in faults:
        assert chosen == faults.index(None)
        return
    distances = [fault.distance for fault in faults if fault is not None]
    assert distances[chosen] == min(distances)
    assert min(distances) not in distances[:chosen]


def test_limits_that_exclude_each_other_are_refused_with_their_place() -> None:
    """Nothing is bought for a step that no edit can satisfy."""
    edits = [{"instruction": "x"}, {"instruction": "y", "min_change": 0.5, "max_change": 0.2}]
    with pytest.raises(
        BriefError, match=r"edits\.1\.min_change: is 0\.5, which is more than max_change, 0\.2"
    ) as caught:
        read_brief({"name": "night", "edits": edits}, RevisionBrief, shown_as="brief")
    assert caught.value.where == "edits.1.min_change"
