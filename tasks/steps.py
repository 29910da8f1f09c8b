"""How far the upkeep of an archive is: counted steps, told to whoever watches.

A watcher is set for the current context, as that of a campaign's progress is (`tasks/progress.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from tasks.run_log import run_log

LINE_EVERY = 0.1
"""Share of the steps after which another line is worth logging."""


class StepWatcher(Protocol):
    """Is told how far a stage is."""

    def __call__(self, stage: str, done: int, due: int) -> None:
        """Takes the name of the stage, the steps that are done, and all that there are."""
        ...


_watcher: ContextVar[StepWatcher | None] = ContextVar("kleinbild_step_watcher", default=None)


@contextmanager
def watching_steps(watcher: StepWatcher) -> Iterator[None]:
    """Tells the watcher of every step while the context is open."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


class Steps:
    """Counts the steps of one stage: for the watcher each of them, for the run's log every tenth of all."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._logged = 0
        self._watcher = _watcher.get()

    def __call__(self, done: int, due: int) -> None:
        """Says how many of how many are done."""
        if self._watcher is not None:
            self._watcher(self._stage, done, due)
        if done == due or done - self._logged >= max(1.0, due * LINE_EVERY):
            self._logged = done
            run_log().info("%s: %d of %d", self._stage, done, due)
