"""Ends the runs of a work pool in good order, before their worker is ended.

A process worker that is told to stop kills its runs on the spot (Prefect 3.8.8): what they have paid for would wait for
the next run to collect it, and they would stay `Running` in the UI. A run that is cancelled stops buying, collects what
it has paid for, and says so.
"""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Cancelling

GRACE_SECONDS = 60.0
PUT_BACK_SECONDS = 5.0
INTERVAL_SECONDS = 0.5
_WHY = "`make serve` was stopped. Run it again to go on."


async def cancel_runs(pool: str, *, say: Callable[[str], None], is_hurried: Callable[[], bool]) -> None:
    """Cancels what runs, and waits until it has ended. Runs that wait for a person's review are left as they are.

    Args:
        pool: Name of the work pool.
        say: Takes a line for the person who waits.
        is_hurried: Tells that nobody wants to wait any longer.
    """
    try:
        async with get_client() as client:
            await _cancel_runs(client, pool, say, is_hurried)
    except httpx.HTTPError as error:  # the server is gone: the runs cannot be told
        say(f"The Prefect server does not answer any more ({type(error).__name__}): runs are ended without it.")


async def _cancel_runs(
    client: PrefectClient, pool: str, say: Callable[[str], None], is_hurried: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    told: set[UUID] = set()
    while not is_hurried():
        at_work = await _runs_at_work(client, pool)
        fresh = [run for run in at_work if run.id not in told]
        for run in fresh:
            if run.state_type is not StateType.CANCELLING:
                await client.set_flow_run_state(run.id, Cancelling(message=_WHY))
        if fresh:
            runs = "1 run collects" if len(at_work) == 1 else f"{len(at_work)} runs collect"
            say(f"{runs} what is paid for, for up to {GRACE_SECONDS:.0f} s. Ctrl-C again: do not wait.")
        told |= {run.id for run in fresh}
        if not at_work or time.monotonic() > deadline:
            break
        await asyncio.sleep(INTERVAL_SECONDS)
    if told:
        await _keep_from_starting_again(client, told)


async def _keep_from_starting_again(client: PrefectClient, told: set[UUID]) -> None:
    """A run that did not hear in time why it was ended has crashed, and goes back to the queue a moment later."""
    deadline = time.monotonic() + PUT_BACK_SECONDS
    unfinished = FlowRunFilter(id=FlowRunFilterId(any_=list(told)), state=_in(StateType.CRASHED, StateType.SCHEDULED))
    runs = await client.read_flow_runs(flow_run_filter=unfinished)
    while any(run.state_type is StateType.CRASHED for run in runs) and time.monotonic() < deadline:
        await asyncio.sleep(INTERVAL_SECONDS)
        runs = await client.read_flow_runs(flow_run_filter=unfinished)
    for run in runs:
        await client.set_flow_run_state(run.id, Cancelled(message=_WHY), force=True)


async def _runs_at_work(client: PrefectClient, pool: str) -> list[FlowRun]:
    return await client.read_flow_runs(
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        flow_run_filter=FlowRunFilter(state=_in(StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)),
        limit=200,
    )


def _in(*kinds: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(kinds)))
