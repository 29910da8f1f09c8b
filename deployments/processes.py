"""Child processes: started, waited for, watched, and ended again whatever happens."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

STOP_TIMEOUT_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 0.1
LAST_LINES = 12
LAST_BYTES = 4000
LINE_LENGTH = 300


class ProcessFailed(Exception):
    """A child process did not do what it was started for."""


class ServerDidNotStart(ProcessFailed):
    """A child process ended, or did not answer in time."""


class ChildEnded(ProcessFailed):
    """A child process ended that was to run on."""


class Child:
    """A running child process.

    Args:
        name: What it is, for messages.
        process: The process, in a group of its own.
        log: Where its output goes, if it is kept.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
        self.name = name
        self.process = process
        self.log = log

    def check(self) -> None:
        """Makes sure that it runs.

        Raises:
            ChildEnded: It does not; the message has its last words.
        """
        if not self.is_running():
            raise ChildEnded(self.obituary())

    def obituary(self) -> str:
        """Says how it ended, and what it said at last."""
        said = f"{self.name} ended with code {self.process.returncode}."
        if self.log is None:
            return said
        lines = "".join(f"\n    {line}" for line in _last_lines(self.log))
        return f"{said} Its last words, from {self.log}:{lines}"

    def _where(self) -> str:
        return "" if self.log is None else f" Its output: {self.log}"

    def wait_until_it_answers(self, url: str, timeout_seconds: float) -> None:
        """Waits until a URL answers HTTP 200.

        Raises:
            ServerDidNotStart: It ended before, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        # One client for all tries: each new one reads the certificates of all authorities, at the server's expense.
        with httpx.Client(timeout=5, trust_env=False) as client:
            while time.monotonic() < deadline:
                if not self.is_running():
                    raise ServerDidNotStart(self.obituary())
                try:
                    if client.get(url).is_success:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                time.sleep(POLL_INTERVAL_SECONDS)
        raise ServerDidNotStart(f"{url} did not answer within {timeout_seconds:g} s.{self._where()}")

    def wait_until_it_is_done(self, timeout_seconds: float) -> None:
        """Waits for the end of a command.

        Raises:
            ChildEnded: It failed, or it was not done in time.
        """
        try:
            code = self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise ChildEnded(f"{self.name} was not done within {timeout_seconds:g} s.{self._where()}") from error
        if code != 0:
            raise ChildEnded(self.obituary())

    def is_running(self) -> bool:
        """Tells whether it is still there."""
        return self.process.poll() is None

    def stop(self, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Ends it with all of its group: asks first, and does not ask again after a while.

        Args:
            is_hurried: Tells that nobody wants to wait any longer.
        """
        self.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline and not is_hurried():
            time.sleep(POLL_INTERVAL_SECONDS)
        with suppress(ProcessLookupError):  # the usual case: nobody of the group is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def child(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    is_hurried: Callable[[], bool] = lambda: False,
) -> Iterator[Child]:
    """Runs a process for as long as the context is open.

    Args:
        name: What it is, for messages.
        command: The command.
        environment: Its whole environment; ours if left out.
        log: File for all that it says, begun anew. If left out: standard output is dropped, errors go where ours go.
        is_hurried: Tells at the end that nobody wants to wait for it.
    """
    # A group of its own: Ctrl-C reaches us, and we end it when we are done with it.
    if log is None:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # our own command
    else:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own command
                command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
    running = Child(name, process, log)
    try:
        yield running
    finally:
        running.stop(is_hurried)


@contextmanager
def server(command: Sequence[str], *, answers_at: str, timeout_seconds: float) -> Iterator[None]:
    """Runs a server for as long as the context is open.

    Args:
        command: The server's own command.
        answers_at: URL that answers HTTP 200 when it is ready.
        timeout_seconds: How long it may take to get there.

    Raises:
        ServerDidNotStart: It did not.
    """
    with child(shlex.join(command), command) as running:
        running.wait_until_it_answers(answers_at, timeout_seconds)
        yield


def run(command: Sequence[str]) -> int:
    """Runs a command in the foreground; returns its exit code.

    Ctrl-C reaches the command as well: it is left to end in its own way, within a bounded time.
    """
    with subprocess.Popen(command) as process:  # noqa: S603  # our own command
        try:
            return process.wait()
        except KeyboardInterrupt:
            _await_end(process)
            return process.returncode


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(file: Path) -> list[str]:
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - LAST_BYTES))
        text = log.read().decode(errors="replace")
    lines = ["".join(char if char.isprintable() else " " for char in line[:LINE_LENGTH]) for line in text.splitlines()]
    return lines[-LAST_LINES:]
