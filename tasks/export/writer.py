"""The contract of a format, and which module keeps it."""

from pathlib import Path
from typing import Protocol

from tasks.export.copied import Copy
from tasks.export.files import ExportedFile
from tasks.export.folders import ImageFolder, KohyaFolder
from tasks.export.parquet import ParquetFiles
from tasks.export.shards import Shards
from tasks.export.terms import ExportFormat
from tasks.export.zipped import ZipFile


class Writer(Protocol):
    """Writes copies, one after the other, in one thread at a time. Everything here blocks."""

    def add(self, copy: Copy) -> None:
        """Writes one picture with what is said of it."""
        ...

    def close(self) -> tuple[ExportedFile, ...]:
        """Finishes; when it returns, all is on the disk. A second call does nothing and returns the same."""
        ...


def open_writer(kind: ExportFormat, folder: Path, *, with_caption: bool) -> Writer:
    """Opens a writer into an empty folder.

    Args:
        kind: The format.
        folder: It exists.
        with_caption: Whether captions are written.

    Raises:
        SetupError: The format needs a library that is not installed.
    """
    if kind == "imagefolder":
        return ImageFolder(folder, with_caption=with_caption)
    if kind == "webdataset":
        return Shards(folder, with_caption=with_caption)
    if kind == "parquet":
        return ParquetFiles(folder, with_caption=with_caption)
    if kind == "zip":
        return ZipFile(folder, with_caption=with_caption)
    return KohyaFolder(folder)
