import asyncio
from collections.abc import Callable, Sequence

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    object_key,
    quarantine_key,
    quarantine_reason_key,
    record_key,
)
from tasks.care.findings import Finding, FindingKind
from tasks.care.repair import Believed, repair
from tasks.gate.quarantine import Quarantined
from tasks.models import ImageRecord, sha256_of
from tasks.records import catalogue_entry
from tasks.trash import put_into_trash
from tests.tasks.care.mending import Source, look, mended
from tests.tasks.care.upkeep import execute, overwrite


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


async def test_what_only_a_row_knows_comes_back_whole(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Bytes and record are gone: the row says which job it was."""
    sha256 = images[0].sha256
    await archive.store.delete(object_key(sha256))
    await archive.store.delete(record_key(sha256))

    assert (await mended(archive, Source())).is_sound
    assert (await look(archive)).findings == ()


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


@pytest.mark.parametrize("is_odd", [False, True], ids=["two say otherwise", "columns fit neither"])
@pytest.mark.parametrize("believed", ["record", "catalogue"])
async def test_what_is_disputed_goes_by_what_is_said(
    believed: Believed, is_odd: bool, archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """A person knows what a picture cost; what the other one said is kept in quarantine, with the reason."""
    sha256 = images[0].sha256
    other = images[0].model_copy(update={"cost": None, **({"campaign": "carts"} if is_odd else {})})
    overwrite(archive, record_key(sha256), other.model_dump_json().encode())
    if is_odd:
        await asyncio.to_thread(execute, archive, f"UPDATE images SET campaign = 'rugs' WHERE sha256 = '{sha256}'")
    row = await archive.catalogue.get(sha256)
    assert row is not None
    repaired = await repair((await look(archive)).findings, archive, Source({}), believed=believed)

    right = other if believed == "record" else images[0]
    assert repaired.is_sound
    assert ImageRecord.model_validate_json(await archive.store.get(record_key(sha256))) == right
    assert await archive.catalogue.get(sha256) == catalogue_entry(right)
    assert (await look(archive)).findings == ()
    gone = [row.model_dump_json(exclude={"fingerprint", "signature"}, indent=1).encode()]
    if believed == "catalogue":
        gone.append(other.model_dump_json().encode())
    for said in gone:
        assert await archive.store.get(quarantine_key(sha256_of(said))) == said
        note = Quarantined.model_validate_json(await archive.store.get(quarantine_reason_key(sha256_of(said))))
        assert note.reason == f"It is what was said of {record_key(sha256)}; a person has believed the {believed}."


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
