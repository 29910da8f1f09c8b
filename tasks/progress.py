"""How far a campaign is: a small snapshot, told to whoever watches.

The command line draws it; a worker logs it. A watcher is set for the current context, so that it reaches the flow's
tasks without travelling through parameters, which Prefect would store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from blocks.provider import Frozen
from tasks.models import Cost


class Progress(Frozen):
    """Counts of one campaign, in shots."""

    stage: str = "planning"
    planned: int = 0
    running: int = 0
    made: int = 0
    reused: int = 0
    failed: int = 0
    skipped: int = 0
    spent: Cost = Cost()

    @property
    def settled(self) -> int:
        """Shots of which the outcome is known."""
        return self.made + self.reused + self.failed + self.skipped


Watcher = Callable[[Progress], None]

_watcher: ContextVar[Watcher | None] = ContextVar("kleinbild_watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tells the watcher of every change while the context is open."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


class Tally:
    """The running count; each change is told to the watcher of the context in which the tally was made."""

    def __init__(self) -> None:
        self.now = Progress()
        self._watcher = _watcher.get()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts one shot as running while the context is open."""
        self.change(running=1)
        try:
            yield
        finally:
            self.change(running=-1)

    def change(self, *, stage: str | None = None, spent: Cost | None = None, **more: int) -> None:
        """Adds to counts (`planned=12`, `running=-1`), and says the stage and the money spent."""
        counts = {name: getattr(self.now, name) + difference for name, difference in more.items()}
        facts = {"stage": stage or self.now.stage, "spent": spent or self.now.spent}
        self.now = self.now.model_copy(update={**counts, **facts})
        if self._watcher is not None:
            self._watcher(self.now)
