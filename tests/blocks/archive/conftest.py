"""A database for each test: a SQLite file, and PostgreSQL where KLEINBILD_TEST_POSTGRES_URL names a server."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from blocks.archive.catalogue import Catalogue
from blocks.archive.database import Database, open_database
from blocks.archive.ledger import Ledger

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
