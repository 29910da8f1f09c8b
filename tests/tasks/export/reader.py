"""Loads a dataset with another library than ours, and prints what it found: run as a script, by the tests."""

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files_of(pattern: str) -> list[str]:
    return sorted(str(path) for path in Path(pattern).parent.glob(Path(pattern).name))


def bytes_at(path: str) -> bytes:
    """Of a file, or of one within a zip, as `datasets` names it."""
    import fsspec

    with fsspec.open(path, "rb") as file:
        return bytes(file.read())


def with_datasets(builder: str, source: str | None = None) -> list[dict[str, Any]]:
    from datasets import Image, load_dataset

    if Path(builder).is_dir():
        loaded = load_dataset(builder, source, split="train")
    else:
        where = {"data_dir": source} if Path(source).is_dir() else {"data_files": files_of(source)}
        loaded = load_dataset(builder, split="train", **where)
    (column,) = (name for name, feature in loaded.features.items() if isinstance(feature, Image))
    sizes = [picture.size for picture in loaded[column]]
    rows = []
    for row, size in zip(loaded.cast_column(column, Image(decode=False)), sizes, strict=True):
        image = row.pop(column)
        data = image["bytes"] or bytes_at(image["path"])
        facts = row.pop("json", row)
        rows.append({**facts, "size": size, "read_sha256": sha256_of(data)})
    return rows


def with_webdataset(pattern: str) -> list[dict[str, Any]]:
    import webdataset

    rows = []
    for sample in webdataset.WebDataset(files_of(pattern), shardshuffle=False):
        (data,) = (sample[suffix] for suffix in ("png", "jpg", "webp") if suffix in sample)
        said = {"key": sample["__key__"], "txt": sample["txt"].decode()}
        rows.append({**json.loads(sample["json"]), **said, "read_sha256": sha256_of(data)})
    decoded = webdataset.WebDataset(files_of(pattern), shardshuffle=False).decode("pil").to_tuple("png;jpg;webp")
    for row, (picture,) in zip(rows, decoded, strict=True):
        row["size"] = picture.size
    return rows


def with_pyarrow(folder: str) -> list[dict[str, Any]]:
    from pyarrow.parquet import read_table

    return [row_of(record) for record in read_table(folder).to_pylist()]


def with_pandas(folder: str) -> list[dict[str, Any]]:
    from pandas import read_parquet

    return [row_of(record) for record in read_parquet(folder).to_dict("records")]


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    data = record.pop("image")["bytes"]
    with Image.open(io.BytesIO(data)) as picture:
        return {**record, "size": picture.size, "read_sha256": sha256_of(data)}


READERS = {
    "datasets": with_datasets,
    "webdataset": with_webdataset,
    "pyarrow": with_pyarrow,
    "pandas": with_pandas,
}

library, *arguments = sys.argv[1:]
found = READERS[library](*arguments)
sys.stdout.write(json.dumps(found, default=str))
