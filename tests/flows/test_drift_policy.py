"""What becomes of edits that changed more or less than their step allows."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from deployments.sandbox.pictures import editing
from flows.asking import reviewing
from tasks.brief import Brief
from tasks.models import Flagged
from tasks.review import Again, Answer, Question
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

NIGHT = "Make it night."


def guarded(workplace: Workplace, *edits: dict[str, Any], **changes: Any) -> Brief:
    """Two teapots and a chain of edits."""
    return workplace.brief(edits=[{"instruction": NIGHT, **each} for each in edits], edit="all", **changes)


def test_an_edit_in_its_range_is_not_flagged(workplace: Workplace, sandbox: Sandbox) -> None:
    """Every edit has its drift, and what keeps within its limits is left alone."""
    result = workplace.run(guarded(workplace, {"min_change": 0.2, "max_change": 1, "on_change": "stop"}))

    assert result.flagged == ()
    drifts = [image.drift for image in result.images]
    assert drifts[:2] == [None, None]
    assert all(drift is not None and drift.changed_share > 0.5 for drift in drifts[2:])
    assert len(sandbox.jobs("sunra")) == 2


def test_an_edit_that_changed_nothing_is_flagged_unasked(workplace: Workplace, sandbox: Sandbox) -> None:
    """Nobody has to think of a limit to learn that an edit did nothing; it goes on all the same."""
    sandbox.fault("job_unchanged", times=1, match="night")
    result = workplace.run(guarded(workplace, {}, {"instruction": "Add a frame."}))

    (flagged,) = result.flagged
    unchanged = next(image for image in result.images if image.sha256 == flagged.sha256)
    assert unchanged.drift is not None
    assert unchanged.drift.changed_share < 0.005
    assert flagged == Flagged(
        sha256=unchanged.sha256, step=1, kind="no_change", outcome="kept", reason="changed nothing"
    )
    assert unchanged.sha256 in {image.parent_sha256 for image in result.images if image.step == 2}


def test_a_retry_takes_the_place_of_what_changed_too_much(workplace: Workplace, sandbox: Sandbox) -> None:
    """The new seed's picture goes on, the first attempt stays archived as its sibling; a re-run buys nothing."""
    sandbox.fault("job_replaced", times=1, match="frame")
    brief = guarded(
        workplace,
        {"instruction": "Add a frame.", "max_change": 0.6, "on_change": "retry"},
        {"instruction": "Add another frame.", "max_change": 0.6},
        prompts="a red teapot",
    )
    result = workplace.run(brief)
    first, again = (image for image in result.images if image.step == 1)

    assert first.parent_sha256 == again.parent_sha256
    assert first.request.prompt == again.request.prompt
    assert first.request.seed != again.request.seed
    assert [image.parent_sha256 for image in result.images if image.step == 2] == [again.sha256]
    assert [(each.sha256, each.kind, each.outcome) for each in result.flagged] == [
        (first.sha256, "too_much", "replaced")
    ]
    assert (result.bought, len(sandbox.jobs("sunra"))) == (4, 3)

    repeated = workplace.run(brief)
    assert (repeated.bought, len(sandbox.jobs("sunra"))) == (0, 3)
    assert repeated.images == result.images
    assert repeated.flagged == result.flagged


def test_the_nearest_attempt_goes_on_where_none_fits(workplace: Workplace, sandbox: Sandbox) -> None:
    """After the last retry the attempt that is nearest to the range goes on, flagged; the others are left."""
    sandbox.fault("job_unchanged", times=1, match="frame")
    sandbox.fault("job_replaced", after=1, times=1, match="frame")
    limits = {"min_change": 0.01, "max_change": 0.02, "on_change": "retry", "retries": 2}
    brief = guarded(workplace, {"instruction": "Add a frame.", **limits}, {"min_change": 0}, prompts="a red teapot")
    result = workplace.run(brief)
    shares = {image.sha256: image.drift.changed_share for image in result.images if image.step == 1 and image.drift}
    (followed,) = {image.parent_sha256 for image in result.images if image.step == 2}

    assert len(shares) == 3
    outcomes = {each.sha256: each.outcome for each in result.flagged}
    nearest = min((share, sha256) for sha256, share in shares.items() if share > 0.02)[1]
    assert (followed, outcomes[nearest]) == (nearest, "kept")
    assert Counter(outcomes.values()) == {"kept": 1, "replaced": 2}
    (kept,) = (each for each in result.flagged if each.outcome == "kept")
    assert kept.reason.endswith("where at least 1 % and at most 2 % may change; the nearest of 3 attempts")


