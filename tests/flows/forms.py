"""What the Prefect UI shows of a run that waits: read through the API, as the UI does."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

DEADLINE_SECONDS = 120.0
NOT_FOUND = 404


@dataclass(frozen=True)
class Form:
    """The JSON schema of a form, and the Markdown above it."""

    schema: dict[str, Any]
    page: str


async def waiting_runs(client: PrefectClient, state: str = "Paused") -> list[FlowRun]:
    """The flow runs in this state, the newest first: a server of many tests has more runs than one answer holds."""
    in_state = FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[state])))
    return await client.read_flow_runs(flow_run_filter=in_state, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=50)


async def known_runs(client: PrefectClient, state: str = "Paused") -> set[UUID]:
    """The flow runs that wait already, left behind by other tests."""
    return {run.id for run in await waiting_runs(client, state)}


async def waiting_run(client: PrefectClient, known: Collection[UUID], state: str = "Paused") -> FlowRun:
    """Waits until a flow run that is not among the known ones waits for its form."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            for run in await waiting_runs(client, state):
                if run.id not in known and await form_of(client, run):
                    return run
            await asyncio.sleep(0.1)


async def form_of(client: PrefectClient, run: FlowRun) -> Form | None:
    """The form that a run waits for; None while there is none."""
    keyset = run.state.state_details.run_input_keyset if run.state else None
    if not keyset:
        return None
    try:
        schema = await client.read_flow_run_input(run.id, keyset["schema"])
        page = await client.read_flow_run_input(run.id, keyset["description"])
    except PrefectHTTPStatusError as error:
        if error.response.status_code != NOT_FOUND:
            raise
        return None  # not written yet
    return Form(json.loads(schema), json.loads(page))
