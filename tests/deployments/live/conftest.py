"""One server, one clone and one worker for all tests that deploy for real."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from deployments.work_pools import POOL
from tests.deployments.live.operating import Operator, operator
from tests.deployments.plant import postgres_database
from tests.ports import held_port
from tests.prefect_servers import prefect_at

POSTGRES_URL = os.environ.get("KLEINBILD_TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def database_url() -> Iterator[str | None]:
    """A PostgreSQL database where there is a server for it; otherwise the Prefect server's own SQLite.

    SQLite is busy now and then when everything is at work at once, and an automation that wants to write then misses
    its event.
    """
    if POSTGRES_URL is None:
        yield None
        return
    with asyncio.Runner() as runner:
        database = postgres_database(POSTGRES_URL)
        yield runner.run(database.__aenter__())
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def at_work(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[Operator]:
    """An operator with a clone and a server that nothing was deployed to yet."""
    with operator(tmp_path_factory.mktemp("operator"), held_port(), database_url) as somebody:
        yield somebody


@pytest.fixture(scope="session")
def first_words(at_work: Operator) -> str:
    """What the first `python -m deployments.deploy` said."""
    without_pool = at_work.python("deployments.worker")
    assert (without_pool.returncode, without_pool.stdout) == (3, "")
    assert without_pool.stderr == "The server has no work pool `kleinbild`: run `make deploy` first.\n"
    done = at_work.python("deployments.deploy")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def worker_elsewhere(
    at_work: Operator, first_words: str, sandbox_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A worker that was started in another folder, and credentials for the sandbox; gives the folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    httpx.post(f"{sandbox_url}/sandbox/reset", trust_env=False).raise_for_status()  # what is bought is counted
    assert at_work.python("deployments.register", "--sandbox", sandbox_url).returncode == 0
    with at_work.worker(folder):
        yield folder


@pytest.fixture
async def client(at_work: Operator, first_words: str) -> AsyncIterator[PrefectClient]:
    """A client of the server that everything was deployed to."""
    with prefect_at(at_work.api):
        async with get_client() as client:
            yield client


@pytest.fixture
async def nobody_works(client: PrefectClient) -> AsyncIterator[None]:
    """The work pool is paused, so that no worker takes what a test makes."""
    await client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
    yield
    await client.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))
