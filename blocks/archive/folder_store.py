"""The store that is a local folder: every file is written aside, fsynced, and then given its name."""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from blocks.archive import durable
from blocks.archive.layout import TEMP_FOLDER, check_key, is_meant_to_stay
from blocks.archive.probe import FIRST, PART, SECOND, Seen, judge
from blocks.archive.store import StoredObject
from blocks.errors import ArchiveError, SetupError

_ADVICE = {
    errno.ENOSPC: "Free some space, then run again: what was acknowledged before is safe.",
    errno.EDQUOT: "Free some space or raise the quota, then run again: what was acknowledged before is safe.",
    errno.EACCES: "Give this user the right to read and write the archive's folder.",
    errno.EPERM: "Give this user the right to read and write the archive's folder.",
    errno.EROFS: "The file system is mounted read-only: mount it for writing, or choose another root.",
    errno.EXDEV: f"An archive lies on one file system: mount nothing inside it, not even at {TEMP_FOLDER!r}.",
    errno.EIO: "The disk reports an error: look at the system's log before writing more.",
    errno.ENOTDIR: "A file lies where a folder should be: move it away.",
    errno.EISDIR: "A folder lies where a file should be: move it away.",
}


class FolderStore:
    """A store that is a local folder. Open it with `await FolderStore.open(root)`.

    Args:
        root: The folder, as an absolute path; it exists, and so does its folder for half-written files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temp_folder = root / TEMP_FOLDER
        self._durable_folders: set[Path] = {root}

    @classmethod
    async def open(cls, root: Path) -> Self:
        """Makes the folder where it is missing, sweeps what killed writers left, and tries what it promises.

        Raises:
            SetupError: The root is a file, cannot be written, or breaks a promise.
        """
        store = cls(root)
        await asyncio.to_thread(store._prepare)
        await store.probe()
        return store

    def path_of(self, key: str) -> Path:
        """The file of a key, whether it is there or not.

        Raises:
            ArchiveError: The key could leave the archive.
        """
        check_key(key)
        return self.root.joinpath(*key.split("/"))

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Writes an object, read-only, unless the key is taken; True where this call wrote it."""
        return await asyncio.to_thread(self._put_if_absent, key, data)

    async def put(self, key: str, data: bytes) -> None:
        """Writes an object, or replaces it at once as a whole."""
        await asyncio.to_thread(self._put, key, data)

    async def get(self, key: str) -> bytes:
        """Reads an object."""
        return await asyncio.to_thread(self._get, key)

    async def head(self, key: str) -> StoredObject | None:
        """Says whether an object is there, and its size."""
        return await asyncio.to_thread(self._head, key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Lists the keys that start with `prefix`, sorted within each folder. Links are not followed."""
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)  # names that are found below may be anything: they are listed, and nobody's
        folders = [folder]
        while folders:
            keys, inner = await asyncio.to_thread(self._look_into, folders.pop(), prefix)
            for key in keys:
                yield key
            folders.extend(reversed(inner))

    async def delete(self, key: str) -> None:
        """Removes an object, if it is there."""
        await asyncio.to_thread(self._delete, key)

    async def probe(self) -> None:
        """Tries that one name is given once, and that the folder can be synced: some network mounts cannot.

        Raises:
            SetupError: The folder cannot be written, or breaks a promise.
        """
        judge(str(self.root), await asyncio.to_thread(self._try_out))

    def _prepare(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise SetupError(f"The archive's root {self.root} is a file: name a folder.")
        with self._usable():
            known = next(folder for folder in (self._temp_folder, *self._temp_folder.parents) if folder.exists())
            durable.make_folder(known, self._temp_folder)
            durable.sweep(self._temp_folder)

    def _try_out(self) -> Seen:
        """Puts two things under one name, among the half-written files."""
        path = self._temp_folder / durable.temp_name()
        with self._usable():
            try:
                return Seen(
                    first_won=durable.create_once(self._temp_folder, path, FIRST),
                    second_won=durable.create_once(self._temp_folder, path, SECOND),
                    read=path.read_bytes(),
                    part=_read_part(path),
                    is_listed=path in self._temp_folder.iterdir(),
                )
            finally:
                path.unlink(missing_ok=True)

    def _put_if_absent(self, key: str, data: bytes) -> bool:
        path = self.path_of(key)
        with self._told("write", key):
            self._make_folder(path.parent)
            return durable.create_once(self._temp_folder, path, data)

    def _put(self, key: str, data: bytes) -> None:
        path = self.path_of(key)
        # A picture that is mended is read-only again: an export may link to it, and nobody is to write through that.
        mode = durable.READ_ONLY if is_meant_to_stay(key) else durable.REPLACEABLE
        with self._told("write", key):
            self._make_folder(path.parent)
            durable.replace(self._temp_folder, path, data, mode)

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._durable_folders or not folder.is_dir():
            durable.make_folder(self.root, folder)
            self._durable_folders.add(folder)

    def _get(self, key: str) -> bytes:
        path = self.path_of(key)
        with self._told("read", key):
            try:
                return path.read_bytes()
            except FileNotFoundError as error:
                raise ArchiveError(
                    f"{key} is missing in {self.root}: verify the archive to see what else is."
                ) from error

    def _head(self, key: str) -> StoredObject | None:
        path = self.path_of(key)
        with self._told("look at", key):
            try:
                facts = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return StoredObject(key=key, size_bytes=facts.st_size) if stat.S_ISREG(facts.st_mode) else None

    def _look_into(self, folder: str, prefix: str) -> tuple[Sequence[str], Sequence[str]]:
        """Keys in one folder that start with the prefix, and the folders in it that may hold more."""
        keys, folders = [], []
        for entry in self._entries_of(folder):
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if key != TEMP_FOLDER and f"{key}/".startswith(prefix):
                    folders.append(key)
            elif entry.is_file(follow_symlinks=False) and key.startswith(prefix):
                keys.append(key)
        return keys, folders

    def _entries_of(self, folder: str) -> Sequence[os.DirEntry[str]]:
        with self._told("list", folder or "the archive"):
            try:
                with os.scandir(self.root / folder) as entries:
                    return sorted(entries, key=lambda entry: entry.name)
            except FileNotFoundError:
                return ()

    def _delete(self, key: str) -> None:
        path = self.path_of(key)
        with self._told("remove", key):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            durable.sync_folder(path.parent)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Says of an error of the system that there can be no archive here."""
        try:
            yield
        except OSError as error:
            raise SetupError(f"The archive's root {self.root} cannot be written: {_reason(error)}") from error

    @contextmanager
    def _told(self, action: str, key: str) -> Iterator[None]:
        """Says of an error of the system what it means for the archive."""
        try:
            yield
        except OSError as error:
            raise ArchiveError(f"Could not {action} {key} in {self.root}: {_reason(error)}") from error


def _read_part(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(PART.start)
        return file.read(PART.stop - PART.start)


def _reason(error: OSError) -> str:
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{error.strerror or type(error).__name__}. {advice}".strip()
