"""Opens a SQLite file for reading alone, also where nothing can be written.

In WAL mode even a reader keeps an index of the -wal file beside it, in the -shm file, which writers and readers share.
Where there is none and none can be made (a read-only medium, a full disk), SQLite opens the file only as `immutable`:
it takes no locks then, and overlooks the -wal file. That is right only where no -wal holds anything, and while nobody
writes; so each connection tries the ordinary way first, which works as soon as a writer's -shm file is there.
"""

import sqlite3
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, event

from blocks.errors import ArchiveError

_NO_INDEX = {
    sqlite3.SQLITE_CANTOPEN,  # a read-only medium, or a folder that this user cannot write
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,  # a full disk
}
"""What SQLite answers where it cannot make the -shm file. Measured on a read-only mount and a full disk."""

_UNFINISHED = ("-wal", "-journal")
"""Files that hold a part of the database, which `immutable` would overlook."""


def reading_engine(file: Path, timeout_seconds: float) -> Engine:
    """Opens a database that is there, without changing its file.

    No connection is kept between two reads. One that is open keeps a writer that ends from putting its files in order:
    what it wrote would stay in the -wal file, and a reader cannot move it into the database.

    Args:
        file: Its file, as an absolute path.
        timeout_seconds: How long to wait for a lock.
    """
    engine = create_engine(
        "sqlite://", creator=partial(_connect, file, timeout_seconds), poolclass=NullPool, hide_parameters=True
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _connect(file: Path, timeout_seconds: float) -> sqlite3.Connection:
    """Connects in the ordinary way, or, where that cannot be, to the file as it lies.

    Raises:
        ArchiveError: There is none, or a part of it lies in a file that cannot be read here.
        sqlite3.Error: It cannot be read.
    """
    if not file.is_file():
        raise ArchiveError(
            f"The catalogue {file} is missing: bring it back from a backup, or run `python -m flows rebuild`, which "
            "makes it anew from what lies in the archive."
        )
    try:
        return _connected(file, "mode=ro", timeout_seconds)
    except sqlite3.Error as error:
        if error.sqlite_errorcode not in _NO_INDEX:
            raise
    _refuse_unfinished(file.resolve())  # where SQLite, too, looks for the files beside it
    return _connected(file, "mode=ro&immutable=1", timeout_seconds)


def _connected(file: Path, how: str, timeout_seconds: float) -> sqlite3.Connection:
    """Connects, and looks whether anything can be read: connecting alone opens no file."""
    # The driver begins no transactions of its own.
    connection = sqlite3.connect(f"{file.as_uri()}?{how}", timeout_seconds, isolation_level=None, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _refuse_unfinished(file: Path) -> None:
    unfinished = [beside for beside in _UNFINISHED if _holds_something(Path(f"{file}{beside}"))]
    if unfinished:
        raise ArchiveError(
            f"A part of the catalogue lies in {file}{unfinished[0]}, where a run left it that was killed or is at "
            "work, and cannot be read where nothing can be written. Make the folder writable, or free some space; or "
            "copy the whole archive, that file too, to a disk that can be written, and read the copy."
        )


def _holds_something(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
