"""Opens the catalogue's database: SQLite in one file, or PostgreSQL by URL, with the same statements for both.

Work is a plain function of a SQLAlchemy connection, and runs as one transaction. A write that has begun is finished,
even where the coroutine that asked for it is cancelled: what was paid must be recorded.

On SQLite, all writes of an archive go through one thread. Its queue is what keeps many coroutines from meeting at
"database is locked"; between processes, SQLite's busy timeout does. One hop to a thread per transaction costs a third
of the CPU of an asyncio driver, which hops for every statement and every cursor (measured: 0.29 against 0.93 ms).
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from blocks.archive import migrations
from blocks.archive.sqlite_reading import reading_engine
from blocks.errors import ArchiveError, SetupError

BUSY_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 10.0
STATEMENT_TIMEOUT_SECONDS = 60.0
WAL_RETRY_SECONDS = 0.02
TURN_TIMEOUT_SECONDS = 120.0
"""How long one write may wait for the other writers of this process."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}",
    "PRAGMA synchronous = FULL",  # in WAL, NORMAL lost 898 of 73187 acknowledged rows in a power cut, FULL none
    "PRAGMA foreign_keys = ON",
)

_ADVICE = {
    "locked": "Another process has been writing for too long: stop it, or use PostgreSQL for many machines.",
    "full": "Free some space, then run again: what was acknowledged before is safe.",
    "readonly": "Give this user the right to write the file and its folder.",
    "unable to open": "Give this user the right to write the folder.",
    "malformed": "Restore the file from a backup. Where there is none, move it away and run `python -m flows rebuild`: "
    "what is in the archive is known again then, and not bought again; shots that failed or were under way are not.",
    "not a database": "Another kind of file has this name: move it away.",
}

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
async def open_database(url: str, *, for_reading: bool = False) -> AsyncIterator[Database]:
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


class SqliteDatabase:
    """One file on this machine: many readers, one writer at a time.

    Args:
        file: Its absolute path.
        for_reading: Whether to open it in a way that cannot write.
    """

    def __init__(self, file: Path, *, for_reading: bool = False) -> None:
        self.name = str(file)
        self._engine = reading_engine(file, BUSY_TIMEOUT_SECONDS) if for_reading else _sqlite_engine(file)
        self._writing_engine = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catalogue-writer")
        self._turn = _TURNS.setdefault(file, threading.Lock())

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work on a snapshot, beside any writer."""
        return await asyncio.to_thread(self._run, self._engine, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs work when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._write, work)

    async def close(self) -> None:
        """Waits for the writes that were begun."""
        await asyncio.to_thread(self._writer.shutdown)
        self._engine.dispose()

    def _write(self, work: Callable[[Connection], T]) -> T:
        if not self._turn.acquire(timeout=TURN_TIMEOUT_SECONDS):
            raise ArchiveError(f"The catalogue {self.name} was busy for {TURN_TIMEOUT_SECONDS:.0f} s: run again.")
        try:
            return self._run(self._writing_engine, work)
        finally:
            self._turn.release()

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        with _told(self.name), engine.begin() as connection:
            return work(connection)


class PostgresDatabase:
    """A server for many machines; rows are locked one by one."""

    def __init__(self, url: URL) -> None:
        self.name = url.set(query={}).render_as_string(hide_password=True)
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"timeout": CONNECT_TIMEOUT_SECONDS, "command_timeout": STATEMENT_TIMEOUT_SECONDS},
        )
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work in a transaction of its own."""
        return await self._run(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs work in a task of its own, so that a cancelled caller does not cut it short."""
        task = asyncio.create_task(self._run(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Waits for the writes that were begun."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _run(self, work: Callable[[Connection], T]) -> T:
        with _told(self.name):
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)


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


_TURNS: dict[Path, threading.Lock] = {}
"""One lock per file for this process, since an archive may be opened many times in it."""


def parse_url(url: str) -> URL:
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
        return PostgresDatabase(_for_asyncpg(url))
    raise SetupError(
        f"A catalogue cannot live in {url.drivername!r}: use postgresql://user:password@host/name, "
        "or leave the URL empty for a SQLite file in the archive."
    )


def _for_asyncpg(url: URL) -> URL:
    """Takes the URL that psql takes: asyncpg calls `sslmode` `ssl`."""
    query = {"ssl" if key == "sslmode" else key: value for key, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


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


def _sqlite_engine(file: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        hide_parameters=True,
        # The driver begins no transactions of its own: `_begin` does.
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Turns the write-ahead log on, again and again while others open the new file too.

    This is the one statement for which SQLite reports "database is locked" at once, without its busy timeout.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(WAL_RETRY_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Says of an error of the database what it means for the archive, without a password or a row's content."""
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines() or [
            type(error).__name__
        ]
        advice = next((advice for sign, advice in _ADVICE.items() if sign in said[0]), "")
        if isinstance(error, OperationalError | OSError) and not advice:
            advice = "Look whether the database runs and can be reached, then run again."
        raise ArchiveError(f"The catalogue {name} failed: {said[0]}. {advice}".strip()) from error
