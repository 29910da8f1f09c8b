import asyncio
import json
import os
import re
import socket
from pathlib import Path

import pytest

from blocks.archive.archive import folder_of, is_made, open_archive
from blocks.errors import ArchiveError, SetupError
from blocks.provider import Money


async def test_an_archive_is_made_once_and_keeps_its_id(tmp_path: Path) -> None:
    """The id is made with the archive and moves with its folder."""
    async with open_archive(str(tmp_path / "old")) as archive:
        assert re.fullmatch(r"[0-9a-f]{32}", archive.id)
        assert archive.root == str(tmp_path / "old")
        assert json.loads(await archive.store.get("archive.json")) == {
            "format_version": 1,
            "id": archive.id,
            "catalogue": "catalogue.sqlite",
        }
        assert await archive.catalogue.count() == 0
        await archive.ledger.open_budget("day", Money(amount=1, unit="USD"))
    (tmp_path / "old").rename(tmp_path / "new")
    async with open_archive(f"file://{tmp_path}/new") as moved:
        assert moved.id == archive.id
        assert await moved.ledger.budget("day") is not None
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["archive.json", "catalogue.sqlite", "tmp"]


async def test_many_that_open_a_new_archive_agree_on_its_id(tmp_path: Path) -> None:
    """One of them writes archive.json, and all read it."""

    async def id_of() -> str:
        async with open_archive(str(tmp_path / "root")) as archive:
            return archive.id

    assert len(set(await asyncio.gather(*(id_of() for _ in range(8))))) == 1


async def test_the_catalogue_may_live_elsewhere(tmp_path: Path, database_url: str) -> None:
    """With a URL of its own there is no database in the root."""
    async with open_archive(str(tmp_path / "root"), database_url) as archive:
        assert await archive.catalogue.count() == 0
    assert not (tmp_path / "root" / "catalogue.sqlite").exists()


async def test_a_newer_or_damaged_archive_is_refused(tmp_path: Path) -> None:
    """An older program must not write into a format that it does not know; nothing is repaired by guessing."""
    (tmp_path / "archive.json").write_text('{"format_version": 2, "id": "x", "later": true}', encoding="utf-8")
    with pytest.raises(ArchiveError, match=r"has format 2, made by a newer Kleinbild.*update Kleinbild"):
        async with open_archive(str(tmp_path)):
            pass
    (tmp_path / "archive.json").write_text('{"format_ver', encoding="utf-8")
    with pytest.raises(ArchiveError, match=r"archive\.json in .* is damaged: bring it back from a backup"):
        async with open_archive(str(tmp_path)):
            pass
    assert not (tmp_path / "catalogue.sqlite").exists()


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("ftp://host/folder", "cannot be opened at ftp://: use a folder's path, its file:// URL, or a bucket"),
        ("s3://bucket/prefix", r"s3://bucket/prefix needs a database .* postgresql://.* sqlite:////folder/catalogue"),
        ("s3://AKID:hidden@bucket", r"root s3://… holds more than a bucket and a prefix"),
        ("file://elsewhere/folder", "names no folder of this machine"),
        ("  ", "root is empty"),
    ],
)
async def test_roots_that_cannot_be_opened_are_refused(root: str, message: str) -> None:
    """What is not supported is said at the start."""
    with pytest.raises(SetupError, match=message):
        async with open_archive(root):
            pass


async def test_an_archive_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once, and keeps its records and its ledger in the database that it was made with.

    A SQLite file is on one machine: on another one, the same path is another ledger, and everything would be bought
    again.
    """
    root, url = f"memory://{tmp_path.name}/pictures", f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    monkeypatch.setattr(socket, "gethostname", lambda: "studio")
    assert await is_made(root) is False
    async with open_archive(root, url) as archive:
        first = archive.id
        assert archive.root == root
        assert await archive.store.put_if_absent("objects/ab/x", b"bytes") is True
        assert json.loads(await archive.store.get("archive.json"))["catalogue"] == f"sqlite://studio/{url[10:]}"
    assert await is_made(root) is True
    async with open_archive(f"{root}/", url) as archive:
        assert (archive.id, await archive.store.get("objects/ab/x")) == (first, b"bytes")
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    with pytest.raises(SetupError, match=r"its ledger in sqlite://studio/.*, not in sqlite://elsewhere/.*"):
        async with open_archive(root, url):
            pytest.fail("it opened")


async def test_a_folder_is_no_archive_until_it_is_opened(tmp_path: Path) -> None:
    """Looking makes nothing."""
    assert await is_made(str(tmp_path / "root")) is False
    assert await asyncio.to_thread(os.listdir, tmp_path) == []
    async with open_archive(str(tmp_path / "root")):
        assert await is_made(str(tmp_path / "root")) is True


def test_roots_are_paths_or_file_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms name the same folder; a URL's escapes are undone."""
    monkeypatch.setenv("HOME", "/home/painter")
    assert folder_of("/pictures/my archive") == Path("/pictures/my archive")
    assert folder_of("file:///pictures/my%20archive") == Path("/pictures/my archive")
    assert folder_of("file://localhost/pictures") == Path("/pictures")
    assert folder_of("~/pictures") == Path("/home/painter/pictures")
    assert folder_of("pictures") == Path.cwd() / "pictures"


async def test_an_archive_has_one_ledger(tmp_path: Path) -> None:
    """Opened with another database, everything would be bought again; no password is told or written."""
    root, elsewhere = str(tmp_path / "archive"), f"sqlite:///{tmp_path / 'other.sqlite'}"
    async with open_archive(root):
        pass

    with pytest.raises(SetupError, match=r"its ledger in catalogue\.sqlite, not in sqlite:///.*other\.sqlite"):
        async with open_archive(root, elsewhere):
            pytest.fail("it opened")
    with pytest.raises(SetupError) as refused:
        async with open_archive(root, "postgresql://me:secret@db.example:5432/pictures"):
            pytest.fail("it opened")
    assert "postgresql://db.example:5432/pictures" in str(refused.value)
    assert "secret" not in str(refused.value)
