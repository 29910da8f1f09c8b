"""How far a campaign is: a small snapshot, told to whoever watches.

The command line draws it; a flow run logs it. A watcher is set for the current context, so that it reaches the flow's
tasks without travelling through parameters, which Prefect would store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from blocks.provider import Frozen
from tasks.models import Cost

LINE_EVERY = 0.1
"""Share of the shots after which another line is worth printing."""


class Progress(Frozen):
    """Counts of one campaign, in shots.

    `planned` grows from stage to stage, because edits are planned when their pictures exist; `expected` counts all
    stages in advance, as the estimate does: at the most.
    """

    stage: str = "planning"
    expected: int = 0
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

    @property
    def total(self) -> int:
        """Shots of all stages: what is expected at the most, until more than that is planned."""
        return max(self.expected, self.planned)

    @property
    def facts(self) -> str:
        """Counts and money for people: `12 made, 4 running · 0.48 USD spent`."""
        words = [f"{self.made} made", f"{self.running} running"]
        words += [f"{self.reused} had"] if self.reused else []
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{self.skipped} not bought"] if self.skipped else []
        return f"{', '.join(words)} · {self.spent} spent"


class Milestones:
    """Picks the snapshots that are worth a line in a log: each new stage, and each further tenth of the shots."""

    def __init__(self) -> None:
        self._stage = ""
        self._settled = 0

    def is_next(self, count: Progress) -> bool:
        """Tells whether this one is; a campaign that has planned nothing yet has nothing to say."""
        is_far = count.settled - self._settled >= max(1.0, count.planned * LINE_EVERY)
        if count.planned == 0 or (count.stage == self._stage and not is_far):
            return False
        self._stage, self._settled = count.stage, count.settled
        return True


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
        watcher = _watcher.get()
        self._watchers = () if watcher is None else (watcher,)

    @contextmanager
    def told_to(self, watcher: Watcher) -> Iterator[None]:
        """Tells another watcher too while the context is open."""
        before, self._watchers = self._watchers, (*self._watchers, watcher)
        try:
            yield
        finally:
            self._watchers = before

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
        for watcher in self._watchers:
            watcher(self.now)
