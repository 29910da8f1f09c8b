from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import OrchestrationResult
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow_async
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Crashed, Pending, Running, Scheduled

from flows.unwanted import PUT_BACK, end_if_unwanted, was_cancelled

BY_ITSELF: State[None] = AwaitingRetry(message=PUT_BACK)
BY_A_PERSON: State[None] = AwaitingRetry(message="Retry from the UI")


@flow
async def buying() -> str:
    await end_if_unwanted()
    return "bought"


async def again(*states: State[None]) -> FlowRun:
    """A run that was in these states, and waits for a process."""
    async with get_client() as client:
        run = await client.create_flow_run(buying)
        for state in states:
            await client.set_flow_run_state(run.id, state, force=True)
        return await client.read_flow_run(run.id)


@pytest.mark.parametrize("since", [(), (Cancelled(),), (BY_ITSELF, Pending(), Running(), Crashed())])
async def test_a_cancelled_run_that_was_put_back_ends_at_once(since: tuple[State[None], ...]) -> None:
    """Prefect reports a crash where its word came too late; the run is cancelled, and buys nothing, however often."""
    run = await again(Running(), Cancelling(), Crashed(), *since, BY_ITSELF, Pending())

    with pytest.raises(Abort, match="It was cancelled"):
        await run_flow_async(buying, flow_run=run)

    async with get_client() as client:
        ended = (await client.read_flow_run(run.id)).state
    assert ended is not None
    assert (ended.name, ended.message) == (
        "Cancelled",
        "It was cancelled, and crashed before it could end in good order. Nothing was bought since.",
    )


@pytest.mark.parametrize(
    "before",
    [
        (),
        (Running(), Crashed(), BY_ITSELF, Pending()),
        (Running(), Cancelling(), Cancelled(), BY_A_PERSON, Pending()),
        (Running(), Cancelling(), Crashed(), BY_A_PERSON, Pending(), Running(), Crashed(), BY_ITSELF, Pending()),
    ],
)
async def test_any_other_run_goes_on(before: tuple[State[None], ...]) -> None:
    """One that is new, that only crashed, or that a person wants again, even if it crashes after that."""
    assert await run_flow_async(buying, flow_run=await again(*before)) == "bought"


async def test_a_server_that_does_not_take_down_the_end_sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known to be unwanted is not bought because a word about it was lost."""

    async def refuse(self: PrefectClient, run: UUID, state: State[None], **how: Any) -> OrchestrationResult[None]:
        if state.is_cancelled():
            raise httpx.ReadTimeout("busy")
        return await real(self, run, state, **how)

    run, real = await again(Running(), Cancelling(), Crashed(), BY_ITSELF, Pending()), PrefectClient.set_flow_run_state
    monkeypatch.setattr(PrefectClient, "set_flow_run_state", refuse)

    with pytest.raises(Abort, match="It was cancelled"):
        await run_flow_async(buying, flow_run=run)


async def test_a_server_that_does_not_answer_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that only crashed, at three in the morning, is not lost because a question was."""

    async def refuse(self: PrefectClient, run: UUID) -> None:
        raise httpx.ReadTimeout("busy")

    run = await again(Running(), Crashed(), BY_ITSELF, Pending())
    monkeypatch.setattr(PrefectClient, "read_flow_run_states", refuse)

    assert await run_flow_async(buying, flow_run=run) == "bought"


async def test_outside_of_runs_nothing_is_asked() -> None:
    """The parts of a flow can be used without one."""
    await end_if_unwanted()


def test_a_run_without_states_is_wanted() -> None:
    """A server that has forgotten all of them says nothing against it."""
    assert not was_cancelled([])
    assert not was_cancelled([Scheduled(), Pending(), Running()])
