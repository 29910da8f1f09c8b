from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    object_key,
    record_key,
)
from blocks.archive.ledger import Reservation
from tasks.care.findings import FindingKind
from tasks.models import ImageRecord, sha256_of
from tests.tasks.care.looking import found
from tests.tasks.care.upkeep import keep, overwrite
from tests.tasks.gate.files import encoded, scene


async def test_a_run_at_work_is_no_damage(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Its pictures have bytes and records, and their rows are still to come; a day later that would be damage."""
    new = await keep_without_row(archive, images[0])
    await archive.ledger.begin_run("at-work")
    assert await found(archive) == []

    old = new.model_copy(update={"made_at": datetime.now(UTC) - timedelta(days=1)})
    overwrite(archive, record_key(new.sha256), old.model_dump_json().encode())
    assert await found(archive) == [(FindingKind.CATALOGUE_DIFFERS, record_key(new.sha256))]


async def test_a_shot_under_way_is_no_damage(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Its run is frozen and counts as gone; when it goes on it writes the row."""
    new = await keep_without_row(archive, images[0])
    reservation = Reservation(
        shot_key=new.shot_key[::-1],
        provider="scenario",
        sandbox=True,
        request_json="{}",
        campaign="c",
        edition="e",
        run_id="r",
    )
    await archive.ledger.reserve(reservation)
    await archive.ledger.mark_sending(reservation.shot_key, 1)

    assert await found(archive) == []


async def test_without_a_run_at_work_a_young_record_needs_a_row(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """Nobody is about to write it: a catalogue that was lost just after a campaign is found at once."""
    new = await keep_without_row(archive, images[0])
    await archive.ledger.begin_run("was at work")
    await archive.ledger.end_run("was at work")

    assert await found(archive) == [(FindingKind.CATALOGUE_DIFFERS, record_key(new.sha256))]


async def keep_without_row(archive: Archive, like: ImageRecord) -> ImageRecord:
    data = encoded(scene().rotate(180), "PNG")
    new = like.model_copy(update={"sha256": sha256_of(data), "made_at": datetime.now(UTC)})
    await archive.store.put_if_absent(object_key(new.sha256), data)
    await archive.store.put_if_absent(record_key(new.sha256), new.model_dump_json().encode())
    return new


async def test_a_picture_that_came_during_the_look_is_no_damage(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is there, and its record was not yet there when records were listed."""
    data = encoded(scene().rotate(180), "PNG")
    new = images[0].model_copy(update={"sha256": sha256_of(data), "made_at": datetime.now(UTC)})
    real = archive.catalogue.sha256s

    async def meanwhile() -> object:
        await keep(archive, new, data)
        return await real()

    monkeypatch.setattr(archive.catalogue, "sha256s", meanwhile)
    assert await found(archive) == []
