import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    decision_key,
    edition_key,
    object_key,
    quarantine_key,
    record_key,
    thumbnail_key,
    trash_key,
)
from blocks.errors import ArchiveError, UnexpectedAnswer
from tasks.checks import examine
from tasks.findings import Finding, FindingKind
from tasks.models import ImageRecord, sha256_of
from tasks.provenance.views import marked_thumbnail
from tasks.records import catalogue_entry
from tasks.repair import Repaired, repair
from tasks.restore import restored_shots
from tasks.trash import put_into_trash
from tasks.verify import Verified, verify
from tests.tasks.gate.files import flipped
from tests.tasks.gate.spoilt import GOOD
from tests.tasks.trash_trouble import failing
from tests.tasks.upkeep import ImageOf, execute, filled, overwrite

BYTES = {sha256_of(data): data for data in GOOD.values()}


@pytest.fixture
async def images(archive: Archive, image_of: ImageOf) -> Sequence[ImageRecord]:
    """As a campaign leaves them: the ledger knows their shots."""
    records = await filled(archive, image_of)
    await archive.ledger.restore(restored_shots(records))
    return records


class Source:
    """A provider that has every picture, or none, and counts who asks."""

    def __init__(self, data: dict[str, bytes] = BYTES) -> None:
        self.asked: list[str] = []
        self._data = data

    async def __call__(self, record: ImageRecord) -> bytes:
        """Gives a picture's bytes."""
        self.asked.append(record.sha256)
        if record.sha256 not in self._data:
            raise UnexpectedAnswer("The job is unknown.", provider=record.provider)
        return self._data[record.sha256]


async def look(archive: Archive) -> Verified:
    return await verify(archive, day=date(2026, 11, 20))


def thumbnail_of_bytes(data: bytes) -> bytes:
    return examine(data, "it").thumbnail


async def mended(archive: Archive, source: Source) -> Repaired:
    return await repair((await look(archive)).findings, archive, source)


