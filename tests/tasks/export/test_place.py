"""Where an export may lie."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from blocks.archive.store import Store
from blocks.errors import BriefError, SetupError
from tasks.export.export import export_pictures
from tasks.export.terms import Terms
from tasks.models import ImageRecord
from tests.tasks.export.conftest import Shelf, left_in


@pytest.mark.parametrize("folder", ["", "objects", "decisions/mine", "tmp", "exports/../quarantine"])
async def test_nothing_is_exported_into_the_archive(shelf: Shelf, mixed: list[ImageRecord], folder: str) -> None:
    """Among pictures and decisions its files would pass for such; only the folder `exports` is meant for them."""
    root = Path(str(shelf.archive.root))
    before = left_in(root)
    with pytest.raises(BriefError, match="lies in the archive itself"):
        await export_pictures(shelf.archive, Terms(), root / folder)
    assert left_in(root) == before
    assert mixed

    assert (await export_pictures(shelf.archive, Terms(), root / "exports" / "mine")).is_new


async def test_a_bucket_needs_a_folder_to_be_named(
    shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no one has named would lie in the current folder, such as a worker's, where nobody finds it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    bucket = replace(shelf.archive, root="s3://pictures", store=cast("Store", _Bucket(shelf.archive.store)))
    with pytest.raises(SetupError, match=r"archive s3://pictures is no folder .*: name one, as FOLDER"):
        await export_pictures(bucket, Terms())
    assert left_in(here) == set()

    assert (await export_pictures(bucket, Terms(), tmp_path / "out")).pictures == len(mixed)


class _Bucket:
    """A store that is no folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.root = "s3://pictures"

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.mark.parametrize("folder", ["sub", "images/a/b", "../link/sub"])
async def test_nothing_is_exported_into_another_export(
    folder: str, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Whoever loads the outer one would get each picture twice; a folder beside it is none of its own."""
    out = tmp_path / "out"
    await export_pictures(shelf.archive, Terms(), out)
    (tmp_path / "link").symlink_to(out)
    before = left_in(out)
    with pytest.raises(BriefError, match=f"lies in another export, {out}"):
        await export_pictures(shelf.archive, Terms(), out / folder)
    assert left_in(out) == before
    assert mixed

    assert (await export_pictures(shelf.archive, Terms(), tmp_path / "other" / "sub")).is_new
