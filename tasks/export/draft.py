"""An export while it is made: in a folder beside its final place, which it takes whole or not at all.

What a killed export left behind is swept by the next one to the same place: a draft that is at work is locked, and the
kernel gives the lock back whatever becomes of the process.
"""

import asyncio
import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from blocks.archive.durable import sync_folder
from blocks.errors import BriefError, SetupError

PREFIX = ".kleinbild-export-"
SWEPT_AFTER_SECONDS = 3600.0

_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


class Draft:
    """The folders of an export that is being made.

    Args:
        root: A folder beside the target.
        target: The export's final place.
    """

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root
        self._target = target
        self.content = root / "content"
        """What will be the export."""
        self.aside = root / "aside"
        """Space for what is needed on the way."""
        for folder in (self.content, self.aside):
            folder.mkdir()

    def publish(self) -> None:
        """Gives the export its final name.

        Raises:
            BriefError: Something has taken the name meanwhile.
        """
        for folder, _, _ in os.walk(self.content):
            sync_folder(Path(folder))
        try:
            self.content.rename(self._target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            raise BriefError(f"{self._target} has come into being meanwhile: name another folder.") from error
        sync_folder(self._target.parent)


@asynccontextmanager
async def drafted(target: Path) -> AsyncIterator[Draft]:
    """Makes room for an export; whatever has not been published at the end is gone.

    Raises:
        SetupError: Something cannot be written there.
    """
    parent = target.parent
    try:
        await asyncio.to_thread(_prepare, parent)
        root = parent / f"{PREFIX}{uuid.uuid4().hex}"
        root.mkdir()
        try:
            with _locked(root):
                yield await asyncio.to_thread(Draft, root, target)
        finally:
            await asyncio.to_thread(shutil.rmtree, root)
    except OSError as error:
        raise SetupError(
            f"The export cannot be written to {parent}: {error.strerror or type(error).__name__}. Free some space, or "
            "name a folder that this user may write to."
        ) from error


def _prepare(parent: Path) -> None:
    parent.mkdir(parents=True, exist_ok=True)
    for stray in parent.glob(f"{PREFIX}*"):
        _sweep(stray)


def _sweep(stray: Path) -> None:
    try:
        if time.time() - stray.stat().st_mtime < SWEPT_AFTER_SECONDS:
            return
        with _locked(stray):
            shutil.rmtree(stray)
    except OSError:
        return  # somebody works in it, another sweeper was faster, or it is somebody else's: it is in nobody's way


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Locks a folder.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
