"""Processes whose parent died before them: so that nothing is left behind even by a worker that was killed.

Linux hands such a process to the nearest ancestor that has asked for it. Elsewhere it goes to the system, and this
module finds none.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 45.0
"""How long a flow run may take to collect what it has paid for, see `flows/stages.py`."""

_INTERVAL_SECONDS = 0.2
_PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""


def adopt_orphans() -> None:
    """Asks to become the parent of all descendants whose own parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(is_hurried: Callable[[], bool], *, ours: Set[int]) -> int:
    """Ends every child process that we did not start, after a time of grace.

    Args:
        is_hurried: Tells that nobody wants to wait any longer.
        ours: Ids of the processes that we did start.

    Returns:
        How many there were.
    """
    left = _children() - ours
    _signal_all(left, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while _reaped(left) and time.monotonic() < deadline and not is_hurried():
        time.sleep(_INTERVAL_SECONDS)
    # A child of theirs may have come to us meanwhile.
    _signal_all(_children() - ours, signal.SIGKILL)
    for process_id in _children() - ours:
        with suppress(ChildProcessError):  # reaped by somebody else
            os.waitpid(process_id, 0)
    return len(left)


def _children() -> set[int]:
    """Lists our own child processes, where the system tells."""
    lists = Path("/proc/self/task").glob("*/children") if sys.platform == "linux" else ()
    return {int(number) for each in lists for number in each.read_text(encoding="ascii").split()}


def _signal_all(process_ids: Iterable[int], number: signal.Signals) -> None:
    for process_id in process_ids:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(process_id, number)


def _reaped(process_ids: set[int]) -> set[int]:
    """Takes leave of those that have ended; returns those that are still there."""
    left = set()
    for process_id in process_ids:
        with suppress(ChildProcessError):  # reaped before
            if os.waitpid(process_id, os.WNOHANG) == (0, 0):
                left.add(process_id)
    return left
