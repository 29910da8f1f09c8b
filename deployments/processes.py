"""Child processes: a server that is waited for and ended again whatever happens, and a command that Ctrl-C may stop."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

STOP_TIMEOUT_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 0.1


class ServerDidNotStart(Exception):
    """A child process ended, or did not answer in time."""


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
    # A group of its own: Ctrl-C reaches us, and we end it when we are done with it.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # our own command
    try:
        _wait_for(process, answers_at, timeout_seconds)
        yield
    finally:
        _stop(process)


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


def _wait_for(process: subprocess.Popen[bytes], url: str, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerDidNotStart(f"{process.args!r} ended with code {process.returncode}.")
        try:
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(POLL_INTERVAL_SECONDS)
    raise ServerDidNotStart(f"{url} did not answer within {timeout_seconds:g} s.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    _await_end(process)


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
