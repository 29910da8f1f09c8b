import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    object_key,
    quarantine_key,
    quarantine_reason_key,
    record_key,
)
from tasks.care.findings import DATABASE, Finding, FindingKind
from tasks.care.verify import Verified
from tasks.gate.quarantine import Quarantined
from tasks.models import ImageRecord, sha256_of
from tests.tasks.care.looking import DAY, found, look
from tests.tasks.care.upkeep import execute, keep, overwrite
from tests.tasks.gate.files import PNG, encoded, flipped, scene
from tests.tasks.gate.spoilt import GOOD, SPOILT, Spoilt


async def test_a_sound_archive_has_no_findings(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Everything is there and unchanged, also as pictures; what was looked at is counted."""
    reference = images[-1].references[0].sha256
    size_bytes = sum(map(len, GOOD.values())) + len(await archive.store.get(object_key(reference)))

    assert await look(archive, deep=True) == Verified(
        day=DAY, every_days=1, deep=True, objects=5, records=4, looked_at=5, read_bytes=size_bytes, findings=()
    )


@pytest.mark.parametrize("spoilt", [each for each in SPOILT if each.refusal is None], ids=lambda each: each.name)
async def test_what_no_decoder_sees_is_found_by_the_hash(
    spoilt: Spoilt, archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """A bit that turns in the archive is found, also where every viewer shows a picture."""
    sha256 = sha256_of(GOOD[spoilt.name.partition(",")[0]])
    overwrite(archive, object_key(sha256), spoilt.data)
    verified = await look(archive)

    detail = f"Its {len(spoilt.data)} bytes are not those of its name: they have the SHA-256 {sha256_of(spoilt.data)}."
    assert verified.findings == (Finding(kind=FindingKind.CHANGED, key=object_key(sha256), detail=detail),)
    assert not verified.is_sound


@pytest.mark.parametrize("place", [0.0, 0.3, 0.99])
async def test_a_flipped_bit_is_found_anywhere(place: float, archive: Archive, images: Sequence[ImageRecord]) -> None:
    """In the header, in the middle, in the last bytes."""
    overwrite(archive, object_key(images[0].sha256), flipped(PNG, place))

    assert await found(archive) == [(FindingKind.CHANGED, object_key(images[0].sha256))]


async def test_what_is_gone_is_found(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Bytes, records, references and rows, each as what it is."""
    only_record, only_object, neither, edit = images
    await archive.store.delete(object_key(only_record.sha256))
    await archive.store.delete(record_key(only_object.sha256))
    await archive.store.delete(object_key(neither.sha256))
    await archive.store.delete(record_key(neither.sha256))
    await archive.store.delete(object_key(edit.references[0].sha256))
    verified = await look(archive)

    assert {(finding.kind, finding.key) for finding in verified.findings} == {
        (FindingKind.RECORD_WITHOUT_OBJECT, record_key(only_record.sha256)),
        (FindingKind.OBJECT_WITHOUT_RECORD, object_key(only_object.sha256)),
        (FindingKind.MISSING, object_key(neither.sha256)),
        (FindingKind.MISSING, object_key(edit.references[0].sha256)),
    }
    assert len(verified.findings) == 4


async def test_a_catalogue_that_says_otherwise_is_found(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """A column that was changed, and a row that is gone; its references are no orphans for all that."""
    await asyncio.to_thread(
        execute,
        archive,
        f"UPDATE images SET seed = 9 WHERE sha256 = '{images[0].sha256}'",
        f"DELETE FROM images WHERE sha256 = '{images[3].sha256}'",
    )
    verified = await look(archive)

    assert set(verified.findings) == {
        Finding(
            kind=FindingKind.CATALOGUE_DIFFERS,
            key=record_key(images[0].sha256),
            detail="The catalogue says otherwise in seed: rebuild it.",
        ),
        Finding(
            kind=FindingKind.CATALOGUE_DIFFERS,
            key=record_key(images[3].sha256),
            detail="The catalogue does not know this record: rebuild it.",
        ),
    }


async def test_what_nothing_names_is_an_orphan(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """It is told, and no damage; what shots that are not made yet are made from is none."""
    data = encoded(scene().rotate(180), "PNG")
    await archive.store.put_if_absent(object_key(sha256_of(data)), data)
    await archive.store.put_if_absent("objects/notes.txt", b"mine")
    verified = await look(archive)

    assert {(finding.kind, finding.key) for finding in verified.findings} == {
        (FindingKind.ORPHANED, object_key(sha256_of(data))),
        (FindingKind.ORPHANED, "objects/notes.txt"),
    }
    assert verified.is_sound
    assert await found(archive, also_named={sha256_of(data)}) == [(FindingKind.ORPHANED, "objects/notes.txt")]


async def test_a_record_that_was_changed_is_found(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Damaged, exchanged, or saying what the catalogue does not, of which no column knows."""
    overwrite(archive, record_key(images[0].sha256), b"{")
    overwrite(archive, record_key(images[1].sha256), images[2].model_dump_json().encode())
    other = images[2].model_copy(update={"job_id": "another"})
    overwrite(archive, record_key(images[2].sha256), other.model_dump_json().encode())

    assert set(await found(archive)) == {
        (FindingKind.UNREADABLE, record_key(images[0].sha256)),
        (FindingKind.CHANGED, record_key(images[1].sha256)),
        (FindingKind.DISPUTED, record_key(images[2].sha256)),
    }


async def test_what_the_store_cannot_read_is_found_and_the_walk_goes_on(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector is one finding, and no end."""
    bad = Path(archive.root) / object_key(images[0].sha256)
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == bad:
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    verified = await look(archive)

    (finding,) = verified.findings
    assert (finding.kind, finding.key) == (FindingKind.UNREADABLE, object_key(images[0].sha256))
    assert "Input/output error" in finding.detail
    assert verified.looked_at == 5


async def test_only_a_deep_look_decodes(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Bytes that are those of their name, and no picture, came so: only a decoder can tell."""
    data = b"no picture at all"
    await keep(archive, images[0].model_copy(update={"sha256": sha256_of(data)}), data)

    assert await found(archive) == []
    assert await found(archive, deep=True) == [(FindingKind.UNREADABLE, object_key(sha256_of(data)))]


async def test_quarantine_is_looked_at_and_never_decoded(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """What lies there is no picture, but it was paid for, and is to be what came."""
    whole, hurt = b"this is not a picture", b"nor is this"
    for data in (whole, hurt):
        await archive.store.put_if_absent(quarantine_key(sha256_of(data)), data)
        note = Quarantined(shot_key="", job_id="", reason="It is no picture.", declared_type=None)
        await archive.store.put_if_absent(quarantine_reason_key(sha256_of(data)), note.model_dump_json().encode())
    overwrite(archive, quarantine_key(sha256_of(hurt)), b"nor is that")

    assert await found(archive, deep=True) == [(FindingKind.CHANGED, quarantine_key(sha256_of(hurt)))]


async def test_in_so_many_days_everything_is_looked_at_once(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Damage of any picture is found on exactly one day of a round; what is gone is found every day."""
    for name, data in GOOD.items():
        overwrite(archive, object_key(sha256_of(data)), data + name.encode())
    await archive.store.delete(object_key(images[-1].references[0].sha256))
    days = [await look(archive, day=DAY + timedelta(days=number), every_days=7) for number in range(7)]

    changed = [finding.key for day in days for finding in day.findings if finding.kind is FindingKind.CHANGED]
    assert sorted(changed) == sorted(object_key(image.sha256) for image in images)
    assert [sum(finding.kind is FindingKind.MISSING for finding in day.findings) for day in days] == [1] * 7
    assert sum(day.looked_at for day in days) == 4


async def test_an_empty_catalogue_is_one_finding(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """It says what to do, once, and not of each picture."""
    await asyncio.to_thread(execute, archive, "DELETE FROM images", "DELETE FROM signatures")
    [finding] = (await look(archive)).findings

    assert (finding.kind, finding.key) == (FindingKind.CATALOGUE_DIFFERS, DATABASE)
    assert finding.detail == "The catalogue is empty beside 4 records: run `rebuild`."


async def test_shots_that_the_ledger_does_not_know_are_one_finding(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign refuses to run beside them: nobody is to hear of it only then."""
    monkeypatch.setattr("tasks.care.verify.AT_ONCE", 2)
    await asyncio.to_thread(execute, archive, f"DELETE FROM shots WHERE shot_key != '{images[0].shot_key}'")
    [finding] = (await look(archive)).findings

    assert (finding.kind, finding.key) == (FindingKind.CATALOGUE_DIFFERS, DATABASE)
    assert finding.detail == "The catalogue has pictures of 3 shots that the ledger does not know: run `rebuild`."


async def test_a_record_of_the_future_is_looked_at(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """A clock that was wrong by a year does not hide for a year that a picture is not known, and not there."""
    made_at = datetime.now(UTC) + timedelta(days=365)
    new = images[0].model_copy(update={"sha256": sha256_of(b"new"), "made_at": made_at})
    await archive.store.put_if_absent(record_key(new.sha256), new.model_dump_json().encode())

    assert set(await found(archive)) == {
        (FindingKind.CATALOGUE_DIFFERS, record_key(new.sha256)),
        (FindingKind.RECORD_WITHOUT_OBJECT, record_key(new.sha256)),
    }


async def test_progress_is_told(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each batch: how many of how many."""
    monkeypatch.setattr("tasks.care.verify.AT_ONCE", 2)
    told: list[tuple[int, int]] = []
    await look(archive, on_progress=lambda done, due: told.append((done, due)))

    assert told == [(2, 5), (4, 5), (5, 5)]
