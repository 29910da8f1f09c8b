"""Parquet files with the pictures in them, as `datasets` and the Hugging Face hub show them: as pictures.

pyarrow is optional (extra `parquet`): all other formats work without it.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from blocks.errors import SetupError
from tasks.export.copied import Copy
from tasks.export.files import ExportedFile, OutFile
from tasks.export.rows import Row

FILE_SIZE_BYTES = 500_000_000
"""A file is closed when it has grown beyond this: the hub's own size of a file is the same."""

GROUP_ROWS = 100
GROUP_SIZE_BYTES = 250_000_000
"""Rows that are read together, and wait in memory until they are written. Pictures are large: the hub does the same."""


class ParquetFiles:
    """Files `pictures-000000.parquet`, `pictures-000001.parquet` and so on.

    Args:
        folder: Where they go; empty.
        with_caption: Whether captions are written.
        file_size_bytes: When to begin another file.

    Raises:
        SetupError: pyarrow is not installed.
    """

    def __init__(self, folder: Path, *, with_caption: bool, file_size_bytes: int = FILE_SIZE_BYTES) -> None:
        self._folder = folder
        self._with_caption = with_caption
        self._file_size_bytes = file_size_bytes
        self._pyarrow, self._parquet = _library("pyarrow"), _library("pyarrow.parquet")
        self._schema = _schema(self._pyarrow, with_caption=with_caption)
        self._copies: list[Copy] = []
        self._writer: Any = None
        self._file: OutFile | None = None
        self._files: list[ExportedFile] = []

    def add(self, copy: Copy) -> None:
        """Writes one picture, together with the next ones."""
        self._copies.append(copy)
        if len(self._copies) >= GROUP_ROWS or sum(len(each.data) for each in self._copies) >= GROUP_SIZE_BYTES:
            self._write_group()

    def close(self) -> tuple[ExportedFile, ...]:
        """Writes what waits, and the last file's table of contents."""
        if self._copies:
            self._write_group()
        self._finish()
        return tuple(self._files)

    def _write_group(self) -> None:
        copies, self._copies = self._copies, []
        file = self._open_file()
        self._writer.write_table(self._table(copies), row_group_size=GROUP_ROWS)
        if file.tell() > self._file_size_bytes:
            self._finish()

    def _table(self, copies: list[Copy]) -> Any:
        """Puts pictures into columns, column by column: from rows it takes three times as long."""
        pyarrow, image = self._pyarrow, self._schema.field("image")
        parts = ([copy.data for copy in copies], [copy.name for copy in copies])
        arrays = [pyarrow.array(part, field.type) for part, field in zip(parts, image.type, strict=True)]
        facts = [copy.row.facts(with_caption=self._with_caption) for copy in copies]
        columns = [[row[name] for row in facts] for name in self._schema.names if name != image.name]
        pictures = pyarrow.StructArray.from_arrays(arrays, fields=list(image.type))
        return pyarrow.Table.from_arrays([pictures, *map(pyarrow.array, columns)], schema=self._schema)

    def _open_file(self) -> OutFile:
        if self._file is None:
            self._file = OutFile(self._folder, f"pictures-{len(self._files):06d}.parquet")
            texts = [name for name in self._schema.names if name != "image"]
            # Bytes of pictures do not repeat and do not shrink: neither a dictionary nor compression is tried on them.
            # One picture is more than a page: a size that is looked at after each row keeps pages from growing to 100.
            self._writer = self._parquet.ParquetWriter(
                self._file,
                self._schema,
                compression="NONE",
                use_dictionary=texts,
                write_statistics=texts,
                write_batch_size=1,
            )
        return self._file

    def _finish(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            self._writer.close()
        finally:
            file.close()
        self._files.append(file.facts())


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SetupError(
            "A Parquet export needs the package pyarrow: install it with `pip install pyarrow`, or the project with "
            "its extra `parquet`. The other formats need nothing."
        ) from error


def _schema(pyarrow: Any, *, with_caption: bool) -> Any:
    """The columns; what `datasets` reads from the metadata makes `image` a picture instead of bytes."""
    types = {
        name: "int64" if field.annotation is int else "string"
        for name, field in Row.model_fields.items()
        if with_caption or name != "caption"
    }
    features = {"image": {"_type": "Image"}} | {name: {"dtype": each, "_type": "Value"} for name, each in types.items()}
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    columns = [("image", image), *((name, getattr(pyarrow, each)()) for name, each in types.items())]
    return pyarrow.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})
