import asyncio
from typing import Any

import pytest

from blocks.archive.ledger import Ledger
from blocks.errors import ArchiveError
from tasks import presence
from tasks.presence import at_work
from tasks.studio import Studio
from tests.tasks.conftest import Instead

BEATS = 3


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.001)


class Heart:
    """A ledger whose beats are counted, and fail while `is_away`."""

    def __init__(self, ledger: Ledger) -> None:
        self.beats = 0
        self.is_away = False
        self.enough = asyncio.Event()
        self._ledger = ledger

    async def beat(self, run_id: str) -> None:
        """Beats, or fails as a busy database does."""
        self.beats += 1
        if self.beats >= BEATS:
            self.enough.set()
        if self.is_away:
            raise ArchiveError("busy")
        await self._ledger.beat(run_id)

    @property
    def ledger(self) -> Any:
        """The ledger with this heart."""
        return Instead(self._ledger, beat=self.beat)


async def test_a_run_is_known_as_long_as_it_works(studio: Studio) -> None:
    """It begins, beats again and again, and ends: from then on nobody waits for it, and nothing beats."""
    heart = Heart(studio.archive.ledger)
    async with at_work(heart.ledger, "r"):
        await asyncio.wait_for(heart.enough.wait(), 10)
        assert not await studio.archive.ledger.is_gone("r")
    assert await studio.archive.ledger.is_gone("r")
    beats = heart.beats
    await asyncio.sleep(0.02)
    assert heart.beats == beats


async def test_a_busy_database_does_not_stop_the_heart(studio: Studio) -> None:
    """A beat that fails is left out; the next one is as good, and the run goes on."""
    heart = Heart(studio.archive.ledger)
    heart.is_away = True
    async with at_work(heart.ledger, "r"):
        await asyncio.wait_for(heart.enough.wait(), 10)
        heart.is_away, heart.beats = False, 0
        heart.enough.clear()
        await asyncio.wait_for(heart.enough.wait(), 10)
        assert not await studio.archive.ledger.is_gone("r")


async def test_a_run_that_fails_is_signed_off_too(studio: Studio) -> None:
    """Its error is what the caller sees, and others may take over at once."""
    with pytest.raises(ValueError, match="of the work"):
        async with at_work(studio.archive.ledger, "r"):
            raise ValueError("of the work")
    assert await studio.archive.ledger.is_gone("r")


async def test_a_run_that_is_cancelled_is_signed_off_too(studio: Studio) -> None:
    """A cancelled flow leaves no run behind that others would wait for."""
    begun = asyncio.Event()

    async def work() -> None:
        async with at_work(studio.archive.ledger, "r"):
            begun.set()
            await asyncio.sleep(600)

    running = asyncio.create_task(work())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await studio.archive.ledger.is_gone("r")


async def test_a_database_that_is_away_at_the_end_hides_nothing(studio: Studio) -> None:
    """The work is done, or has its own error: that the sign-off failed is no word on either."""

    async def away(_: str) -> None:
        raise ArchiveError("away")

    ledger: Any = Instead(studio.archive.ledger, end_run=away)
    async with at_work(ledger, "one"):
        pass
    with pytest.raises(ValueError, match="of the work"):
        async with at_work(ledger, "two"):
            raise ValueError("of the work")


async def test_two_runs_never_have_one_id(studio: Studio) -> None:
    """The second one is refused before it could be taken for the first."""
    async with at_work(studio.archive.ledger, "r"):
        with pytest.raises(ArchiveError, match="has begun before"):
            async with at_work(studio.archive.ledger, "r"):
                pytest.fail("it began")
        assert not await studio.archive.ledger.is_gone("r")
