"""A zip to send: `images/SHA256.png` and `metadata.jsonl`, stored as they are, for pictures do not shrink.

All dates in it are 1 January 1980, the first that the format knows: the same pictures make the same bytes.
"""

import os
import zipfile
from pathlib import Path

from tasks.export.copied import Copy
from tasks.export.files import ExportedFile, facts_of
from tasks.export.folders import METADATA, PICTURES, metadata_line

NAME = "pictures.zip"

_UNIX = 3
_REGULAR_FILE = 0o100644


class ZipFile:
    """`pictures.zip`.

    Args:
        folder: Where it goes; empty.
        with_caption: Whether captions are written.
    """

    def __init__(self, folder: Path, *, with_caption: bool) -> None:
        self._folder = folder
        self._with_caption = with_caption
        self._lines: list[bytes] = []
        self._file = (folder / NAME).open("x+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self._written: tuple[ExportedFile, ...] = ()

    def add(self, copy: Copy) -> None:
        """Writes one picture, and keeps its line."""
        path = f"{PICTURES}/{copy.name}"
        self._zip.writestr(_entry(path), copy.data)
        self._lines.append(metadata_line(path, copy, with_caption=self._with_caption))

    def close(self) -> tuple[ExportedFile, ...]:
        """Writes the lines and the table of contents."""
        if not self._file.closed:  # it is after a call that failed, too: what went wrong there is what counts
            try:
                self._zip.writestr(_entry(METADATA), b"".join(self._lines))
                self._zip.close()
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
            self._written = (facts_of(self._folder, NAME),)  # it was written to and fro: hashed as it is now
        return self._written


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path)
    entry.create_system, entry.external_attr = _UNIX, _REGULAR_FILE << 16
    return entry
