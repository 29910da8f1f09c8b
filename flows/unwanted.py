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
    A server that does not say what the run has been leaves it open; then the run goes on, within its budget. One that
    does not take down the end changes nothing about it: nothing is bought.

    Raises:
        Abort: Prefect's own signal to end a run whose state is settled.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.run_count == 0:
        return
    run = context.flow_run.id
    is_unwanted = False
    try:
        async with asyncio.timeout(API_TIMEOUT_SECONDS), get_client() as client:
            is_unwanted = was_cancelled(await client.read_flow_run_states(run))
            if is_unwanted:
                await client.set_flow_run_state(run, Cancelled(message=_WHY), force=True)
    except (TimeoutError, httpx.HTTPError, PrefectException):  # the server is away, or refuses
        pass
    if is_unwanted:
        raise Abort(_WHY)


def was_cancelled(states: Sequence[State[object]]) -> bool:
    """Tells whether a run has been told to end since somebody last wanted it: a schedule, or a person who retried it.

    Args:
        states: All that the run has been in, oldest first; it runs again now.
    """
    wanted = [place for place, state in enumerate(states) if _is_wanted(state)]
    return StateType.CANCELLING in [state.type for state in states[max(wanted, default=0) :]]


def _is_wanted(state: State[object]) -> bool:
    return state.type is StateType.SCHEDULED and state.message != PUT_BACK
