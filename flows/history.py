"""Keeps the history of local runs that have no Prefect server.

Without a configured server Prefect starts a temporary one for the life of the process. Its database stays, but task
runs are written down with a delay, and those that still wait when the process ends are lost. So the last act of such a
run is to wait until its task runs are on record.
"""

import asyncio
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter, TaskRunFilterState
from prefect.client.schemas.filters import TaskRunFilterStateType as OfType
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

DEADLINE_SECONDS = 20.0
INTERVAL_SECONDS = 0.25
PAGE_SIZE = 200
LATE_EVENTS_SECONDS = 2.0
"""Twice the recorder's flush interval, which pyproject.toml sets to 1 s."""


async def keep_history() -> None:
    """Waits, for a bounded time, until the task runs of the current flow run are recorded. With a server: no wait."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or get_current_settings().api.url is not None:
        return
    # Prefect numbers the calls of each task from 0; the last number tells how many there were.
    started = sum(number + 1 for number in context.task_run_dynamic_keys.values() if isinstance(number, int))
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), get_client() as client:
            while await _recorded(client, context.flow_run.id) < started:  # noqa: ASYNC110  # another process writes
                await asyncio.sleep(INTERVAL_SECONDS)
            # Every end is on record; late events of the same runs may still be under way, and a server that is stopped
            # while it writes them says so at length on the terminal.
            await asyncio.sleep(LATE_EVENTS_SECONDS)
    except (TimeoutError, httpx.HTTPError):
        return  # the run is complete and archived; a few lines of its history are not worth its failure


async def _recorded(client: PrefectClient, flow_run_id: UUID) -> int:
    """Counts the task runs whose end is on record."""
    count = 0
    while True:
        page = await client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
            task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=OfType(any_=list(TERMINAL_STATES)))),
            limit=PAGE_SIZE,
            offset=count,
        )
        count += len(page)
        if len(page) < PAGE_SIZE:
            return count
