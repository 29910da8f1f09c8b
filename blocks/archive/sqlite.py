"""The catalogue in one SQLite file, opened as safely as it can be.

All writes of an archive go through one thread. Its queue is what keeps many coroutines from meeting at "database is
locked"; between processes, SQLite's busy timeout does. One hop to a thread per transaction costs a third of the CPU of
an asyncio driver, which hops for every statement and every cursor (measured: 0.29 against 0.93 ms).
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event

from blocks.archive.database_errors import told
from blocks.archive.sqlite_reading import reading_engine
from blocks.errors import ArchiveError

BUSY_TIMEOUT_SECONDS = 30.0
WAL_RETRY_SECONDS = 0.02
TURN_TIMEOUT_SECONDS = 120.0
"""How long one write may wait for the other writers of this process."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}",
    "PRAGMA synchronous = FULL",  # in WAL, NORMAL lost 898 of 73187 acknowledged rows in a power cut, FULL none
    "PRAGMA foreign_keys = ON",
)

_TURNS: dict[Path, threading.Lock] = {}
"""One lock per file for this process, since an archive may be opened many times in it."""

T = TypeVar("T")


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
        with told(self.name), engine.begin() as connection:
            return work(connection)


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
