"""What the server does by itself: tried on a real one, with seconds for minutes and hours."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Scheduled, Suspended

from deployments.automations import MAX_STARTS, Terms, automations
from deployments.deploy import kept_notifications, put_automation
from deployments.work_pools import POOL
from tests.deployments.live.listening import Webhook, listening
from tests.deployments.live.operating import Operator, eventually, table
from tests.deployments.live.runs import bought, ids, in_state, run_to_its_end, runs_of, started, tell

pytestmark = pytest.mark.timeout(300)  # a server and a worker, on a machine that may be busy

KEEPERS = ["ab" * 32, "cd" * 32]
SHORT = Terms(late=timedelta(seconds=10), silent=timedelta(seconds=10), reconcile_after=timedelta(0))
"""Prefect waits ten seconds at the least for what does not happen."""


@pytest.fixture
async def short_automations(client: PrefectClient) -> None:
    """Our automations, with seconds for minutes and hours."""
    for automation in automations(await ids(client), terms=SHORT):
        await put_automation(client, automation)


@pytest.mark.usefixtures("short_automations", "worker_elsewhere")
async def test_a_run_whose_machine_dies_is_finished_elsewhere(client: PrefectClient, sandbox_url: str) -> None:
    """It gives no sign of life, goes back to the queue, and a worker finishes it without buying anything again."""
    await run_to_its_end(client, "campaign/on-demand")
    paid = bought(sandbox_url)
    await client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
    dead = await client.create_flow_run_from_deployment((await ids(client))["campaign/on-demand"])
    await started(client, dead)  # and killed before its first heartbeat
    assert (await in_state(client, dead, "AwaitingRetry")).run_count == 1

    await client.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))
    finished = await in_state(client, dead, "Completed")

    assert finished.run_count == 2
    states = [state.name for state in await client.read_flow_run_states(dead.id)]
    assert [name for name in states if name in {"Crashed", "AwaitingRetry", "Completed"}] == [
        "Crashed",
        "AwaitingRetry",
        "Completed",
    ]
    assert bought(sandbox_url) == paid


async def heartbeat(client: PrefectClient, run: FlowRun) -> None:
    """Sends what the engine of a run sends every 30 seconds; its thread ends a while after the run was suspended."""
    deployment = await client.read_deployment(run.deployment_id) if run.deployment_id else None
    related = [
        {"prefect.resource.id": f"prefect.deployment.{run.deployment_id}", "prefect.resource.role": "deployment"},
        *(
            {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
            for tag in (deployment.tags if deployment else [])
        ),
    ]
    await tell("prefect.flow-run.heartbeat", {"prefect.resource.id": f"prefect.flow-run.{run.id}"}, {}, related)


@pytest.mark.usefixtures("short_automations", "nobody_works")
async def test_a_late_heartbeat_wakes_no_run_that_waits(client: PrefectClient) -> None:
    """A run that was suspended for a review, or is back in the queue, is not marked when a last heartbeat trails in."""
    on_demand = (await ids(client))["campaign/on-demand"]
    suspended, queued, running = [await client.create_flow_run_from_deployment(on_demand) for _ in range(3)]
    for run in (suspended, queued, running):
        await started(client, run)
    await client.set_flow_run_state(suspended.id, Suspended(timeout_seconds=3600, pause_key="review"))
    await client.set_flow_run_state(queued.id, Crashed())
    await in_state(client, queued, "AwaitingRetry")
    await client.set_flow_run_state(queued.id, Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1)))
    for run in (suspended, queued, running):
        await heartbeat(client, run)

    await in_state(client, running, "AwaitingRetry")  # noticed by the same trigger, at the same time

    states = [state.name for state in await client.read_flow_run_states(running.id)]
    since_it_began = states[states.index("Running") :]  # on a busy machine it was late before
    assert since_it_began == ["Running", "Silent", "Crashed", "AwaitingRetry"]
    assert (await client.read_flow_run(suspended.id)).state_name == "Suspended"
    assert (await client.read_flow_run(queued.id)).state_name == "Scheduled"


@pytest.mark.usefixtures("short_automations", "nobody_works")
async def test_a_run_that_nobody_starts_is_left_out(client: PrefectClient) -> None:
    """Catching up after downtime is bounded; reconcile is not troubled by what has never run."""
    before = {run.id for run in await runs_of(client, "reconcile/hourly")}
    late = await client.create_flow_run_from_deployment((await ids(client))["campaign/on-demand"])

    cancelled = await in_state(client, late, "Cancelled")

    assert cancelled.state is not None
    assert cancelled.state.message == "No worker was there for 10 s: this edition is left out."
    states = await client.read_flow_run_states(late.id)
    assert [state.name for state in states] == ["Scheduled", "Late", "Cancelled"]
    assert {run.id for run in await runs_of(client, "reconcile/hourly") if not run.auto_scheduled} <= before


@pytest.fixture
async def patient_automations(client: PrefectClient) -> None:
    """Our automations as they are, but for the time until what is left is reconciled."""
    for automation in automations(await ids(client), terms=Terms(reconcile_after=SHORT.reconcile_after)):
        await put_automation(client, automation)


@pytest.mark.usefixtures("patient_automations", "nobody_works")
async def test_a_run_that_crashes_for_ever_is_given_up(client: PrefectClient) -> None:
    """It starts six times at most; then what it left open is reconciled instead."""
    before = {run.id for run in await runs_of(client, "reconcile/hourly")}
    run = await client.create_flow_run_from_deployment((await ids(client))["campaign/on-demand"])

    async def reconciled() -> FlowRun | None:
        made = [each for each in await runs_of(client, "reconcile/hourly") if not each.auto_scheduled]
        return next((each for each in made if each.id not in before), None)

    for starts in range(1, MAX_STARTS + 1):
        await started(client, run)
        await client.set_flow_run_state(run.id, Crashed())
        if starts < MAX_STARTS:
            await in_state(client, run, "AwaitingRetry")

    made = await eventually(reconciled)
    given_up = await client.read_flow_run(run.id)
    assert (given_up.state_name, given_up.run_count) == ("Crashed", MAX_STARTS)
    assert made.created_by is not None
    assert made.created_by.type == "AUTOMATION"


@pytest.mark.usefixtures("nobody_works")
async def test_a_campaign_can_be_followed_by_a_revision_of_its_keepers(client: PrefectClient) -> None:
    """The example does what it says once it is switched on: the event's keepers become the revision's images."""
    example = next(each for each in await client.read_automations() if "example" in each.name)
    assert not example.enabled
    await client.resume_automation(example.id)

    kept = {"teapots": ["0" * 64], "coffee-house-by-night": ["1" * 64], "coffee-house": KEEPERS}

    async def followers() -> list[FlowRun] | None:
        # Told again and again: an automation that has just been switched on is not awake at once.
        for name, keepers in kept.items():
            payload = {"keepers": keepers, "edition": "2026-11-20", "campaign": name}
            resource = {"prefect.resource.id": f"kleinbild.campaign.{name}"}
            await tell("kleinbild.campaign.completed", resource, payload, [])
        await asyncio.sleep(1)
        return await runs_of(client, "revise/on-demand") or None

    runs = await eventually(followers)
    await client.pause_automation(example.id)

    expected = {
        "images": KEEPERS,
        "edition": "2026-11-20",
        "brief": {"name": "coffee-house-by-night", "instructions": ["Make it night."]},
    }
    assert [run.parameters for run in runs] == [expected] * len(runs)


@pytest.mark.usefixtures("nobody_works")
async def test_a_finished_campaign_may_be_exported(client: PrefectClient) -> None:
    """Off as it ships; switched on, each finished edition of any campaign is exported by its own name."""
    (exporting,) = [each for each in await client.read_automations() if "export each finished" in each.name]
    assert not exporting.enabled
    await client.resume_automation(exporting.id)

    payload = {"keepers": KEEPERS, "edition": "2026-11-20", "campaign": "teapots"}

    async def follower() -> FlowRun | None:
        # Told again and again: an automation that has just been switched on is not awake at once.
        await tell("kleinbild.campaign.completed", {"prefect.resource.id": "kleinbild.campaign.teapots"}, payload, [])
        await asyncio.sleep(1)
        made = await runs_of(client, "export/on-demand")
        return made[0] if made else None

    run = await eventually(follower)
    await client.pause_automation(exporting.id)

    assert run.parameters == {"campaign": "teapots", "edition": "2026-11-20"}


async def test_people_are_told(at_work: Operator, client: PrefectClient) -> None:
    """With `--notify`, what needs a person reaches one; the text of a provider calls nobody and hides no link."""
    with listening(Webhook) as (address, messages):
        block = CustomWebhookNotificationBlock(
            name="team", url=address, json_data={"subject": "{{subject}}", "body": "{{body}}"}
        )
        await block.asave("team", overwrite=True)
        done = at_work.python("deployments.deploy", "--notify", "custom-webhook/team")
        assert "Nobody is notified" not in done.stdout
        outcomes = {name: outcome for name, (outcome, _) in table(done.stdout).items() if "tell people" in name}
        assert list(outcomes.values()) == ["created"] * 4
        assert {each.name for each in await kept_notifications(client)} == set(outcomes)

        campaign = {"prefect.resource.id": "kleinbild.campaign.teapots"}
        said = {"campaign": "teapots", "edition": "1", "message": "2 USD are spent. <!channel> @all"}
        await tell("kleinbild.budget.exhausted", campaign, said, [])
        run = await client.create_flow_run_from_deployment((await ids(client))["campaign/on-demand"])
        await client.set_flow_run_state(run.id, Crashed(message="No module named 'flows'"))

        async def two() -> list[dict[str, str]] | None:
            return messages if len(messages) >= 2 else None

        budget, crash = await eventually(two)

    assert budget == {
        "subject": "Budget used up: teapots, edition 1",
        "body": "2 USD are spent. ‹!channel> ＠all",
    }
    assert crash["subject"] == f"{run.name}: Crashed"
    assert crash["body"].startswith("No module named 'flows'\nhttp://127.0.0.1:")
    assert str(run.id) in crash["body"]
