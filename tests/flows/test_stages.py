import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from blocks.errors import AccountRefused, SetupError
from flows.revise import revise
from tasks import studio
from tasks.brief import RevisionBrief
from tasks.brief_reading import read_brief
from tasks.progress import Progress, watching
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


@pytest.fixture
def one_by_one(workplace: Workplace) -> Workplace:
    """A workplace whose account works on one shot at a time."""
    scenario = workplace.scenario.model_copy(update={"max_in_flight": 1})
    return Workplace(workplace.archive, scenario, workplace.sunra, workplace.photograph)


def test_images_stand_in_the_order_of_the_plan(workplace: Workplace, sandbox: Sandbox) -> None:
    """However long each job takes, the result is in the order of prompts and seeds."""
    sandbox.fault("job_slow", match="red", seconds=0.5, times=None)
    result = workplace.run(workplace.brief(seeds=2))

    assert [image.position for image in result.images] == [0, 1, 2, 3]
    assert [image.prompt.text for image in result.images] == ["a red teapot"] * 2 + ["a blue teapot"] * 2


def test_shots_of_equal_key_are_one_shot(workplace: Workplace, sandbox: Sandbox) -> None:
    """An image that is named twice is edited once."""
    sha256 = workplace.run(workplace.brief()).images[0].sha256
    document = {"name": "night", "edits": [{"instruction": "Make it night."}]}
    brief = read_brief(document, RevisionBrief, shown_as="revision")
    result = revise([sha256, sha256[:12]], brief, **workplace.terms)

    assert (result.bought, len(result.images)) == (1, 1)
    assert len(sandbox.jobs("sunra")) == 1


def test_after_a_refusal_nothing_more_is_sent(one_by_one: Workplace, sandbox: Sandbox, started: Counter[str]) -> None:
    """No credit for one shot means none for the next: the run stops at once, and says it once."""
    sandbox.fault("submit_no_credit", provider="scenario", after=1, times=None)
    with pytest.raises(AccountRefused, match="no credit"):
        one_by_one.run(one_by_one.brief(seeds=3))

    assert len(sandbox.jobs()) == 1
    assert started == {"submit": 2, "collect": 1}
    assert sandbox.struck() == [1]


def test_what_the_budget_did_not_reach_for_is_told_apart(one_by_one: Workplace, started: Counter[str]) -> None:
    """One shot met the budget; those after it were never started, and say why."""
    result = one_by_one.run(one_by_one.brief(seeds=2, budget={"amount": "0.25", "unit": "CU"}))

    assert [failure.kind for failure in result.failures] == ["BudgetExhausted", "NotStarted", "NotStarted"]
    assert all(result.failures[0].message in failure.message for failure in result.failures)
    assert started == {"submit": 2, "collect": 1}


def test_progress_adds_up(workplace: Workplace, sandbox: Sandbox) -> None:
    """Whoever watches sees every shot begin and settle, the stages in order, and the money at the end."""
    sandbox.fault("job_fails", match="red", error="no")
    seen: list[Progress] = []
    with watching(seen.append):
        result = workplace.run(workplace.brief_with_edits())

    assert list(dict.fromkeys(count.stage for count in seen)) == [
        "generating",
        "edit 1 of 2",
        "edit 2 of 2",
        "archiving",
    ]
    last = seen[-1]
    assert (last.planned, last.made, last.failed, last.running) == (4, 3, 1, 0)
    assert last.spent == result.cost
    assert max(count.running for count in seen) == 2


class OneSlot:
    """Slots of a limit that is deleted while the run is at work."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(1)
        self.is_deleted = False

    async def __aenter__(self) -> None:
        await self.free.acquire()
        if self.is_deleted:
            self.free.release()
            raise SetupError("There is no such limit any more.")

    async def __aexit__(self, *_: object) -> None:
        self.is_deleted = True
        self.free.release()


def test_where_there_is_no_slot_what_was_bought_is_kept(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops with the reason, after it has archived and reported what it had bought."""
    slots = OneSlot()

    @asynccontextmanager
    async def open_one(*_: object) -> AsyncIterator[OneSlot]:
        yield slots

    monkeypatch.setattr(studio, "open_slots", open_one)
    with pytest.raises(SetupError, match="no such limit any more"):
        workplace.run(workplace.brief(seeds=2))

    assert len(sandbox.jobs()) == 1
    assert "no such limit any more" in (workplace.archive / "sheets/teapots/1/index.html").read_text(encoding="utf-8")

    monkeypatch.undo()
    assert workplace.run(workplace.brief(seeds=2)).bought == 3


def test_what_is_paid_for_waits_for_no_slot(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is known is collected though others have all slots: its link would die meanwhile."""
    sandbox.fault("job_slow", seconds=3, times=None)
    brief = workplace.brief(job_timeout_seconds=1)
    assert {failure.kind for failure in workplace.run(brief).failures} == {"JobTimedOut"}

    @asynccontextmanager
    async def open_none(*_: object) -> AsyncIterator[asyncio.Semaphore]:
        yield asyncio.Semaphore(0)

    monkeypatch.setattr(studio, "open_slots", open_none)
    assert len(workplace.run(workplace.brief()).images) == 2
