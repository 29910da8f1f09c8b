import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from blocks.archive.archive import Archive, open_archive
from blocks.archive.layout import object_key
from blocks.errors import ArchiveError
from tasks.care.repair import repair
from tasks.care.sweep import sweep
from tasks.care.verify import verify
from tasks.gate.admit import Expected, admit
from tasks.models import ImageRecord, sha256_of
from tests.chaos.frozen_writer import BEFORE_RECORD, BEFORE_ROW, HALF_WRITTEN
from tests.images import image_record
from tests.tasks.care.upkeep import bought, execute
from tests.tasks.gate.files import PNG

ROOT = Path(__file__).parents[2]
NO_GRACE = timedelta(0)
MOMENTS = [HALF_WRITTEN, BEFORE_RECORD, BEFORE_ROW]
SHA256 = sha256_of(PNG)


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(str(tmp_path / "archive")) as opened:
        yield opened


@pytest.fixture
def record() -> ImageRecord:
    checks = admit(PNG, Expected(), "it").checks
    return bought(image_record(sha256=SHA256, checks=checks, made_at=datetime(2026, 11, 20, tzinfo=UTC)))


@contextmanager
def frozen(archive: Archive, moment: str, record: ImageRecord, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A writer that has frozen itself; it does not outlive the test."""
    (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    (folder / "picture").write_bytes(PNG)
    files = (str(folder / "record.json"), str(folder / "picture"))
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.frozen_writer", archive.root, moment, *files], cwd=ROOT
    )
    try:
        _, status = os.waitpid(writer.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield writer
    finally:
        writer.kill()
        writer.wait(30)


async def thaw(writer: subprocess.Popen[bytes]) -> None:
    """Lets the writer come to its end."""
    writer.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(writer.wait, 60) == 0


async def is_sound(archive: Archive) -> bool:
    verified = await verify(archive, day=date(2026, 11, 20))
    return verified.findings == () and await archive.store.get(object_key(SHA256)) == PNG


@pytest.mark.parametrize("is_silent", [False, True], ids=["just now", "for an hour"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_beside_a_frozen_writer_nothing_is_swept(
    archive: Archive, record: ImageRecord, tmp_path: Path, moment: str, is_silent: bool
) -> None:
    """It may be frozen for so long that it counts as gone: its shot is under way. When it goes on, all is well."""
    with frozen(archive, moment, record, tmp_path) as writer:
        if is_silent:
            execute(archive, "UPDATE owners SET seen_at = '2026-01-01 00:00:00.000000'")
        with pytest.raises(ArchiveError, match="Shots are under way" if is_silent else "Runs are at work"):
            await sweep(archive, is_dry=False, grace=NO_GRACE)
        await thaw(writer)

    assert await is_sound(archive)
    assert (await sweep(archive, is_dry=False, grace=NO_GRACE)).trashed == ()


@pytest.mark.parametrize("healed_by", ["sweep", "repair"])
async def test_even_a_writer_that_the_ledger_does_not_know_loses_nothing(
    archive: Archive, record: ImageRecord, tmp_path: Path, healed_by: str
) -> None:
    """Its bytes go into the trash behind its back, and its record then names them: they come back from there."""
    with frozen(archive, BEFORE_RECORD, record, tmp_path) as writer:
        for table in ("shots", "owners"):
            execute(archive, f"ALTER TABLE {table} RENAME TO {table}_hidden")
            execute(archive, f"CREATE TABLE {table} AS SELECT * FROM {table}_hidden WHERE 0")
        assert (await sweep(archive, is_dry=False, grace=NO_GRACE)).trashed == (SHA256,)
        for table in ("shots", "owners"):
            execute(archive, f"DROP TABLE {table}")
            execute(archive, f"ALTER TABLE {table}_hidden RENAME TO {table}")
        await thaw(writer)

    assert await archive.store.head(object_key(SHA256)) is None
    if healed_by == "sweep":
        assert (await sweep(archive, is_dry=False, grace=NO_GRACE)).restored == (SHA256,)
    else:
        found = await verify(archive, day=date(2026, 11, 20))
        assert (await repair(found.findings, archive, _nobody)).is_sound
    assert await is_sound(archive)


async def _nobody(record: ImageRecord) -> bytes:
    raise AssertionError("The trash has it.")
