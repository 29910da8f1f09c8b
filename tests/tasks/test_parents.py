"""Edits beside their parents in the archive: measured at ingest, and never lost because a parent cannot be read."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from PIL import Image

from blocks.archive.layout import object_key, record_key
from blocks.waiting import wait_until_final
from tasks import ingest as ingest_module
from tasks import parents
from tasks.archive import read_record
from tasks.ingest import ingest
from tasks.models import ImageRecord, Shot
from tasks.parents import drift_in_archive
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]

pytestmark = pytest.mark.usefixtures("impatient")


async def edited(shot: Shot, studio: Studio, before_ingest: Callable[[], None] = lambda: None) -> ImageRecord:
    """Buys an edit, and brings it into the archive."""
    purchase = Purchase(shot, studio)
    ticket = await purchase.ticket()
    account = purchase.account
    status = await wait_until_final(account.provider, ticket.job_id, deadline_seconds=30, pace=account.pace)
    before_ingest()
    (record,) = await ingest(shot, status, studio)
    return record


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the run's log is told."""
    monkeypatch.setattr(parents, "run_log", lambda: logging.getLogger("test"))
    return caplog


async def test_the_record_of_an_edit_has_its_drift(studio: Studio, edit_of: ShotOf, shot_of: ShotOf) -> None:
    """It is measured once, at ingest, as it would be from the archive; a generated picture has none."""
    record = await edited(edit_of(), studio)
    stored = read_record((await studio.archive.store.get(record_key(record.sha256))).decode())

    assert record.drift is not None
    assert record.drift.changed_share > 0.5  # it is night now
    assert stored == record
    assert await drift_in_archive(str(record.parent_sha256), record.sha256, studio) == record.drift
    assert (await edited(shot_of(), studio)).drift is None


async def test_an_edit_that_gave_back_its_parent_has_not_drifted(
    studio: Studio, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """The sandbox's fault leaves nothing but grain."""
    sandbox.fault("job_unchanged", provider="sunra")
    record = await edited(edit_of(), studio)

    assert record.drift is not None
    assert record.drift.changed_share == 0
    assert record.drift.color_shift < 2.3


@pytest.mark.parametrize("damage", [b"not a picture", None])
async def test_an_edit_outlives_its_parent(
    studio: Studio, edit_of: ShotOf, warnings: pytest.LogCaptureFixture, damage: bytes | None
) -> None:
    """A parent that is gone or broken leaves the drift open, and says so; the paid edit is kept."""
    shot = edit_of()
    parent = Path(studio.archive.root) / object_key(str(shot.parent_sha256))

    def spoil() -> None:
        parent.unlink()
        if damage is not None:
            parent.write_bytes(damage)

    record = await edited(shot, studio, spoil)

    assert record.drift is None
    assert await studio.archive.store.head(object_key(record.sha256)) is not None
    assert [line.levelname for line in warnings.records] == ["WARNING"]
    assert warnings.messages[0].startswith("How far an edit went from its parent is not known: ")
    assert await drift_in_archive(str(shot.parent_sha256), record.sha256, studio) is None


async def test_what_was_paid_is_kept_before_it_is_measured(
    studio: Studio, edit_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens while an edit is measured, its bytes are in the archive by then."""
    there: list[str] = []

    async def measured(parent_sha256: str, edited: Image.Image, studio: Studio) -> None:
        there.extend([key async for key in studio.archive.store.list("objects/")])

    monkeypatch.setattr(ingest_module, "drift_from", measured)
    shot = edit_of()
    record = await edited(shot, studio)

    assert there == sorted(object_key(each) for each in (str(shot.parent_sha256), record.sha256))
