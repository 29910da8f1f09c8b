from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from deployments import runs
from deployments.runs import cancel_runs


class Server:
    """A Prefect server whose runs end some looks after they were told to, in one way or another."""

    def __init__(self, *states: StateType, looks: int = 3, ends: Sequence[StateType] = ()) -> None:
        self.runs = {uuid4(): state for state in states}
        self.ends = dict(zip(self.runs, ends, strict=False))
        self.told: dict[UUID, StateType] = {}
        self.looks = looks

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read_flow_runs(self, **asked: Any) -> list[FlowRun]:
        """Lists what is at work, or how those have ended that it is asked for by id."""
        wanted = asked["flow_run_filter"]
        if wanted.id is not None:
            return _runs({run: self.ends.get(run, StateType.CANCELLED) for run in wanted.id.any_}, wanted)
        assert asked["work_pool_filter"].name.any_ == ["kleinbild"]
        self.looks -= bool(self.told)
        return _runs(self.runs if self.looks > 0 else {}, wanted)

    async def set_flow_run_state(self, run: UUID, state: State[Any], *, force: bool = False) -> None:
        """Tells a run what to do, or says what has become of it."""
        if force:
            self.ends[run] = state.type
            return
        assert run not in self.told
        self.told[run] = self.runs[run] = state.type


def _runs(states: Mapping[UUID, StateType], wanted: Any) -> list[FlowRun]:
    asked_for = wanted.state.type.any_
    return [FlowRun(id=run, flow_id=uuid4(), state_type=of) for run, of in states.items() if of in asked_for]


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(runs, "PUT_BACK_SECONDS", 0.02)


async def cancelled(server: object, monkeypatch: pytest.MonkeyPatch, *, is_hurried: bool = False) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(runs, "get_client", lambda: server)
    await cancel_runs("kleinbild", say=said.append, is_hurried=lambda: is_hurried)
    return said


async def test_what_runs_is_cancelled_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run is told once; those that wait for their time or for a person are left as they are."""
    server = Server(StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.SCHEDULED)
    running, pending, *_ = server.runs

    said = await cancelled(server, monkeypatch)

    assert server.told == {running: StateType.CANCELLING, pending: StateType.CANCELLING}
    assert said == ["2 runs collect what is paid for, for up to 60 s. Ctrl-C again: do not wait."]
    assert server.looks == 0


async def test_a_run_that_somebody_cancels_already_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not told a second time."""
    server = Server(StateType.CANCELLING)
    server.told[uuid4()] = StateType.CANCELLING

    assert await cancelled(server, monkeypatch) == [
        "1 run collects what is paid for, for up to 60 s. Ctrl-C again: do not wait."
    ]
    assert len(server.told) == 1


async def test_what_was_told_to_end_does_not_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's word does not reach each run in time: such a run says that it crashed, and would be put back."""
    ends = [StateType.CRASHED, StateType.SCHEDULED, StateType.COMPLETED, StateType.CANCELLED]
    server = Server(*[StateType.RUNNING] * 4, StateType.PENDING, ends=ends)

    await cancelled(server, monkeypatch)

    said = [StateType.CANCELLED, StateType.CANCELLED, StateType.COMPLETED, StateType.CANCELLED]
    assert [server.ends[run] for run in list(server.runs)[:4]] == said


async def test_a_server_that_is_slow_to_answer_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """All the time may be over when it says for the first time what is at work."""
    monkeypatch.setattr(runs, "GRACE_SECONDS", -1.0)
    server = Server(StateType.RUNNING)

    assert len(await cancelled(server, monkeypatch)) == 1
    assert server.told == dict.fromkeys(server.runs, StateType.CANCELLING)


async def test_nothing_at_work_is_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual end is quiet."""
    assert await cancelled(Server(), monkeypatch) == []


async def test_who_is_hurried_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second Ctrl-C: what is paid for is collected by the next run."""
    server = Server(StateType.RUNNING)

    assert await cancelled(server, monkeypatch, is_hurried=True) == []
    assert server.told == {}


async def test_runs_that_do_not_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has its deadline."""
    monkeypatch.setattr(runs, "GRACE_SECONDS", 0.05)
    server = Server(StateType.RUNNING, looks=10**9)

    await cancelled(server, monkeypatch)

    assert server.told == dict.fromkeys(server.runs, StateType.CANCELLING)


async def test_a_server_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end goes on without it."""

    class Gone(Server):
        async def read_flow_runs(self, **asked: Any) -> list[FlowRun]:
            raise httpx.ConnectError("refused")

    assert await cancelled(Gone(), monkeypatch) == [
        "The Prefect server does not answer any more (ConnectError): runs are ended without it."
    ]
