"""Files of an export: counted and hashed while they are written, on the disk when they are closed."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from blocks.provider import Frozen


class ExportedFile(Frozen):
    """A file of an export, as its manifest names it."""

    path: str
    """Relative to the export, with `/`."""
    size_bytes: int
    sha256: str


class OutFile:
    """A new file for programs that write from its beginning to its end.

    Args:
        folder: The export's.
        path: Where in it, with `/`; the folders exist.
    """

    def __init__(self, folder: Path, path: str) -> None:
        self._path = path
        self._file: BinaryIO = (folder / path).open("xb")
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    @property
    def closed(self) -> bool:
        """Whether it is finished."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Adds bytes at the end."""
        self._hash.update(data)
        self._size_bytes += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """How many bytes there are."""
        return self._size_bytes

    def flush(self) -> None:
        """Hands what is buffered to the system."""
        self._file.flush()

    def close(self) -> None:
        """Brings it onto the disk."""
        if not self._file.closed:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()

    def facts(self) -> ExportedFile:
        """What was written so far."""
        return ExportedFile(path=self._path, size_bytes=self._size_bytes, sha256=self._hash.hexdigest())


def write_file(folder: Path, path: str, data: bytes) -> ExportedFile:
    """Writes a whole file."""
    file = OutFile(folder, path)
    try:
        file.write(data)
    finally:
        file.close()
    return file.facts()


def facts_of(folder: Path, path: str) -> ExportedFile:
    """Reads a file that is there, to say the same of it.

    Raises:
        OSError: It cannot be read.
    """
    with (folder / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ExportedFile(path=path, size_bytes=file.tell(), sha256=digest)
