"""A process that has imported everything, and forks a child for each order: a child starts in milliseconds.

It runs nothing itself: no thread, no loop and no connection is there to be copied. `python -m tests.chaos.nursery`
reads orders as lines of JSON and answers each with the child's process id. `Nursery` is the other side.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.orders import Order, Told

PROJECT = Path(__file__).parents[2]
END_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 15.0


class Child:
    """A process of the nursery: it is waited for, or killed, and never outlives its test."""

    def __init__(self, pid: int, order: Order) -> None:
        self.order = order
        self._handle: int | None = None
        with suppress(ProcessLookupError):  # it is dead already
            self._handle = os.pidfd_open(pid)

    def wait(self, timeout_seconds: float = END_TIMEOUT_SECONDS) -> bool:
        """Waits for the end; False where it still lives after this time."""
        if self._handle is None:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(timeout_seconds * 1000))

    def kill(self) -> None:
        """Kills it, wherever it is."""
        with suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def told(self) -> Told | None:
        """What it told at its end; None where it was killed.

        Raises:
            TimeoutError: It has no end.
        """
        if not self.wait():
            self.kill()
            raise TimeoutError(f"A child was still at work after {END_TIMEOUT_SECONDS:g} s: {self.order.death}")
        self.close()
        if not self.order.result.exists():
            return None
        return Told.model_validate_json(self.order.result.read_bytes())

    def close(self) -> None:
        """Ends it, if it still lives."""
        self.kill()
        if self._handle is not None:
            self.wait(STOP_TIMEOUT_SECONDS)
            os.close(self._handle)
            self._handle = None


class Nursery:
    """Starts children."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._children: list[Child] = []
        self._turn = threading.Lock()

    def start(self, order: Order) -> Child:
        """Forks a child for an order."""
        order.result.unlink(missing_ok=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(order.model_dump_json() + "\n")
            self._process.stdin.flush()
            child = Child(int(self._process.stdout.readline()), order)
        self._children.append(child)
        return child

    def close(self) -> None:
        """Ends all children, then the nursery."""
        for child in self._children:
            child.close()
        self._process.communicate(timeout=STOP_TIMEOUT_SECONDS)


@contextmanager
def nursery(environment: Mapping[str, str], log: Path) -> Iterator[Nursery]:
    """Keeps a nursery for as long as the context is open.

    Args:
        environment: Of its children, added to our own.
        log: File for what children print.
    """
    with (
        log.open("ab") as printed,
        subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        opened = Nursery(process)
        try:
            yield opened
        finally:
            opened.close()


def temporary_home() -> "tempfile.TemporaryDirectory[str]":
    """A folder for everything that servers and children write."""
    return tempfile.TemporaryDirectory(prefix="kleinbild-chaos-", ignore_cleanup_errors=True)


def _serve() -> None:
    """Forks until nobody gives orders any more. A child leaves the loop, and ends as any process does."""
    from tests.chaos import child  # the side of the tests needs none of it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets killed children at once
    answers = os.dup(1)
    os.dup2(2, 1)
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            os.close(answers)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child.main(Order.model_validate_json(line))
            return
        os.write(answers, f"{pid}\n".encode())


if __name__ == "__main__":
    _serve()
