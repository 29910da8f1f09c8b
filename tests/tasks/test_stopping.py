import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from prefect.exceptions import TerminationSignal
from prefect.utilities.engine import capture_sigterm

from tasks.stopping import stopped_by_sigterm

LONG_SECONDS = 60
STARTED: list[asyncio.Task[None]] = []


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def in_the_background() -> None:
    terminate()


def in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(terminate)


def in_a_task() -> None:
    STARTED.append(asyncio.ensure_future(in_the_background()))


def in_the_loop_itself() -> None:
    threading.Timer(0.1, terminate).start()


@pytest.mark.parametrize("strike", [in_a_callback, in_a_task, in_the_loop_itself])
def test_a_run_hears_the_signal_wherever_it_strikes(strike: Callable[[], None]) -> None:
    """In a callback and in a background task Prefect's exception is lost; the run is cancelled all the same, once."""
    did: list[str] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _what: None)  # what is lost is not our subject
        with capture_sigterm(), stopped_by_sigterm():
            strike()
            try:
                await asyncio.sleep(LONG_SECONDS)
            except asyncio.CancelledError:
                did.append("collects")
                await asyncio.sleep(0.1)
                did.append("has ended")
                raise

    with pytest.raises((asyncio.CancelledError, TerminationSignal)):
        asyncio.run(run())
    assert did == ["collects", "has ended"]
    assert signal.set_wakeup_fd(-1) == -1


async def test_other_signals_stop_nothing() -> None:
    """Ctrl-C, for one, is heard by asyncio itself."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stopped_by_sigterm():
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.05)
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_who_listens_already_goes_on_listening() -> None:
    """A notebook has its own way to end; so has a server that a flow runs in."""
    theirs, told = socket.socketpair()
    with theirs, told:
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno())
        with stopped_by_sigterm():
            assert signal.set_wakeup_fd(told.fileno()) == told.fileno()
        assert signal.set_wakeup_fd(-1) == told.fileno()


async def test_outside_the_main_thread_nothing_is_done() -> None:
    """Python lets no other thread listen."""
    done: list[str] = []

    async def run() -> None:
        with stopped_by_sigterm():
            done.append("ran")

    await asyncio.to_thread(asyncio.run, run())
    assert done == ["ran"]
