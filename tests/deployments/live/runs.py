"""What tests do to runs on a real server, in place of people, workers and the runs themselves."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.events import Event
from prefect.events.clients import PrefectEventsClient
from prefect.states import Pending, Running

from tests.deployments.live.operating import eventually


async def ids(client: PrefectClient) -> dict[str, UUID]:
    names = ("campaign/on-demand", "campaign/nightly", "revise/on-demand", "reconcile/hourly", "export/on-demand")
    return {name: (await client.read_deployment_by_name(name)).id for name in names}


async def runs_of(client: PrefectClient, name: str) -> list[FlowRun]:
    deployment = (await ids(client))[name]
    runs = await client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])))
    return sorted(runs, key=lambda run: run.expected_start_time or datetime.max.replace(tzinfo=UTC))


async def run_to_its_end(client: PrefectClient, name: str) -> FlowRun:
    """Does what the button Quick run does."""
    run = await client.create_flow_run_from_deployment((await ids(client))[name])
    return await in_state(client, run, "Completed")


def bought(sandbox_url: str) -> int:
    """Counts what the sandbox was ever paid for."""
    return len(httpx.get(f"{sandbox_url}/sandbox/jobs", trust_env=False).raise_for_status().json())


async def in_state(client: PrefectClient, run: FlowRun, *names: str) -> FlowRun:
    async def look() -> FlowRun | None:
        now = await client.read_flow_run(run.id)
        return now if now.state_name in names else None

    return await eventually(look)


async def started(client: PrefectClient, run: FlowRun) -> None:
    """Does what a worker and the run's own process tell the server."""
    await client.set_flow_run_state(run.id, Pending())
    await client.set_flow_run_state(run.id, Running())


async def tell(event: str, resource: dict[str, str], payload: dict[str, Any], related: list[dict[str, str]]) -> None:
    async with PrefectEventsClient() as events:
        await events.emit(
            Event.model_validate({"event": event, "resource": resource, "payload": payload, "related": related})
        )
