"""What we write is what others load: Hugging Face's `datasets`, `webdataset`, and plain programs."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.export.export import export_pictures
from tasks.export.manifest import MANIFEST, Manifest
from tasks.export.terms import ExportFormat, Terms
from tasks.models import ImageRecord, sha256_of
from tests.tasks.export.conftest import Shelf

Load = Callable[..., list[dict[str, Any]]]
CHAIN = "a mug, “blue” & <b>é 😀</b>\nsecond line. Make it night"

pytestmark = pytest.mark.timeout(180)  # another program begins with three seconds of imports, or more


def check_rows(rows: list[dict[str, Any]], records: list[ImageRecord]) -> None:
    """Same number, same pictures, and the bytes that the row names."""
    assert [row["image_sha256"] for row in rows] == [record.sha256 for record in records]
    assert all(row["read_sha256"] == row["file_sha256"] for row in rows)
    assert all(tuple(row["size"]) == (48, 32) for row in rows)
    captions = {row["image_sha256"]: row["caption"] for row in rows}
    for record in records:
        assert captions[record.sha256] == (CHAIN if record.step else record.request.prompt)


async def test_datasets_loads_an_imagefolder(
    shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path
) -> None:
    """Every picture with its row, of whatever format it is."""
    await export_pictures(shelf.archive, Terms(), tmp_path / "out")

    check_rows(load("datasets", "imagefolder", str(tmp_path / "out")), mixed)


async def test_datasets_loads_parquet(shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path) -> None:
    """The pictures are pictures to it, not bytes."""
    await export_pictures(shelf.archive, Terms(format="parquet"), tmp_path / "out")

    check_rows(load("datasets", "parquet", str(tmp_path / "out" / "*.parquet")), mixed)


@pytest.mark.parametrize("library", ["datasets parquet", "datasets", "pyarrow", "pandas"])
async def test_a_folder_of_parquet_is_loaded_by_its_name_alone(
    library: str, shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path
) -> None:
    """They take each file of a folder: none but Parquet may be seen there."""
    await export_pictures(shelf.archive, Terms(format="parquet"), tmp_path / "out")

    check_rows(load(*library.split(), str(tmp_path / "out")), mixed)


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("kind", ["imagefolder", "zip", "webdataset"])
async def test_a_folder_is_loaded_by_its_name_alone(
    kind: ExportFormat, count: int, shelf: Shelf, load: Load, tmp_path: Path
) -> None:
    """What it is, `datasets` takes from what most of its files are called: with one picture, too."""
    records = [await shelf.add(f"a mug {number}") for number in range(count)]
    await export_pictures(shelf.archive, Terms(format=kind), tmp_path / "out")

    check_rows(load("datasets", str(tmp_path / "out")), sorted(records, key=lambda record: record.sha256))


async def test_a_folder_of_shards_is_loaded_as_data(shelf: Shelf, load: Load, tmp_path: Path) -> None:
    """Its card is none of them."""
    record = await shelf.add()
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")

    check_rows(load("datasets", "webdataset", str(tmp_path / "out")), [record])


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
async def test_datasets_loads_the_shards_of_a_format(
    suffix: str, shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path
) -> None:
    """It takes its fields from the first pictures: each tar file holds one format."""
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")

    media_type = f"image/{suffix.replace('jpg', 'jpeg')}"
    rows = load("datasets", "webdataset", str(tmp_path / "out" / f"{suffix}-*.tar"))
    check_rows(rows, [record for record in mixed if record.checks.media_type == media_type])


@pytest.mark.parametrize("suffix", ["png", "webp"])
async def test_datasets_loads_the_folder_of_shards_by_its_card(
    suffix: str, shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path
) -> None:
    """Whoever has nothing but the folder names a format; nobody has to know what its files are called."""
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")

    rows = load("datasets", str(tmp_path / "out"), suffix)
    check_rows(rows, [record for record in mixed if record.checks.media_type == f"image/{suffix}"])


async def test_webdataset_loads_the_shards(shelf: Shelf, mixed: list[ImageRecord], load: Load, tmp_path: Path) -> None:
    """All formats at once; the key is the archive's SHA-256."""
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")

    rows = load("webdataset", str(tmp_path / "out" / "*.tar"))
    check_rows(rows, mixed)
    assert [row["key"] for row in rows] == [record.sha256 for record in mixed]
    assert [row["txt"] for row in rows] == [row["caption"] for row in rows]


async def test_a_zip_is_what_its_rows_say(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """Nothing else is in it, nothing is compressed, and each row names its picture."""
    await export_pictures(shelf.archive, Terms(format="zip"), tmp_path / "out")

    with zipfile.ZipFile(tmp_path / "out" / "pictures.zip") as file:
        assert file.testzip() is None
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
        rows = [json.loads(line) for line in file.read("metadata.jsonl").splitlines()]
        assert {*file.namelist()} == {"metadata.jsonl", *(row["file_name"] for row in rows)}
        assert [row["image_sha256"] for row in rows] == [record.sha256 for record in mixed]
        assert all(sha256_of(file.read(row["file_name"])) == row["file_sha256"] for row in rows)


async def test_kohya_finds_a_caption_beside_each_picture(
    shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """On one line, since the trainers read no second one; in a folder that begins with a number of repeats."""
    await export_pictures(shelf.archive, Terms(format="kohya"), tmp_path / "out")

    pictures = sorted(path for path in (tmp_path / "out" / "1_pictures").iterdir() if path.suffix != ".txt")
    assert [path.stem for path in pictures] == [record.sha256 for record in mixed]
    captions = {path.stem: path.with_suffix(".txt").read_text(encoding="utf-8") for path in pictures}
    edit = next(record for record in mixed if record.step)
    assert captions[edit.sha256] == CHAIN.replace("\n", " ") + "\n"
    assert all(caption.count("\n") == 1 for caption in captions.values())


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "parquet", "zip", "kohya"])
async def test_the_manifest_names_every_file(
    kind: ExportFormat, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Who it is from, what was asked for, how many, and the SHA-256 of each file that is there."""
    out = tmp_path / "out"
    exported = await export_pictures(shelf.archive, Terms(format=kind), out)

    manifest = Manifest.model_validate_json((out / MANIFEST).read_bytes())
    there = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del there[MANIFEST]
    assert {file.path: (file.size_bytes, file.sha256) for file in manifest.files} == {
        path: (len(data), sha256_of(data)) for path, data in there.items()
    }
    assert (manifest.order.archive, manifest.order.terms) == (shelf.archive.id, Terms(format=kind))
    assert manifest.pictures == exported.pictures == len(mixed)
    assert manifest.size_bytes == exported.size_bytes == sum(map(len, there.values()))
    assert exported.files == len(there)
