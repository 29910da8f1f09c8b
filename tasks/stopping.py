"""A run that is told to end hears it, whatever it is doing at that moment.

Prefect's handler of SIGTERM raises an exception in the midst of what the main thread does (3.8.8). In an async flow
that is often a callback of the event loop or a task in the background. Nobody sees the exception there: the run would
go on buying, until its worker kills it half a minute later.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

_NOBODY = -1
_MOST_SIGNALS = 4096


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Cancels the current task after a SIGTERM, unless it is being cancelled already.

    Python writes the numbers of signals into a socket beside calling their handlers (`signal.set_wakeup_fd`), so that
    Prefect's handler stays in its place; Prefect's worker looks for it there. Outside the main thread, and where
    somebody else listens so already, such as a notebook, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    heard, told = socket.socketpair()
    with closing(heard), closing(told):
        heard.setblocking(False)
        told.setblocking(False)
        others = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        if others != _NOBODY:
            signal.set_wakeup_fd(others)
            yield
            return
        loop.add_reader(heard, _heed, heard, task)
        try:
            yield
        finally:
            loop.remove_reader(heard)
            signal.set_wakeup_fd(_NOBODY)


def _heed(heard: socket.socket, task: "asyncio.Task[object] | None") -> None:
    if signal.SIGTERM in heard.recv(_MOST_SIGNALS) and task is not None and not task.cancelling():
        task.cancel()
