"""Recurring campaigns: each night new pictures, no night twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Scheduled

from flows.campaign import campaign
from tasks.brief import Brief
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

LAST_NIGHT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
THE_NIGHT_BEFORE = LAST_NIGHT - timedelta(days=1)


async def scheduled(
    workplace: Workplace, moment: datetime, brief: Brief, edition: str = "daily@Europe/Berlin"
) -> CampaignResult:
    """Runs a campaign as a worker does, in a flow run that was scheduled for a moment."""
    parameters = {"brief": brief, "edition": edition}
    async with get_client() as client:
        run = await client.create_flow_run(campaign, parameters={}, state=Scheduled(scheduled_time=moment))
    result: CampaignResult = await run_flow(campaign, flow_run=run, parameters={**workplace.terms, **parameters})
    return result


def seeds_of(result: CampaignResult) -> set[int | None]:
    return {image.request.seed for image in result.images}


def bodies(sandbox: Sandbox) -> list[Any]:
    return [job["request"] for job in sandbox.jobs()]


async def test_each_night_draws_new_seeds_and_buys_no_shot_twice(workplace: Workplace, sandbox: Sandbox) -> None:
    """The edition is the night that the run was scheduled for, so nights share nothing; a night run again is free."""
    brief = workplace.brief(edits=[{"instruction": "Make it blue."}], edit="all")
    first = await scheduled(workplace, THE_NIGHT_BEFORE, brief)
    second = await scheduled(workplace, LAST_NIGHT, brief)

    assert (first.edition, second.edition) == ("2026-11-19", "2026-11-20")
    assert (first.bought, second.bought) == (4, 4)
    assert seeds_of(first).isdisjoint(seeds_of(second))
    assert len(bodies(sandbox)) == 8
    assert all(bodies(sandbox).count(body) == 1 for body in bodies(sandbox))

    again = await scheduled(workplace, THE_NIGHT_BEFORE + timedelta(minutes=40), brief)

    assert (again.edition, again.bought, again.reused) == ("2026-11-19", 0, 4)
    assert again.images == first.images
    assert len(bodies(sandbox)) == 8


async def test_a_night_is_judged_against_the_nights_before(workplace: Workplace) -> None:
    """A recurring campaign that repeats itself is told so: what the archive has counts. Some seeds repeat here."""
    brief = workplace.brief(prompts="a teapot", seeds=30)
    first = await scheduled(workplace, THE_NIGHT_BEFORE, brief)
    second = await scheduled(workplace, LAST_NIGHT, brief)
    kept_before = {image.sha256 for image in first.keepers}

    repeats = [verdict for verdict in second.duplicates if verdict.keeper_sha256 in kept_before]
    assert repeats
    assert all(verdict.reason.startswith(f"duplicate of {verdict.keeper_sha256[:8]}") for verdict in repeats)


async def test_an_hourly_run_that_is_late_is_still_the_edition_of_its_hour(workplace: Workplace) -> None:
    """A worker that was down makes up for its hours, and does not mix them."""
    hour = LAST_NIGHT.replace(hour=7, minute=5)
    brief = workplace.brief()
    results = [await scheduled(workplace, hour + timedelta(hours=late), brief, "hourly") for late in (0, 1)]

    assert [result.edition for result in results] == ["2026-11-20T07", "2026-11-20T08"]
