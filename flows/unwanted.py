"""A run that somebody cancelled does not start again by itself.

Prefect's worker tells a run that it is cancelled, and then ends its process. Where the word does not reach the run in
time, on a busy machine or one that goes down, the run says that it crashed (Prefect 3.8.8); and a run that crashed goes
back to the queue, for any worker to finish it (`deployments/automations.py`). Only the run itself can tell the two
apart for certain, when it starts again: by the states that it has been in.
"""

import asyncio
from collections.abc import Sequence

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, PrefectException
from prefect.states import Cancelled

PUT_BACK = "It crashed: any worker may finish it."
"""What is said of a run that goes back to the queue by itself."""

API_TIMEOUT_SECONDS = 10.0
_WHY = "It was cancelled, and crashed before it could end in good order. Nothing was bought since."


async def end_if_unwanted() -> None:
    """Ends the present flow run as cancelled if it was told to end, and was put back to the queue all the same.

    Outside of runs, and in one that starts for the first time, it does nothing. A run that a person retries is wanted.
    A server that does not answer now leaves it open; then the run goes on, within its budget.

    Raises:
        Abort: Prefect's own signal to end a run whose state is settled.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.run_count == 0:
        return
    run = context.flow_run.id
    try:
        async with asyncio.timeout(API_TIMEOUT_SECONDS), get_client() as client:
            if not was_cancelled(await client.read_flow_run_states(run)):
                return
            await client.set_flow_run_state(run, Cancelled(message=_WHY), force=True)
    except (TimeoutError, httpx.HTTPError, PrefectException):
        return
    raise Abort(_WHY)


def was_cancelled(states: Sequence[State[object]]) -> bool:
    """Tells whether a run that was put back had been told to end.

    Args:
        states: All that the run has been in, oldest first; it runs again now.
    """
    kinds = [state.type for state in states]
    waiting = max((place for place, kind in enumerate(kinds) if kind is StateType.SCHEDULED), default=0)
    ran = max((place for place, kind in enumerate(kinds[:waiting]) if kind is StateType.RUNNING), default=0)
    return bool(states) and states[waiting].message == PUT_BACK and StateType.CANCELLING in kinds[ran:waiting]
