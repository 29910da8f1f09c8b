"""Says of a run that it is at work, for as long as it is: others wait for its shots, and take over when it is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from blocks.archive.ledger import BEAT_SECONDS, Ledger
from blocks.errors import ArchiveError


@asynccontextmanager
async def at_work(ledger: Ledger, run_id: str) -> AsyncIterator[None]:
    """Registers a run, keeps it known by its heartbeat, and signs it off."""
    await ledger.begin_run(run_id)
    heart = asyncio.create_task(_beat(ledger, run_id))
    try:
        yield
    finally:
        heart.cancel()
        await asyncio.wait({heart})
        with suppress(ArchiveError):  # a database that is away: without beats the run counts as gone by itself
            await ledger.end_run(run_id)


async def _beat(ledger: Ledger, run_id: str) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with suppress(ArchiveError):  # a database that is busy or away for a moment: the next beat is as good
            await ledger.beat(run_id)