def test_a_chain_stops_alone(workplace: Workplace, sandbox: Sandbox) -> None:
    """`stop` ends the chain of the picture that changed too much; the other one's goes on."""
    sandbox.fault("job_replaced", times=1, match="frame")
    brief = guarded(
        workplace, {"instruction": "Add a frame.", "max_change": 0.6, "on_change": "stop"}, {"min_change": 0}
    )
    result = workplace.run(brief)

    (flagged,) = result.flagged
    assert (flagged.kind, flagged.outcome) == ("too_much", "stopped")
    assert flagged.reason.endswith("where at most 60 % may change; its chain ends here")
    edited = [image.sha256 for image in result.images if image.step == 1]
    assert len(edited) == 2
    assert [image.parent_sha256 for image in result.images if image.step == 2] == [
        sha256 for sha256 in edited if sha256 != flagged.sha256
    ]


def test_a_budget_holds_for_retries(workplace: Workplace, sandbox: Sandbox) -> None:
    """What a retry costs is reserved as any shot is; without money the first attempt goes on."""
    sandbox.fault("job_replaced", times=None, match="night")
    scenario = workplace.scenario.model_copy(update={"price_per_creative_unit": Decimal("0.01"), "currency": "USD"})
    brief = guarded(
        workplace,
        {"max_change": 0.5, "on_change": "retry", "retries": 5},
        prompts="a red teapot",
        budget={"amount": "0.03", "unit": "USD"},
    )
    result = workplace.run(brief, scenario=scenario)

    edits = [image for image in result.images if image.step == 1]
    assert len(edits) == len(sandbox.jobs("sunra")) == 2
    assert [failure.kind for failure in result.failures] == ["BudgetExhausted"]
    assert Counter(each.outcome for each in result.flagged)["kept"] == 1


@pytest.mark.parametrize("on_change", ["flag", "retry", "stop"])
def test_limits_of_a_step_change_no_first_attempt(workplace: Workplace, sandbox: Sandbox, on_change: str) -> None:
    """A limit that is added later finds what was bought without it."""
    first = workplace.run(guarded(workplace, {}))
    again = workplace.run(guarded(workplace, {"min_change": 0.01, "on_change": on_change}))

    assert (again.bought, again.images) == (0, first.images)
    assert len(sandbox.jobs("sunra")) == 2


def test_a_review_asks_about_the_attempt_that_goes_on(workplace: Workplace, sandbox: Sandbox) -> None:
    """What a retry replaced is not asked about, nor edited; what a person had made again is flagged, and goes on."""
    sandbox.fault("job_replaced", times=1, match="frame")
    sandbox.fault("job_unchanged", times=1, match="border")
    brief = guarded(
        workplace,
        {"instruction": "Add a frame.", "max_change": 0.6, "on_change": "retry"},
        {"min_change": 0},
        prompts="a red teapot",
    )
    asked: list[list[str]] = []

    def person(question: Question) -> Answer:
        asked.append([each.image.sha256 for each in question.asked])
        again = (Again(number=question.asked[0].label, prompt="Add a border."),)
        return Answer(again=again) if (question.step, question.round) == (1, 1) else Answer()

    with reviewing(person):
        result = workplace.run(brief, review=True)

    replaced, retried, bordered = (image.sha256 for image in result.images if image.step == 1)
    assert asked[1:] == [[retried], [bordered]]
    assert [image.parent_sha256 for image in result.images if image.step == 2] == [bordered]
    assert [(each.sha256, each.kind, each.outcome) for each in result.flagged] == [
        (replaced, "too_much", "replaced"),
        (bordered, "no_change", "kept"),
    ]


def test_bytes_that_come_back_are_an_edit_that_changed_nothing(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit that is its own parent, byte for byte, is flagged each time: its record is that of the parent."""
    monkeypatch.setattr(editing, "finished", lambda picture, *_: picture)
    sandbox.fault("job_unchanged", times=1, match="night")
    brief = guarded(workplace, {}, prompts="a red teapot")
    first = workplace.run(brief)
    again = workplace.run(brief)

    assert len({image.sha256 for image in first.images}) == 1
    assert [(each.kind, each.outcome) for each in first.flagged] == [("no_change", "kept")]
    assert (again.flagged, again.bought) == (first.flagged, 0)
