"""Files that survive a power cut: written aside, fsynced, then given their name, then their folder fsynced.

Measured by cutting the power of a loop-mounted ext4: rename without fsync lost 1200 of 1200 acknowledged writes,
without the folder's fsync 6 of 914, with both 0 of 5977 (archive notes, section 0). Everything here blocks: call it
in a thread.
"""

import errno
import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STRAY_AFTER_SECONDS = 3600.0
READ_ONLY = 0o444
REPLACEABLE = 0o644

_TEMP_NAME = re.compile(r"write-\d+-[0-9a-f]{32}")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links answer (exFAT, some network mounts)."""


def create_once(temp_folder: Path, path: Path, data: bytes) -> bool:
    """Gives `data` the name `path` unless that name is taken; of many writers exactly one gets True.

    When it returns, the file is on the disk, whoever wrote it.

    Args:
        temp_folder: An existing folder on the same file system.
        path: Final name; its folder exists.
        data: All of the content.
    """
    with _written_aside(temp_folder, data, READ_ONLY) as temp:
        try:
            os.link(temp, path)
            won = True
        except FileExistsError:
            won = False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            won = _rename_once(temp_folder, temp, path)
    sync_folder(path.parent)
    return won


def replace(temp_folder: Path, path: Path, data: bytes, mode: int = REPLACEABLE) -> None:
    """Gives `data` the name `path`, instead of what had it before: readers see the old or the new, nothing between."""
    with _written_aside(temp_folder, data, mode) as temp:
        temp.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(root: Path, folder: Path) -> None:
    """Makes a folder under `root` and every one between, durably, also where another process has just made them."""
    folder.mkdir(parents=True, exist_ok=True)
    while folder != root:
        folder = folder.parent
        sync_folder(folder)


def temp_name() -> str:
    """A name that no other writer uses, and that a sweeper knows as ours."""
    return f"write-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(temp_folder: Path, older_than_seconds: float = STRAY_AFTER_SECONDS) -> int:
    """Removes files that killed writers left behind, and no others; returns how many."""
    limit = time.time() - older_than_seconds
    swept = 0
    for stray in temp_folder.iterdir():
        with suppress(FileNotFoundError):  # its writer, or another sweeper, was faster
            if _TEMP_NAME.fullmatch(stray.name) and stray.is_file() and stray.stat().st_mtime < limit:
                stray.unlink()
                swept += 1
    return swept


@contextmanager
def _written_aside(temp_folder: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Writes a temporary file, complete and on the disk; it is gone afterwards, whatever happens."""
    temp = temp_folder / temp_name()
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield temp
    finally:
        temp.unlink(missing_ok=True)


def _rename_once(temp_folder: Path, temp: Path, path: Path) -> bool:
    """Renames under a lock that the kernel gives back even when its holder is killed."""
    with (temp_folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return False
        temp.rename(path)
        return True
