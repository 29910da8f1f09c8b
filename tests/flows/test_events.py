import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, tags
from prefect.client.orchestration import get_client
from prefect.events.clients import AssertingEventsClient
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker
from prefect.runtime import flow_run
from prefect.settings import PREFECT_SERVER_EVENTS_MAXIMUM_SIZE_BYTES, temporary_settings

from blocks.errors import AccountRefused, BudgetExhausted, KleinbildError, NotStarted
from blocks.provider import Money
from flows import events
from flows.events import tell_completed, tell_failure, tell_review_waiting
from tasks.models import CampaignResult, Cost, Failure, Verdict
from tasks.studio import RunIdentity
from tests.images import image_record

ROOT = Path(__file__).parents[2]
RUN = RunIdentity(campaign="teapots", edition="2026-11-20", run_id="r")


@pytest.fixture
def sent() -> Iterator[list[Event]]:
    """The events of ours that Prefect's sender was handed, in order, once `collect` has waited for it."""
    EventsWorker.set_client_override(AssertingEventsClient)
    for client in AssertingEventsClient.all:  # one sender serves all tests
        client.events.clear()
    yield []
    EventsWorker.set_client_override(None)


async def collect(sent: list[Event]) -> None:
    """Waits until the sender has nothing left to do."""
    await asyncio.to_thread(EventsWorker.instance().wait_until_empty)
    for client in AssertingEventsClient.all:
        sent += [event for event in client.events if event.event.startswith("kleinbild.")]


def result(keepers: int = 2, failures: tuple[Failure, ...] = ()) -> CampaignResult:
    names = [f"{number:064x}" for number in range(keepers + 1)]
    images = tuple(image_record(sha256=name, campaign="teapots", edition="2026-11-20") for name in names)
    kinds = [*["keeper"] * keepers, "duplicate"]
    verdicts = [
        {"sha256": name, "kind": kind, "keeper_sha256": names[0], "distance_bits": 0, "reason": ""}
        for name, kind in zip(names, kinds, strict=True)
    ]
    return CampaignResult(
        campaign="teapots",
        edition="2026-11-20",
        archive="/data/archive",
        images=images,
        verdicts=tuple(Verdict.model_validate(each) for each in verdicts),
        failures=failures,
        bought=3,
        reused=0,
        cost=Cost.of([Money(amount=Decimal("0.09"), unit="USD")]),
        contact_sheet="/data/archive/sheets/teapots/index.html",
    )


def failure(kind: str, message: str) -> Failure:
    return Failure(shot_key="0" * 64, prompt="a pot", step=0, kind=kind, message=message)


async def test_a_campaign_tells_what_it_made(sent: list[Event]) -> None:
    """Whoever follows has all that a next flow needs: where the archive is, what was kept, what it cost."""

    @flow
    async def run() -> str:
        tell_completed(result(), "Tea\nfor two", "http://127.0.0.1:4300/index.html?X-Amz-Signature=secret")
        return str(flow_run.id)

    with tags("team-a"):
        run_id = await run()
    await collect(sent)

    [event] = sent
    assert event.event == "kleinbild.campaign.completed"
    assert event.resource.model_dump() == {
        "prefect.resource.id": "kleinbild.campaign.teapots",
        "prefect.resource.name": "teapots",
        "kleinbild.edition": "2026-11-20",
    }
    assert event.payload == {
        "campaign": "teapots",
        "edition": "2026-11-20",
        "title": "Tea for two",
        "archive": "/data/archive",
        "contact_sheet": "http://127.0.0.1:4300/index.html",
        "pictures": 3,
        "keeper_count": 2,
        "keepers": [f"{0:064x}", f"{1:064x}"],
        "duplicates": 1,
        "rejected": 0,
        "failed": 0,
        "bought": 3,
        "reused": 0,
        "cost": "0.09 USD",
    }
    related = {(each.role, each.id) for each in event.related}
    assert {("flow-run", f"prefect.flow-run.{run_id}"), ("tag", "prefect.tag.team-a")} <= related


