import asyncio
import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from blocks.archive.database import open_database
from blocks.errors import ArchiveError, SetupError
from tests.blocks.archive.budgets import add_budget, scopes


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
    monkeypatch.setattr("blocks.archive.sqlite._PRAGMAS", ("PRAGMA busy_timeout = 50",))
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
