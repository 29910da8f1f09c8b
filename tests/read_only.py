"""A medium that cannot be written, for tests that may not mount one."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.archive import durable, sqlite_reading

Connect = Callable[[Path, str, float], sqlite3.Connection]


def refuse_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has everything fail that writes into a folder of an archive, as it does on a read-only mount."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("create_once", "replace", "make_folder", "sweep"):
        monkeypatch.setattr(durable, name, refuse)
    monkeypatch.setattr(sqlite_reading, "_connected", _connected_without_index(sqlite_reading._connected))


def contents_of(root: Path) -> dict[str, tuple[int, bytes | None]]:
    """Everything below a folder: its name, when it was changed, and its bytes."""
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in (root, *root.rglob("*"))
    }


def _connected_without_index(connected: Connect) -> Connect:
    """Answers as SQLite does where it cannot make a -shm file."""

    def connect(file: Path, how: str, timeout_seconds: float) -> sqlite3.Connection:
        if "immutable" not in how and not Path(f"{file}-shm").exists():
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return connected(file, how, timeout_seconds)

    return connect