async def test_a_budget_that_did_not_reach_is_told_once(sent: list[Event]) -> None:
    """Many shots may have met it; whoever raises it is told once, after the campaign itself."""
    stopped = failure("BudgetExhausted", "The next shot would pass 1 USD.")
    left_out = failure("NotStarted", "Not bought.")

    @flow
    async def run() -> None:
        tell_completed(result(failures=(stopped, left_out, stopped)), "Tea", "/x")

    await run()
    await collect(sent)

    assert [event.event for event in sent] == ["kleinbild.campaign.completed", "kleinbild.budget.exhausted"]
    assert sent[0].payload["failed"] == 3
    assert sent[1].payload == {
        "campaign": "teapots",
        "edition": "2026-11-20",
        "message": "The next shot would pass 1 USD.",
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            AccountRefused("HTTP 402: no credit. See https://host/pay?token=secret", provider="sunra", status_code=402),
            [
                (
                    "kleinbild.account.failed",
                    {
                        "campaign": "teapots",
                        "edition": "2026-11-20",
                        "provider": "sunra",
                        "kind": "AccountRefused",
                        "message": "HTTP 402: no credit. See https://host/pay",
                    },
                )
            ],
        ),
        (
            BudgetExhausted("The month's cap is reached."),
            [
                (
                    "kleinbild.budget.exhausted",
                    {"campaign": "teapots", "edition": "2026-11-20", "message": "The month's cap is reached."},
                )
            ],
        ),
        (NotStarted("The run was stopped."), []),
    ],
)
async def test_what_somebody_can_mend_is_told(
    sent: list[Event], error: KleinbildError, told: list[tuple[str, dict[str, Any]]]
) -> None:
    """An account or a budget has an owner outside of the run; no signature of a link goes out with it."""

    @flow
    async def run() -> None:
        tell_failure(error, RUN)

    await run()
    await collect(sent)

    assert [(event.event, event.payload) for event in sent] == told


async def test_a_run_that_waits_for_a_person_says_so(sent: list[Event]) -> None:
    """Enough for a message with a link."""

    @flow
    async def run() -> None:
        tell_review_waiting(RUN, "Tea", question="Which ones?", pictures=12, contact_sheet="http://127.0.0.1/x")

    await run()
    await collect(sent)

    assert [(event.event, event.payload) for event in sent] == [
        (
            "kleinbild.review.waiting",
            {
                "campaign": "teapots",
                "edition": "2026-11-20",
                "title": "Tea",
                "question": "Which ones?",
                "pictures": 12,
                "contact_sheet": "http://127.0.0.1/x",
            },
        )
    ]


async def test_a_large_campaign_fits_into_an_event(sent: list[Event]) -> None:
    """A thousand keepers are named, and all are counted: the event stays far below Prefect's limit."""

    @flow
    async def run() -> None:
        tell_completed(result(keepers=1500), "Tea", "/x")

    await run()
    await collect(sent)

    [event] = sent
    assert event.payload["keeper_count"] == 1500
    assert event.payload["keepers"] == [f"{number:064x}" for number in range(1000)]
    assert len(json.dumps(event.payload)) < 100_000


async def test_an_event_never_fails_a_run(sent: list[Event]) -> None:
    """Where somebody has lowered Prefect's limit the event is left out, and the run goes on."""

    @flow
    async def run() -> str:
        with temporary_settings({PREFECT_SERVER_EVENTS_MAXIMUM_SIZE_BYTES: 10}):
            tell_review_waiting(RUN, "Tea", question="?", pictures=1, contact_sheet="/x")
        return "went on"

    assert await run() == "went on"
    await collect(sent)
    assert sent == []


def test_outside_of_runs_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain call starts no server for the sake of an event."""
    emitted: list[Any] = []
    monkeypatch.setattr(events, "emit_event", lambda **event: emitted.append(event))

    tell_failure(BudgetExhausted("It is spent."), RUN)

    assert emitted == []


TELLS = """
from prefect import flow
from prefect.runtime import flow_run

from blocks.errors import BudgetExhausted
from flows.events import tell_failure
from tasks.studio import RunIdentity

@flow
def run():
    tell_failure(BudgetExhausted("It is spent."), RunIdentity(campaign="arrives", edition="1", run_id="r"))
    print("run", flow_run.id)

run()
"""


async def test_an_event_arrives_at_the_server(prefect_server: str) -> None:
    """The whole way once, from a process of its own: through Prefect's sender into the store of automations."""
    environment = {**os.environ, "PREFECT_API_URL": prefect_server, "PYTHONPATH": str(ROOT)}
    told = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", TELLS], env=environment, capture_output=True, text=True, timeout=100
    )
    assert told.returncode == 0, told.stderr
    run_id = told.stdout.split("run ")[-1].strip()

    query = {"filter": {"event": {"name": ["kleinbild.budget.exhausted"]}, "order": "DESC"}, "limit": 50}
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30), get_client() as client:
        while not found:
            page = (await client.request("POST", "/events/filter", json=query)).json()
            found = [each for each in page["events"] if each["payload"]["campaign"] == "arrives"]
            await asyncio.sleep(0.1)

    [event] = found
    assert event["resource"]["prefect.resource.id"] == "kleinbild.campaign.arrives"
    assert f"prefect.flow-run.{run_id}" in {each["prefect.resource.id"] for each in event["related"]}
