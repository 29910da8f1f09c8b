"""Campaigns that go on until they have a number of distinct pictures, with a sandbox whose seeds repeat."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from blocks.errors import AccountRefused
from deployments.sandbox.app import create_app
from deployments.sandbox.server import served
from flows.accounts import sandbox_credentials
from flows.deciding import decide
from flows.questions import plan_of
from tasks.brief import Brief
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

PROMPTS = "a {red|blue|green|white} {teapot|harbour|cat|castle}"
"""Sixteen."""

FEW = "a {red|blue} {teapot|harbour|cat|castle}"
"""Eight."""

SMALL = {"provider": "scenario", "width_px": 128, "height_px": 128, "steps": 1, "outputs": 4}
PRICE_CU = Decimal(1)
"""What the sandbox charges for a shot of four such pictures."""


class Place:
    """A workplace whose provider repeats itself."""

    def __init__(self, workplace: Workplace, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        scenario, _ = sandbox_credentials(sandbox.origin)
        self._workplace = replace(workplace, scenario=scenario.model_copy(update={"price_per_creative_unit": None}))

    def brief(self, target: int, **changes: Any) -> Brief:
        """A brief for that many distinct pictures."""
        terms = {"prompts": PROMPTS, "generate": SMALL, "target_unique": target, "dedupe": {"scope": "campaign"}}
        return self._workplace.brief(**{**terms, **changes})

    def run(self, brief: Brief, **terms: Any) -> CampaignResult:
        """Runs a campaign."""
        return self._workplace.run(brief, **terms)

    def ordered(self) -> list[tuple[str, int]]:
        """Prompt and seed of every shot that was bought."""
        return [(job["request"]["prompt"], job["request"]["seed"]) for job in self.sandbox.jobs()]

    @property
    def archive(self) -> Path:
        """Where the pictures are kept."""
        return self._workplace.archive

    @property
    def terms(self) -> dict[str, Any]:
        """The keywords that all flows share."""
        return self._workplace.terms


@pytest.fixture
def repeating(workplace: Workplace) -> Iterator[Callable[[float], Place]]:
    """Opens a workplace whose sandbox repeats a share of its pictures."""
    with ExitStack() as stack:

        def open_one(rate: float) -> Place:
            origin = stack.enter_context(served(create_app(latency_seconds=0.01, repeat_rate=rate)))
            client = stack.enter_context(httpx.Client(base_url=origin, timeout=30, trust_env=False))
            return Place(workplace, Sandbox(origin, client))

        yield open_one


def test_a_hundred_means_a_hundred(repeating: Callable[[float], Place]) -> None:
    """Where half of the seeds repeat, the rounds go on until 100 are distinct; the same brief again buys nothing."""
    place = repeating(0.5)

    first = place.run(place.brief(100))
    bought = place.ordered()
    again = place.run(place.brief(100))

    assert len(first.keepers) == first.rounds[-1].distinct >= 100
    assert (first.rounds[-1].ended_by, first.failures) == ("reached", ())
    assert [each.change for each in first.rounds][:2] == ["prompts", "seeds"]
    assert len(bought) == len(set(bought)) == first.bought < 100
    assert len({prompt for prompt, _ in bought[:16]}) == 16  # every prompt once, before any other seed
    positions = [image.position for image in first.images]
    assert positions == sorted(positions)
    assert sorted(set(positions)) == list(range(first.bought))
    assert place.ordered() == bought
    assert (again.rounds, again.images, again.bought) == (first.rounds, first.images, 0)
    assert again.verdicts == first.verdicts


def test_a_model_that_repeats_itself_is_left(repeating: Callable[[float], Place]) -> None:
    """At nine repeats of ten the floor ends the rounds: the result, the sheet and the page say so, with figures."""
    place = repeating(0.9)

    result = place.run(place.brief(100, min_yield=0.3))

    last = result.rounds[-1]
    assert last.ended_by == "yield"
    assert last.gained < 0.3 * last.paid
    assert last.message == (
        f"{len(result.keepers)} of 100: the last round gave {last.gained} distinct of {last.paid} paid pictures, "
        "below min_yield 0.3"
    )
    assert sum(each.paid for each in result.rounds) == len(result.images) <= 64 + 20
    assert last.message in Path(result.contact_sheet).read_text(encoding="utf-8")


def test_a_budget_ends_the_rounds_and_more_money_goes_on(repeating: Callable[[float], Place]) -> None:
    """What was paid is kept and told; with more money the campaign buys what it would have bought at once."""
    place, unhurried = repeating(0.5), repeating(0.5)

    poor = place.run(place.brief(28, prompts=FEW, budget={"amount": 5, "unit": "CU"}))
    still_poor = place.run(place.brief(28, prompts=FEW, budget={"amount": 5, "unit": "CU"}))
    rich = place.run(place.brief(28, prompts=FEW, budget={"amount": 100, "unit": "CU"}))
    at_once = unhurried.run(unhurried.brief(28, prompts=FEW), archive=unhurried.archive.with_name("other"))

    assert poor.bought == len(poor.images) / 4 == 5 / PRICE_CU
    assert poor.rounds[-1].message == f"{len(poor.keepers)} of 28: the budget is spent"
    assert (still_poor.bought, still_poor.rounds) == (0, poor.rounds)
    assert rich.rounds[-1].ended_by == "reached"
    assert sorted(place.ordered()) == sorted(unhurried.ordered())
    assert (rich.rounds, {image.sha256 for image in rich.images}) == (
        at_once.rounds,
        {image.sha256 for image in at_once.images},
    )


def test_a_run_that_was_stopped_goes_the_same_way_again(repeating: Callable[[float], Place]) -> None:
    """An account that is refused in the second round: the next run buys what is missing, and no shot twice."""
    place = repeating(0.5)
    place.sandbox.fault("submit_unauthorized", after=9)

    with pytest.raises(AccountRefused):
        place.run(place.brief(28, prompts=FEW))
    stopped_at = len(place.ordered())
    place.sandbox.clear_faults()
    result = place.run(place.brief(28, prompts=FEW))

    assert (result.reused, result.rounds[-1].ended_by) == (stopped_at, "reached")
    assert len(place.ordered()) == len(set(place.ordered())) == stopped_at + result.bought


def test_what_people_reject_is_not_bought_again(repeating: Callable[[float], Place], tmp_path: Path) -> None:
    """Taste comes after the rounds: to put a picture aside changes neither their course nor what they cost."""
    place = repeating(0.0)
    brief = place.brief(6, prompts="a teapot", generate={**SMALL, "outputs": 1}, seeds=6)
    first = place.run(brief)
    dull = first.images[0].sha256
    marked = {
        "kind": "kleinbild-decisions",
        "format": 1,
        "archive": json.loads((place.archive / "archive.json").read_bytes())["id"],
        "campaign": first.campaign,
        "edition": first.edition,
        "saved_at": datetime.now(UTC).isoformat(),
        "marks": [{"sha256": dull, "verdict": "reject"}],
    }
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps(marked), encoding="utf-8")
    asyncio.run(decide([file], place.archive))

    again = place.run(brief)

    assert [verdict.sha256 for verdict in again.rejected] == [dull]
    assert (again.bought, again.rounds) == (0, first.rounds)


def test_what_others_make_later_buys_nothing(repeating: Callable[[float], Place]) -> None:
    """Another campaign fills the archive with repeats of what this one made: its rounds are as they were.

    What was there before counts, as the archive is what new pictures are held against.
    """
    place = repeating(0.5)
    terms: dict[str, Any] = {"prompts": "a {red|blue} {teapot|cat}", "generate": {**SMALL, "outputs": 1}}
    brief = place.brief(6, **terms, min_yield=0, dedupe={"scope": "archive"})
    first = place.run(brief)
    place.run(place.brief(1, **terms, name="flood", seeds=8, seed=77, target_unique=None))
    bought = place.ordered()

    again = place.run(brief)
    late = place.run(place.brief(4, **terms, name="late", seed=78, min_yield=1, dedupe={"scope": "archive"}))

    assert (again.bought, again.rounds) == (0, first.rounds)
    assert place.ordered()[: len(bought)] == bought
    assert late.rounds[0].gained < late.rounds[0].paid


async def test_a_plan_says_what_the_target_costs_at_the_least(repeating: Callable[[float], Place]) -> None:
    """It prices as many pictures as are wanted, and their edits, however few prompts there are; it buys nothing."""
    place = repeating(0.5)
    brief = place.brief(100, edits=[{"instruction": "Make it night.", "provider": "sunra"}])

    plan = await plan_of(brief, **place.terms)

    assert plan.estimate.target_unique == 100
    assert [(line.stage, line.shots) for line in plan.estimate.lines] == [("generate", 25), ("edit 1", 100)]
    assert (len(plan.prompts), plan.already_made) == (16, 0)
    assert place.sandbox.jobs() == []


def test_shots_that_heal_move_nothing_that_was_paid(repeating: Callable[[float], Place]) -> None:
    """Failed shots that succeed in a later run change what rounds would deal; what was bought takes part instead."""
    place = repeating(0.5)
    brief = place.brief(36, prompts=FEW, generate={**SMALL, "outputs": 1})
    place.sandbox.fault("job_fails", provider="scenario", times=3, error=None, refund=True)

    first = place.run(brief)
    bought = place.ordered()
    again = place.run(brief)

    assert len(first.failures) == 3
    assert [each.change for each in first.rounds][:2] == ["prompts", "seeds"]
    assert len(place.ordered()) - len(bought) == again.bought == 3
    assert {image.sha256 for image in first.images} <= {image.sha256 for image in again.images}
