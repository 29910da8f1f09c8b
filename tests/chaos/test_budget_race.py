import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from sqlalchemy import make_url

from blocks.archive.archive import open_archive
from blocks.archive.ledger import ShotState
from blocks.provider import Money
from tests.blocks.archive.conftest import POSTGRES_URL, WITH_POSTGRES
from tests.chaos.orders import PRICE_CU
from tests.chaos.world import World

PROCESSES = 4
WORKERS_PER_PROCESS = 8
SHOTS = 400
AFFORDABLE = 100
BUDGET = Money(amount=AFFORDABLE * PRICE_CU + PRICE_CU / 2, unit="CU")
UNTIL_ALL_WAIT_SECONDS = 1.0


@pytest.fixture(params=["sqlite", WITH_POSTGRES])
async def catalogue_url(request: pytest.FixtureRequest) -> AsyncIterator[str | None]:
    """None for SQLite in the archive, or a PostgreSQL database of this test's own."""
    if request.param == "sqlite":
        yield None
        return
    assert POSTGRES_URL is not None
    name = f"kleinbild_{uuid.uuid4().hex}"
    server = await asyncpg.connect(POSTGRES_URL, timeout=10)
    await server.execute(f"CREATE DATABASE {name}")
    yield make_url(POSTGRES_URL).set(database=name).render_as_string(hide_password=False)
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


def test_many_workers_of_many_processes_never_pass_the_budget(chaos: World, catalogue_url: str | None) -> None:
    """32 workers in 4 processes want 400 shots, and the money is enough for 100: 100 are bought, and each once."""
    archive = chaos.archive()
    start_at = time.time() + UNTIL_ALL_WAIT_SECONDS
    children = [
        chaos.start(
            task="race",
            archive=archive,
            catalogue_url=catalogue_url,
            in_flight=WORKERS_PER_PROCESS,
            shots=SHOTS,
            budget=BUDGET,
            start_at=start_at,
        )
        for _ in range(PROCESSES)
    ]
    told = [child.told() for child in children]

    assert [None if each is None else each.error for each in told] == [None] * PROCESSES, chaos.printed()
    jobs = chaos.sandbox.jobs()
    assert len(jobs) == AFFORDABLE
    assert len({job["request"]["seed"] for job in jobs}) == AFFORDABLE
    results = [each for each in told if each is not None]
    assert sum(each.bought for each in results) == AFFORDABLE
    assert [name for each in results for name in each.failures] == []
    asyncio.run(_check_ledger(archive, catalogue_url))


async def _check_ledger(root: Path, catalogue_url: str | None) -> None:
    async with open_archive(str(root), catalogue_url) as archive:
        done = await archive.ledger.in_states(ShotState.DONE)
        others = await archive.ledger.in_states(*(set(ShotState) - {ShotState.DONE}))
        budget = await archive.ledger.budget("race/1")
    assert (len(done), others) == (AFFORDABLE, ())
    assert budget is not None
    assert budget.committed == Money(amount=AFFORDABLE * PRICE_CU, unit="CU")
