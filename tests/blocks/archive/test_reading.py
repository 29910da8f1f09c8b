import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from blocks.archive import migrations
from blocks.archive.archive import open_archive
from blocks.archive.database import open_database
from blocks.errors import ArchiveError, SetupError
from blocks.provider import Money
from tests.read_only import contents_of, refuse_writes

USD = Money(amount=1, unit="USD")
KEY = "objects/ab/x"

LEAVES_A_LOG = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO budgets VALUES ('late', 'USD', 5, 0, '2026-11-20 12:00:00.000000')")
os._exit(0)
"""


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """An archive that holds an object and a budget, in a folder whose name would mean something else in a URL."""
    async with open_archive(str(tmp_path / "50 %20 #1?a=b")) as archive:
        await archive.store.put_if_absent(KEY, b"bytes")
        await archive.ledger.open_budget("day", USD)
    return tmp_path / "50 %20 #1?a=b"


async def test_an_archive_is_read_where_nothing_can_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only medium all is there, and nothing is made or changed."""
    before = contents_of(root)
    refuse_writes(monkeypatch)

    with pytest.raises(SetupError, match="cannot be written: Read-only file system"):
        async with open_archive(str(root)):
            pytest.fail("it opened")
    async with open_archive(str(root), for_reading=True) as archive:
        assert await archive.store.get(KEY) == b"bytes"
        assert [key async for key in archive.store.list("objects/")] == [KEY]
        assert await archive.ledger.budget("day") is not None
        assert await archive.catalogue.sha256s() == frozenset()
    assert contents_of(root) == before


async def test_whoever_writes_to_what_is_only_read_is_refused(root: Path) -> None:
    """Also where it could be written: what is only read cannot be changed by mistake."""
    async with open_archive(str(root), for_reading=True) as archive:
        for write in (
            archive.store.put(KEY, b"other"),
            archive.store.put_if_absent("objects/ab/y", b"bytes"),
            archive.store.delete(KEY),
            archive.store.probe(),
            archive.catalogue.add([]),
            archive.ledger.open_budget("month", USD),
        ):
            with pytest.raises(ArchiveError, match="opened for reading only"):
                await write
    async with open_archive(str(root)) as archive:
        assert await archive.store.get(KEY) == b"bytes"
        assert await archive.ledger.budget("month") is None


async def test_what_is_no_archive_is_not_made_one(tmp_path: Path) -> None:
    """Neither a folder nor a database comes into being because somebody wanted to read it."""
    with pytest.raises(SetupError, match=r"There is no archive at .* to be read"):
        async with open_archive(str(tmp_path / "none"), for_reading=True):
            pytest.fail("it opened")
    (tmp_path / "archive.json").write_text('{"format_version": 1, "id": "x"}', encoding="utf-8")
    with pytest.raises(ArchiveError, match=r"catalogue\.sqlite is missing: .* `python -m flows rebuild`"):
        async with open_archive(str(tmp_path), for_reading=True):
            pytest.fail("it opened")
    assert set(contents_of(tmp_path)) == {".", "archive.json"}


async def test_a_newer_archive_is_not_read(root: Path) -> None:
    """Its number is checked before anything is looked at."""
    (root / "archive.json").unlink()
    (root / "archive.json").write_text(json.dumps({"format_version": 2, "id": "x"}), encoding="utf-8")
    with pytest.raises(ArchiveError, match="has format 2, made by a newer Kleinbild"):
        async with open_archive(str(root), for_reading=True):
            pytest.fail("it opened")


async def test_older_tables_are_not_changed_by_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to do; opened once for writing, it can be read."""
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:2])
        async with open_database(url):
            pass
    before = (tmp_path / "c.sqlite").read_bytes()
    with pytest.raises(ArchiveError, match=r"made by an older Kleinbild.*open the archive once for writing"):
        async with open_database(url, for_reading=True):
            pytest.fail("it opened")
    assert (tmp_path / "c.sqlite").read_bytes() == before
    async with open_database(url):
        pass
    async with open_database(url, for_reading=True) as database:
        await database.read(migrations.require_current)


async def test_rows_that_a_killed_run_left_in_its_log_are_never_overlooked(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_process: Callable[..., subprocess.Popen[str]],
) -> None:
    """Where SQLite can read them, they are there; where it cannot, it is said what to do."""
    assert start_process(LEAVES_A_LOG, str(root / "catalogue.sqlite")).wait(60) == 0
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    (copy / "catalogue.sqlite-shm").unlink()
    before = contents_of(copy)
    async with open_archive(str(root), for_reading=True) as archive:
        assert await archive.ledger.budget("late") is not None

    refuse_writes(monkeypatch)
    with pytest.raises(ArchiveError, match=r"lies in .*catalogue\.sqlite-wal.* copy the whole archive"):
        async with open_archive(str(copy), for_reading=True):
            pytest.fail("it opened")
    assert contents_of(copy) == before


async def test_readers_and_a_writer_do_not_disturb_each_other(root: Path) -> None:
    """A reader sees what a run has just written, and the run leaves its files in order when it ends."""
    async with open_archive(str(root), for_reading=True) as reading:
        async with open_archive(str(root)) as writing:
            for number in range(5):
                await writing.ledger.open_budget(f"{number}", USD)
                assert await reading.ledger.budget(f"{number}") is not None
        assert not (root / "catalogue.sqlite-wal").exists()
        assert await reading.ledger.budget("4") is not None


async def test_a_catalogue_that_is_none_is_said_to_be_none(root: Path) -> None:
    """Only where no index can be made is the file taken as it lies."""
    (root / "catalogue.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 30)
    with pytest.raises(SetupError, match="file is not a database"):
        async with open_archive(str(root), for_reading=True):
            pytest.fail("it opened")


async def test_a_bucket_is_read_without_a_trial_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that may only read are enough."""
    place, url = f"memory://{tmp_path.name}/pictures", f"sqlite:///{tmp_path / 'c.sqlite'}"
    with pytest.raises(SetupError, match="There is no archive at"):
        async with open_archive(place, url, for_reading=True):
            pytest.fail("it opened")
    async with open_archive(place, url) as archive:
        await archive.store.put_if_absent(KEY, b"bytes")
    monkeypatch.delattr("obstore.put_async")
    monkeypatch.delattr("obstore.delete_async")
    async with open_archive(place, url, for_reading=True) as archive:
        assert await archive.store.get(KEY) == b"bytes"
        with pytest.raises(ArchiveError, match="opened for reading only"):
            await archive.store.put(KEY, b"other")


async def test_a_reader_cannot_write_past_its_refusal(root: Path) -> None:
    """SQLite itself holds the file read-only, whatever a piece of work tries."""
    url = URL.create("sqlite", database=str(root / "catalogue.sqlite"))
    async with open_database(url, for_reading=True) as database:
        with pytest.raises(ArchiveError, match="readonly database"):
            await database.read(lambda connection: connection.exec_driver_sql("DELETE FROM budgets"))
    connection = sqlite3.connect(root / "catalogue.sqlite")
    assert connection.execute("SELECT count(*) FROM budgets").fetchone() == (1,)
    connection.close()
