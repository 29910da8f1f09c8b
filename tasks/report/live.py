"""How far a run is, while it lasts: a progress artifact in the Prefect UI, and lines in the run's log.

The artifact is looked after by one small task beside the work. It looks every two seconds and says only what is new;
whatever happens to it, the run goes on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from tasks.progress import Milestones, Progress, Tally, Watcher
from tasks.report.markdown import escape
from tasks.run_log import run_log

ARTIFACT_KEY = "progress"
INTERVAL_SECONDS = 2.0
API_TIMEOUT_SECONDS = 5.0
"""For one call to Prefect's server; a bar that is late is worth no wait."""

MAX_TROUBLES = 3
"""Calls in a row that may fail before the artifact is left as it is."""

UNTIL_THE_END_PERCENT = 99.0
"""Shots are not all: a bar that is full while pictures are still judged and archived would say that nothing is left."""


@asynccontextmanager
async def live_report(tally: Tally) -> AsyncIterator[None]:
    """Shows the progress of the present flow run for as long as the context is open; outside of runs it does nothing.

    The bar is full only when the work came to its end; a run that is stopped leaves it where it was.

    Args:
        tally: The counts of the run. `Progress.expected` keeps the bar from jumping back when edits are planned.
    """
    if FlowRunContext.get() is None:
        yield
        return
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    keeper = asyncio.create_task(_keep_up(tally, ended))
    is_complete = False
    try:
        with tally.told_to(_log_milestones()):
            yield
        is_complete = True
    finally:
        ended.set_result(is_complete)
        try:
            await asyncio.wait({keeper}, timeout=2 * API_TIMEOUT_SECONDS)  # one call may be under way, one is the last
        finally:
            keeper.cancel()


def _log_milestones() -> Watcher:
    log = run_log()  # the flow run's, taken here: counts change inside of task runs, which have logs of their own
    milestones = Milestones()

    def watch(count: Progress) -> None:
        if milestones.is_next(count):
            log.info("%s: %d of %d shots; %s", count.stage, count.settled, count.planned, count.facts)

    return watch


async def _keep_up(tally: Tally, ended: asyncio.Future[bool]) -> None:
    bar = _Bar()
    while not ended.done() and bar.troubles < MAX_TROUBLES:
        await bar.show(tally.now, tally.now.stage)
        await asyncio.wait({ended}, timeout=INTERVAL_SECONDS)
    if bar.troubles >= MAX_TROUBLES:
        run_log().warning("Prefect's server does not take the progress of this run; the run itself goes on.")
        return
    is_complete = await ended
    await bar.show(tally.now, "complete" if is_complete else f"stopped while {tally.now.stage}", is_full=is_complete)


class _Bar:
    """The progress artifact; made when there is something to say."""

    def __init__(self) -> None:
        self.troubles = 0
        self._percent = 0.0
        self._said = ""
        self._artifact: UUID | None = None

    async def show(self, count: Progress, headline: str, *, is_full: bool = False) -> None:
        """Says how far the run is, unless that is what the artifact says already."""
        total = count.planned if is_full else count.total  # edits of duplicates were expected, and are never planned
        counted = f": {count.settled} of {total} shots · {escape(count.facts)}" if total else ""
        said = f"{headline}{counted}"
        if said == self._said:
            return
        self._percent = 100.0 if is_full else max(self._percent, _percent_of(count))
        try:
            async with asyncio.timeout(API_TIMEOUT_SECONDS):
                await self._send(said)
        except (TimeoutError, httpx.HTTPError, PrefectException):  # the server is away, busy, or refuses
            self.troubles += 1
        else:
            self.troubles, self._said = 0, said

    async def _send(self, said: str) -> None:
        if self._artifact is None:
            self._artifact = await acreate_progress_artifact(self._percent, key=ARTIFACT_KEY, description=said)
        else:
            await aupdate_progress_artifact(self._artifact, self._percent, description=said)


def _percent_of(count: Progress) -> float:
    share = count.settled / count.total if count.total else 0.0
    return round(min(100.0 * share, UNTIL_THE_END_PERCENT), 1)
