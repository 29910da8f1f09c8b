"""Databases (SQLite, and PostgreSQL where KLEINBILD_TEST_POSTGRES_URL names a server) and processes for the tests."""

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from sqlalchemy import make_url

from blocks.archive.catalogue import Catalogue
from blocks.archive.database import Database, open_database
from blocks.archive.ledger import Ledger

PROJECT = Path(__file__).parents[3]
POSTGRES_URL = os.environ.get("KLEINBILD_TEST_POSTGRES_URL")
WITH_POSTGRES = pytest.param(
    "postgresql",
    marks=pytest.mark.skipif(POSTGRES_URL is None, reason="KLEINBILD_TEST_POSTGRES_URL names no PostgreSQL server"),
)


@pytest.fixture(params=["sqlite", WITH_POSTGRES])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of an empty database of this test's own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
        return
    assert POSTGRES_URL is not None
    name = f"kleinbild_{uuid.uuid4().hex}"
    server = await asyncpg.connect(POSTGRES_URL, timeout=10)
    await server.execute(f"CREATE DATABASE {name}")
    yield make_url(POSTGRES_URL).set(database=name).render_as_string(hide_password=False)
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with its tables."""
    async with open_database(database_url) as opened:
        yield opened


@pytest.fixture
def ledger(database: Database) -> Ledger:
    """An empty ledger."""
    return Ledger(database)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    """An empty catalogue."""
    return Catalogue(database)


@pytest.fixture
def start_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python script with arguments, in a process of its own that does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", script, *arguments],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)