async def test_pictures_are_fetched_again(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """One whose bytes are gone, and one whose bytes were changed, which are kept in quarantine; the rest is not."""
    gone, changed = images[0].sha256, images[1].sha256
    damaged = flipped(BYTES[changed], 0.5)
    await archive.store.delete(object_key(gone))
    overwrite(archive, object_key(changed), damaged)
    source = Source()
    repaired = await mended(archive, source)

    assert sorted(source.asked) == sorted([gone, changed])
    assert [(each.is_mended, each.note) for each in repaired.mendings] == [(True, "Fetched again from scenario.")] * 2
    assert (await look(archive)).findings == ()
    assert await archive.store.get(object_key(changed)) == BYTES[changed]
    assert await archive.store.get(quarantine_key(sha256_of(damaged))) == damaged
    assert (Path(archive.root) / object_key(changed)).stat().st_mode & 0o222 == 0  # an export may link to it


async def test_records_and_rows_mend_each_other(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """A record that is gone or damaged comes from the row; a row that is gone or wrong comes from the record."""
    await archive.store.delete(record_key(images[0].sha256))
    overwrite(archive, record_key(images[1].sha256), b"{")
    await asyncio.to_thread(
        execute,
        archive,
        f"UPDATE images SET seed = 9 WHERE sha256 = '{images[2].sha256}'",
        f"DELETE FROM images WHERE sha256 = '{images[3].sha256}'",
    )
    source = Source()
    repaired = await mended(archive, source)

    assert (len(repaired.mendings), repaired.is_sound, source.asked) == (4, True, [])
    assert (await look(archive)).findings == ()
    for image in images:
        assert ImageRecord.model_validate_json(await archive.store.get(record_key(image.sha256))) == image


async def test_an_empty_catalogue_is_rebuilt(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Rows and finished shots: the next campaign does not refuse."""
    await asyncio.to_thread(execute, archive, "DELETE FROM images", "DELETE FROM signatures", "DELETE FROM shots")
    repaired = await mended(archive, Source({}))

    assert [(each.is_mended, each.note) for each in repaired.mendings] == [
        (True, "Rebuilt: 4 rows, 4 shots, 0 verdicts.")
    ]
    assert (await look(archive)).findings == ()


async def test_shots_that_the_ledger_does_not_know_are_put_back(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """Also one whose row was damaged and is mended before."""
    row = f"UPDATE images SET record_json = '?' WHERE sha256 = '{images[0].sha256}'"
    await asyncio.to_thread(execute, archive, "DELETE FROM shots", row)
    repaired = await mended(archive, Source({}))

    assert [each.note for each in repaired.mendings] == [
        "The row was made from the record.",
        "Rebuilt: 0 rows, 4 shots, 0 verdicts.",
    ]
    assert (await look(archive)).findings == ()


async def test_a_shot_that_nothing_tells_of_is_left(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Record and row are both damaged: it is not said that the ledger knows it again."""
    overwrite(archive, record_key(images[0].sha256), b"{")
    row = f"UPDATE images SET record_json = '?' WHERE sha256 = '{images[0].sha256}'"
    await asyncio.to_thread(execute, archive, "DELETE FROM shots", row)
    repaired = await mended(archive, Source({}))

    assert [each.is_mended for each in repaired.mendings] == [False, False]
    assert "no good record is left" in repaired.mendings[1].note


async def test_what_only_a_row_knows_comes_back_whole(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Bytes and record are gone: the row says which job it was."""
    sha256 = images[0].sha256
    await archive.store.delete(object_key(sha256))
    await archive.store.delete(record_key(sha256))

    assert (await mended(archive, Source())).is_sound
    assert (await look(archive)).findings == ()


async def test_the_trash_is_looked_into_before_the_provider(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """What was thrown away by mistake needs nobody else."""
    await put_into_trash(images[0].sha256, archive.store)
    source = Source({})
    repaired = await mended(archive, source)

    assert [each.note for each in repaired.mendings] == ["Taken out of the trash."]
    assert source.asked == []
    assert (await look(archive)).findings == ()


async def test_the_trash_replaces_damaged_bytes(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """They hold the name; the good copy is not forgotten before it has taken their place, and they are kept."""
    sha256 = images[0].sha256
    damaged = flipped(BYTES[sha256], 0.5)
    await put_into_trash(sha256, archive.store)
    await archive.store.put_if_absent(object_key(sha256), damaged)
    source = Source({})
    repaired = await mended(archive, source)

    assert [(each.is_mended, each.note) for each in repaired.mendings] == [(True, "Taken out of the trash.")]
    assert source.asked == []
    assert await archive.store.get(object_key(sha256)) == BYTES[sha256]
    assert await archive.store.get(quarantine_key(sha256_of(damaged))) == damaged
    assert await archive.store.head(trash_key(sha256)) is None


async def test_bytes_from_the_trash_get_their_record_back(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """One repair is enough where both are gone, and the row has the record."""
    sha256 = images[0].sha256
    await put_into_trash(sha256, archive.store)
    await archive.store.delete(record_key(sha256))
    repaired = await mended(archive, Source({}))

    assert [each.note for each in repaired.mendings] == ["Taken out of the trash."]
    assert ImageRecord.model_validate_json(await archive.store.get(record_key(sha256))) == images[0]
    assert (await look(archive)).findings == ()


async def test_a_record_that_can_be_read_again_is_kept(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """A read that failed once is no damage: nothing is written."""
    sha256 = images[0].sha256
    before = await archive.store.get(record_key(sha256))
    finding = Finding(kind=FindingKind.UNREADABLE, key=record_key(sha256), detail="The disk did not answer.")
    repaired = await repair([finding], archive, Source({}))

    assert [(each.is_mended, each.note) for each in repaired.mendings] == [
        (True, "The record can be read by now, and is whole.")
    ]
    assert await archive.store.get(record_key(sha256)) == before
    assert await archive.catalogue.get(sha256) == catalogue_entry(images[0])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: {"request": image.request.model_copy(update={"prompt": "a rug"})}, id="bought"),
        pytest.param(lambda image: {"campaign": "carts"}, id="of a column"),
    ],
)
async def test_a_record_that_was_changed_is_made_from_the_row(
    change: Callable[[ImageRecord], dict[str, object]], archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """One letter, in a file that is a record all the same: the good copy is not written over with it."""
    sha256 = images[0].sha256
    damaged = images[0].model_copy(update=change(images[0])).model_dump_json().encode()
    overwrite(archive, record_key(sha256), damaged)
    before = await archive.catalogue.get(sha256)
    repaired = await mended(archive, Source({}))

    assert [(each.is_mended, each.note) for each in repaired.mendings] == [
        (True, "The record was made from the catalogue's copy.")
    ]
    assert ImageRecord.model_validate_json(await archive.store.get(record_key(sha256))) == images[0]
    assert await archive.catalogue.get(sha256) == before
    assert await archive.store.get(quarantine_key(sha256_of(damaged))) == damaged
    assert (await look(archive)).findings == ()


@pytest.mark.parametrize("is_gone", [False, True], ids=["unreadable", "gone with its bytes"])
async def test_a_row_is_mended_with_its_record(is_gone: bool, archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Its signature is gone and its seed is wrong, which no look says while there is no record to hold it against."""
    sha256 = images[0].sha256
    if is_gone:
        await archive.store.delete(record_key(sha256))
        await archive.store.delete(object_key(sha256))
    else:
        overwrite(archive, record_key(sha256), b"{")
    await asyncio.to_thread(
        execute,
        archive,
        f"DELETE FROM signatures WHERE sha256 = '{sha256}'",
        f"UPDATE images SET seed = 9 WHERE sha256 = '{sha256}'",
    )

    assert (await mended(archive, Source())).is_sound
    assert (await look(archive)).findings == ()
    assert await archive.catalogue.get(sha256) == catalogue_entry(images[0])


async def test_of_two_copies_none_is_taken_where_nobody_knows(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """What a picture cost stands in no column: file and row both stay as they are, and what differs is said."""
    sha256 = images[0].sha256
    other = images[0].model_copy(update={"cost": None}).model_dump_json().encode()
    overwrite(archive, record_key(sha256), other)
    repaired = await mended(archive, Source({}))

    [mending] = repaired.mendings
    assert (mending.is_mended, "say otherwise in cost" in mending.note, repaired.is_sound) == (False, True, False)
    assert await archive.store.get(record_key(sha256)) == other
    assert await archive.catalogue.get(sha256) == catalogue_entry(images[0])


async def test_a_copy_that_its_own_row_speaks_against_is_no_record(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """The record is gone, and the row says two things."""
    sha256 = images[0].sha256
    await archive.store.delete(record_key(sha256))
    await asyncio.to_thread(execute, archive, f"UPDATE images SET campaign = 'carts' WHERE sha256 = '{sha256}'")
    [mending] = (await mended(archive, Source({}))).mendings

    assert not mending.is_mended
    assert "own columns in campaign" in mending.note
    assert await archive.store.head(record_key(sha256)) is None


@pytest.mark.parametrize("key_of", [record_key, object_key])
async def test_what_cannot_be_read_is_not_deleted(
    key_of: Callable[[str], str],
    archive: Archive,
    images: Sequence[ImageRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be whole, and could not be kept in quarantine: the store's own message is the note."""
    key = key_of(images[0].sha256)
    before = await archive.store.get(key)
    finding = Finding(kind=FindingKind.UNREADABLE, key=key, detail="It cannot be read.")
    with monkeypatch.context() as patched:
        failing(patched, archive, "get", lambda asked: asked == key)
        repaired = await repair([finding], archive, Source())

    assert [(each.is_mended, each.note) for each in repaired.mendings] == [(False, f"No answer for {key}.")]
    assert await archive.store.get(key) == before


async def test_a_small_copy_that_fails_keeps_back_no_report(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, and the others are made; what was mended is told."""
    await archive.store.delete(object_key(images[0].sha256))
    findings = (await look(archive)).findings
    failing(monkeypatch, archive, "put_if_absent", lambda asked: asked == thumbnail_key(images[1].sha256))
    repaired = await repair(findings, archive, Source())

    assert [each.note for each in repaired.mendings] == ["Fetched again from scenario."]
    assert (repaired.thumbnails, repaired.failed_thumbnails) == (3, 1)


async def test_a_list_that_fails_keeps_back_no_report(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures without a small copy cannot be found: what was mended is told all the same."""

    def no_list(store: object, prefix: str) -> None:
        raise ArchiveError("No list.")

    monkeypatch.setattr(type(archive.store), "list", no_list)
    assert await repair((), archive, Source()) == Repaired(failed_thumbnails=1)


async def test_what_cannot_be_mended_says_why_and_stays(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """The provider has it no more, or gives other bytes; nobody knows where a reference is from. Nothing is lost."""
    gone, changed, other, edit = images
    damaged = flipped(BYTES[changed.sha256], 0.5)
    await archive.store.delete(object_key(gone.sha256))
    overwrite(archive, object_key(changed.sha256), damaged)
    await archive.store.delete(object_key(other.sha256))
    await archive.store.delete(object_key(edit.references[0].sha256))
    repaired = await mended(archive, Source({other.sha256: b"another encoding"}))

    assert {each.finding.key.rpartition("/")[2].removesuffix(".json"): each.note for each in repaired.mendings} == {
        gone.sha256: "The job is unknown.",
        changed.sha256: "The job is unknown.",
        other.sha256: "scenario gives other bytes for it by now: bring it back from a backup.",
        edit.references[0].sha256: (
            "Nothing here says where it came from: bring it back from a backup, or run its campaign again."
        ),
    }
    assert not repaired.is_sound
    assert await archive.store.get(object_key(changed.sha256)) == damaged


async def test_damage_in_quarantine_is_not_mended(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """There is no other copy of what failed a check."""
    await archive.store.put_if_absent(quarantine_key("a" * 64), b"changed")
    (mending,) = (await mended(archive, Source())).mendings

    assert (mending.is_mended, mending.note) == (False, "There is no other copy of it: bring it back from a backup.")


async def test_of_damaged_documents_it_is_said_what_helps(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """The catalogue knows what an edition's file says; what a person has decided is nowhere else."""
    for key in (edition_key("0123"), decision_key("review-0123")):
        await archive.store.put_if_absent(key, b"{")
    notes = {each.finding.key: each.note for each in (await mended(archive, Source())).mendings}

    assert notes == {
        edition_key("0123"): "The next run of its campaign writes it anew, which buys nothing.",
        decision_key("review-0123"): "There is no other copy of it: bring it back from a backup.",
    }


async def test_small_copies_are_made_anew(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Those that are missing, once."""
    await archive.store.put_if_absent(thumbnail_key(images[0].sha256), b"here")
    repaired = await mended(archive, Source())

    assert repaired == Repaired(mendings=(), thumbnails=3)
    thumbnail = await asyncio.to_thread(thumbnail_of_bytes, BYTES[images[1].sha256])
    assert await archive.store.get(thumbnail_key(images[1].sha256)) == marked_thumbnail(thumbnail, images[1])
    assert await mended(archive, Source()) == Repaired(mendings=(), thumbnails=0)
