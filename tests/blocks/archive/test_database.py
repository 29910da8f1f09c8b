import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from blocks.archive.database import Database, open_database
from blocks.archive.schema import budgets
from blocks.errors import ArchiveError, SetupError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def add_budget(connection: Connection, scope: str) -> None:
    row = {"scope": scope, "unit": "USD", "limit_micro": 1, "committed_micro": 0, "updated_at": NOON}
    connection.execute(insert(budgets), row)


def scopes(connection: Connection) -> list[str]:
    return list(connection.execute(select(budgets.c.scope).order_by(budgets.c.scope)).scalars())


async def test_a_failed_write_changes_nothing(database: Database) -> None:
    """A transaction is all or nothing, whatever kind of error ends it."""

    def fail(connection: Connection) -> None:
        add_budget(connection, "half")
        raise KeyError("in our own code")

    with pytest.raises(KeyError):
        await database.write(fail)
    assert await database.read(scopes) == []


async def test_a_write_that_was_begun_is_finished_although_its_caller_is_cancelled(database: Database) -> None:
    """What was paid must be recorded, also when the run is being stopped."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        add_budget(connection, "paid")

    caller = asyncio.create_task(database.write(slow))
    await begun.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await database.write(partial(add_budget, scope="next"))
    assert await database.read(scopes) == ["next", "paid"]


async def test_many_coroutines_write_without_meeting_a_lock(database: Database) -> None:
    """Writers of one process queue; none of them sees "database is locked"."""
    names = [f"{n:03}" for n in range(64)]
    await asyncio.gather(*(database.write(partial(add_budget, scope=name)) for name in names))
    assert await database.read(scopes) == names


async def test_two_openings_of_one_database_take_turns(database_url: str) -> None:
    """Two flows of one process may hold the same archive open."""
    async with open_database(database_url) as one, open_database(database_url) as other:
        names = [f"{n:03}" for n in range(40)]
        await asyncio.gather(
            *((one, other)[n % 2].write(partial(add_budget, scope=name)) for n, name in enumerate(names))
        )
        assert await one.read(scopes) == await other.read(scopes) == names


async def test_an_error_tells_neither_rows_nor_password(database: Database) -> None:
    """Messages go to logs: they name the database and what failed, not what was in the row."""
    await database.write(partial(add_budget, scope="secret-row"))
    with pytest.raises(ArchiveError) as raised:
        await database.write(partial(add_budget, scope="secret-row"))
    assert str(raised.value).startswith(f"The catalogue {database.name} failed: ")
    assert "secret-row" not in str(raised.value)


async def test_sqlite_is_opened_as_safely_as_it_can(tmp_path: Path) -> None:
    """WAL, a sync at each commit, a patient busy timeout and foreign keys, on every connection."""

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async with open_database(f"sqlite:///{tmp_path / 'c.sqlite'}") as database:
        assert await database.write(pragmas) == ["wal", 2, 30000, 1]
        assert await database.read(pragmas) == ["wal", 2, 30000, 1]


async def test_the_disk_never_holds_up_the_event_loop(tmp_path: Path) -> None:
    """SQLite's work runs in threads, and all writes in the same one."""

    def thread(_: Connection) -> int:
        return threading.get_ident()

    async with open_database(f"sqlite:///{tmp_path / 'c.sqlite'}") as database:
        writers = set(await asyncio.gather(*(database.write(thread) for _ in range(8))))
        assert len(writers) == 1
        assert threading.get_ident() not in writers | {await database.read(thread)}


async def test_a_write_holds_the_lock_from_its_start(tmp_path: Path) -> None:
    """Work that reads before it writes (a migration) must not find that another process wrote in between."""
    file = tmp_path / "c.sqlite"

    def other_process_tries(connection: Connection) -> str:
        other = sqlite3.connect(file, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return str(error)
        finally:
            other.close()
        return "it got the lock"

    async with open_database(f"sqlite:///{file}") as database:
        assert await database.write(other_process_tries) == "database is locked"
        assert await database.read(other_process_tries) == "it got the lock"


async def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    """A long write (a rebuild) leaves the catalogue readable, as it was before."""
    finish = threading.Event()

    def long(connection: Connection) -> None:
        add_budget(connection, "new")
        finish.wait(30)

    async with open_database(f"sqlite:///{tmp_path / 'c.sqlite'}") as database:
        writing = asyncio.create_task(database.write(long))
        assert await database.read(scopes) == []
        finish.set()
        await writing
        assert await database.read(scopes) == ["new"]


async def test_files_that_are_no_catalogue_are_refused(tmp_path: Path) -> None:
    """Another file of this name, and a folder that is missing, are told apart."""
    (tmp_path / "c.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 30)
    with pytest.raises(SetupError, match=r"file is not a database\. Another kind of file has this name"):
        async with open_database(f"sqlite:///{tmp_path / 'c.sqlite'}"):
            pass
    with pytest.raises(SetupError, match=r"unable to open database file\. Give this user the right"):
        async with open_database(f"sqlite:///{tmp_path / 'missing' / 'c.sqlite'}"):
            pass


async def test_a_catalogue_that_another_process_holds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the busy timeout the message names the cause."""
    monkeypatch.setattr("blocks.archive.database._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    file = tmp_path / "c.sqlite"
    async with open_database(f"sqlite:///{file}") as database:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(
                ArchiveError, match=r"database is locked\. Another process has been writing for too long"
            ):
                await database.write(partial(add_budget, scope="a"))
        finally:
            other.close()
        await database.write(partial(add_budget, scope="a"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://user:hidden@host/name", "cannot live in 'mysql'"),
        ("sqlite://", "cannot live in 'sqlite'"),
        ("host=db password=hidden", "is not understood"),
        ("postgresql://user:hidden@host:port/name", "is not understood"),
    ],
)
async def test_other_urls_are_refused_without_showing_them(url: str, message: str) -> None:
    """A URL holds a password: no message and no cause of it shows one."""
    with pytest.raises(SetupError, match=message) as raised:
        async with open_database(url):
            pass
    assert "hidden" not in repr(raised.value)
    assert raised.value.__cause__ is None


async def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    """The message says which server did not answer."""
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:1/name failed.*Look whether the database runs") as raised:
        async with open_database("postgresql://user:hidden@127.0.0.1:1/name?sslmode=disable"):
            pass
    assert "hidden" not in str(raised.value)


async def test_moments_keep_their_instant(database: Database) -> None:
    """Whatever zone a moment was given in, it comes back as UTC; one without a zone is refused."""
    tokyo = timezone(timedelta(hours=9))
    row = {"scope": "s", "unit": "USD", "limit_micro": 1, "committed_micro": 0}
    given = row | {"updated_at": NOON.astimezone(tokyo)}
    await database.write(lambda connection: connection.execute(insert(budgets), given))
    moment = await database.read(lambda connection: connection.scalar(select(budgets.c.updated_at)))
    assert (moment, moment and moment.tzinfo) == (NOON, UTC)
    zoneless = row | {"scope": "t", "updated_at": NOON.replace(tzinfo=None)}
    with pytest.raises(ArchiveError, match="has no time zone"):
        await database.write(lambda connection: connection.execute(insert(budgets), zoneless))
