"""Exports that are folders of pictures: Hugging Face's imagefolder, and the caption pairs of the kohya family."""

import json
from pathlib import Path

from tasks.export.captions import on_one_line
from tasks.export.copied import Copy
from tasks.export.files import ExportedFile, OutFile, write_file

PICTURES = "images"
METADATA = "metadata.jsonl"
"""By its name the loader `imagefolder` of `datasets` finds what is said of the pictures beside it and below."""

KOHYA_PICTURES = "1_pictures"
"""`--train_data_dir` passes over folders that do not begin with a number of repeats (kohya-ss/sd-scripts)."""


class ImageFolder:
    """`images/SHA256.png` and `metadata.jsonl`.

    Args:
        folder: Where it goes; empty.
        with_caption: Whether captions are written.
    """

    def __init__(self, folder: Path, *, with_caption: bool) -> None:
        self._folder = folder
        self._with_caption = with_caption
        (folder / PICTURES).mkdir()
        self._metadata = OutFile(folder, METADATA)
        self._files: list[ExportedFile] = []

    def add(self, copy: Copy) -> None:
        """Writes one picture and its line."""
        path = f"{PICTURES}/{copy.name}"
        self._files.append(place(self._folder, path, copy))
        self._metadata.write(metadata_line(path, copy, with_caption=self._with_caption))

    def close(self) -> tuple[ExportedFile, ...]:
        """Finishes."""
        self._metadata.close()
        return (*self._files, self._metadata.facts())


class KohyaFolder:
    """`1_pictures/SHA256.png` and `1_pictures/SHA256.txt`, its caption on one line.

    Args:
        folder: Where it goes; empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / KOHYA_PICTURES).mkdir()
        self._files: list[ExportedFile] = []

    def add(self, copy: Copy) -> None:
        """Writes one picture and its caption."""
        caption = f"{on_one_line(copy.row.caption)}\n".encode(errors="replace")
        self._files += [
            place(self._folder, f"{KOHYA_PICTURES}/{copy.name}", copy),
            write_file(self._folder, f"{KOHYA_PICTURES}/{copy.stem}.txt", caption),
        ]

    def close(self) -> tuple[ExportedFile, ...]:
        """Has nothing left to do."""
        return tuple(self._files)


def metadata_line(path: str, copy: Copy, *, with_caption: bool) -> bytes:
    """Writes what is said of a picture as a line of JSON; `file_name` says which picture it is."""
    said = {"file_name": path, **copy.row.facts(with_caption=with_caption)}
    return f"{json.dumps(said, ensure_ascii=False)}\n".encode(errors="replace")


def place(folder: Path, path: str, copy: Copy) -> ExportedFile:
    """Puts a picture into a folder: as another name of the archive's own file where that has the very same bytes.

    Such a file is read-only, as it is in the archive, and takes no space. Where no link can be made (another disk,
    a file system without links), a copy is.
    """
    if copy.original is not None:
        try:
            (folder / path).hardlink_to(copy.original)
        except OSError:  # whatever keeps a link from being made: a copy can be
            return write_file(folder, path, copy.data)
        return ExportedFile(path=path, size_bytes=len(copy.data), sha256=copy.row.file_sha256)
    return write_file(folder, path, copy.data)
