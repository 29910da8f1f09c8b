"""Opens the catalogue's database: SQLite in one file, or PostgreSQL by URL, with the same statements for both.

Work is a plain function of a SQLAlchemy connection, and runs as one transaction. A write that has begun is finished,
even where the coroutine that asked for it is cancelled: what was paid must be recorded.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from blocks.archive import migrations
from blocks.archive.postgres import PostgresDatabase
from blocks.archive.sqlite import SqliteDatabase
from blocks.errors import ArchiveError, SetupError

T = TypeVar("T")


class Database(Protocol):
    """Runs work as transactions. `name` is for messages and holds no password."""

    name: str

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work that changes nothing, on one consistent state."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs work in a transaction that is durable when this returns.

        Raises:
            ArchiveError: The database could not do it; nothing of it happened.
        """
        ...

    async def close(self) -> None:
        """Finishes what has begun and closes the connections."""
        ...


@asynccontextmanager
async def open_database(url: str | URL, *, for_reading: bool = False) -> AsyncIterator[Database]:
    """Opens a database, with its tables up to date.

    Args:
        url: `sqlite:///folder/file`, or `postgresql://user:password@host/name`.
        for_reading: Whether to refuse all writes. A SQLite file has to be there then, and is not changed.

    Raises:
        SetupError: The URL is not understood, or the database cannot be reached.
        ArchiveError: The database was made by a newer Kleinbild; or it is to be read, and is missing or was made by an
            older one.
    """
    database = _database(parse_url(url), for_reading=for_reading)
    try:
        await _bring_up_to_date(database, may_migrate=not (for_reading and isinstance(database, SqliteDatabase)))
        yield _ReadOnly(database) if for_reading else database
    finally:
        await database.close()


class _ReadOnly:
    """A database that is only read."""

    def __init__(self, database: Database) -> None:
        self.name = database.name
        self._database = database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work that changes nothing."""
        return await self._database.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Refuses.

        Raises:
            ArchiveError: Always.
        """
        raise ArchiveError(f"Could not write to the catalogue {self.name}: it was opened for reading only.")

    async def close(self) -> None:
        """Closes the connections."""
        await self._database.close()


def parse_url(url: str | URL) -> URL:
    """Reads a database's URL.

    Raises:
        SetupError: It is none; the message does not repeat it, for it may hold a password.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause: it would show the URL, and with it a password.
        raise SetupError(
            "The catalogue's URL is not understood: use postgresql://user:password@host/name, or leave it empty."
        ) from None


def _database(url: URL, *, for_reading: bool) -> Database:
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return SqliteDatabase(Path(url.database).absolute(), for_reading=for_reading)
    if kind in {"postgresql", "postgres"}:
        return PostgresDatabase(url)
    raise SetupError(
        f"A catalogue cannot live in {url.drivername!r}: use postgresql://user:password@host/name, "
        "or leave the URL empty for a SQLite file in the archive."
    )


async def _bring_up_to_date(database: Database, *, may_migrate: bool) -> None:
    try:
        if not may_migrate:
            await database.read(migrations.require_current)
        elif not await database.read(migrations.is_current):
            await database.write(migrations.migrate)
    except ArchiveError as error:
        if error.__cause__ is None:  # our own word on the tables, not the database's on the connection
            raise
        raise SetupError(str(error)) from error
