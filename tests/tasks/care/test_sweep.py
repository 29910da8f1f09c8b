import json
from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime, timedelta

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import decision_key, object_key, quarantine_key, record_key, trash_key, trash_note_key
from blocks.archive.ledger import Reservation
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from tasks.care import sweep as module
from tasks.care.named import named_among
from tasks.care.sweep import Swept, sweep
from tasks.models import ImageRecord, ReferenceUse, Shot, sha256_of
from tasks.trash import put_into_trash
from tests.tasks.care.upkeep import ORPHAN, OTHER, REFERENCE, ImageOf, keep, keys, overwrite
from tests.tasks.gate.spoilt import GOOD

NO_GRACE = timedelta(0)

pytestmark = pytest.mark.usefixtures("orphan")


async def test_without_a_yes_nothing_is_changed(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """It says what it would do, and how much that is."""
    before = await keys(archive)

    assert await sweep(archive) == Swept(is_dry=True, trashed=(ORPHAN,), trashed_bytes=len(OTHER))
    assert await keys(archive) == before


async def test_what_nothing_names_goes_in_two_steps(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Into the trash first, for the grace period; for good only in a later call."""
    before = await keys(archive)
    assert await sweep(archive, is_dry=False, grace=NO_GRACE) == Swept(
        is_dry=False, trashed=(ORPHAN,), trashed_bytes=len(OTHER)
    )
    moved = before - {object_key(ORPHAN)} | {trash_key(ORPHAN), trash_note_key(ORPHAN)}
    assert await keys(archive) == moved

    assert await sweep(archive, is_dry=False) == Swept(is_dry=False, waiting=(ORPHAN,))
    assert await keys(archive) == moved

    assert await sweep(archive, is_dry=False, grace=NO_GRACE) == Swept(
        is_dry=False, deleted=(ORPHAN,), deleted_bytes=len(OTHER)
    )
    assert await keys(archive) == before - {object_key(ORPHAN)}


async def test_the_grace_period_is_that_of_the_note(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """A note that cannot be read keeps its picture."""
    await put_into_trash(ORPHAN, archive.store)
    old = datetime.now(UTC) - timedelta(days=15)
    await archive.store.put(trash_note_key(ORPHAN), json.dumps({"since": old.isoformat()}).encode())
    assert (await sweep(archive)).deleted == (ORPHAN,)

    await archive.store.put(trash_note_key(ORPHAN), b"?")
    assert (await sweep(archive, grace=NO_GRACE)).waiting == (ORPHAN,)


def open_shot(shot: Shot) -> Reservation:
    return Reservation(
        shot_key=shot.key,
        provider=shot.provider,
        sandbox=True,
        request_json=shot.model_dump_json(exclude_none=True),
        campaign="c",
        edition="e",
        run_id="gone",
    )


async def named_by_open_shot(archive: Archive, shot: Shot) -> None:
    await archive.ledger.reserve(open_shot(shot.model_copy(update={"parent_sha256": ORPHAN})))


async def named_as_reference(archive: Archive, shot: Shot) -> None:
    use = ReferenceUse(role="cup", sha256=ORPHAN)
    await archive.ledger.reserve(open_shot(shot.model_copy(update={"references": (use,)})))


async def made_by_a_shot(archive: Archive, shot: Shot) -> None:
    await archive.ledger.reserve(open_shot(shot))
    await archive.ledger.mark_sending(shot.key, 1)
    await archive.ledger.mark_running(shot.key, 1, "job")
    await archive.ledger.mark_done(shot.key, 1, [ORPHAN])


async def named_by_a_decision(archive: Archive, shot: Shot) -> None:
    await archive.store.put_if_absent(decision_key("of-tomorrow"), json.dumps({"x": {"picture": ORPHAN}}).encode())


async def named_by_a_row(archive: Archive, shot: Shot) -> None:
    (record,) = await archive.catalogue.find_prefix(sha256_of(GOOD["PNG"]))
    await archive.catalogue.add([record.model_copy(update={"sha256": ORPHAN})])


NAMED = [named_by_open_shot, named_as_reference, made_by_a_shot, named_by_a_decision, named_by_a_row]


@pytest.mark.parametrize("name", NAMED, ids=lambda each: each.__name__)
async def test_what_something_names_stays(
    name: Callable[..., object], archive: Archive, images: Sequence[ImageRecord], shot_of: Callable[..., Shot]
) -> None:
    """Open shots, what shots have made, decisions of any version, rows: each of them is enough, also in the trash."""
    await name(archive, shot_of())  # type: ignore[misc]  # each of them is async
    assert await sweep(archive, is_dry=False, grace=NO_GRACE) == Swept(is_dry=False)
    assert await archive.store.get(object_key(ORPHAN)) == OTHER

    await put_into_trash(ORPHAN, archive.store)
    assert await sweep(archive, is_dry=False, grace=NO_GRACE) == Swept(is_dry=False, restored=(ORPHAN,))
    assert await archive.store.get(object_key(ORPHAN)) == OTHER
    assert not {key for key in await keys(archive) if key.startswith("trash/")}


async def test_records_and_their_references_stay(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Where the catalogue knows nothing, too."""
    await sweep(archive, is_dry=False, grace=NO_GRACE)

    for data in (*GOOD.values(), REFERENCE):
        assert await archive.store.get(object_key(sha256_of(data))) == data


async def test_quarantine_and_strange_files_are_not_touched(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """What failed a check was paid for; what is no picture by its name is not ours."""
    await archive.store.put_if_absent(quarantine_key(ORPHAN), OTHER)
    await archive.store.put_if_absent("objects/notes.txt", b"mine")
    await sweep(archive, is_dry=False, grace=NO_GRACE)
    await sweep(archive, is_dry=False, grace=NO_GRACE)

    assert {quarantine_key(ORPHAN), "objects/notes.txt"} <= await keys(archive)


async def test_beside_a_run_it_refuses(
    archive: Archive, images: Sequence[ImageRecord], shot_of: Callable[..., Shot]
) -> None:
    """A run at work may be between bytes and record; so may a shot that a run that is gone has left."""
    before = await keys(archive)
    await archive.ledger.begin_run("at-work-now")
    with pytest.raises(ArchiveError, match=r"Runs are at work on this archive \(1: at-work-\)"):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    await archive.ledger.end_run("at-work-now")

    shot = shot_of()
    await archive.ledger.reserve(open_shot(shot))
    await archive.ledger.mark_sending(shot.key, 1)
    with pytest.raises(ArchiveError, match=r"Shots are under way \(1\), left by runs that are gone: run `reconcile`"):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    await archive.ledger.mark_running(shot.key, 1, "job")
    with pytest.raises(ArchiveError, match=r"Shots are under way \(1\)"):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await keys(archive) == before


async def test_a_run_that_begins_meanwhile_gets_everything_back(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been told that a reference is here already, a moment before it was moved."""
    before = await keys(archive)
    real = put_into_trash

    async def meanwhile(sha256: str, store: object) -> None:
        await archive.ledger.begin_run("new")
        await real(sha256, store)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(module, "put_into_trash", meanwhile)
    with pytest.raises(ArchiveError, match="Meanwhile a run has begun, so everything was put back"):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await keys(archive) == before


async def test_a_run_that_has_come_and_gone_gets_everything_back(
    archive: Archive, images: Sequence[ImageRecord], image_of: ImageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its picture had these very bytes, which nothing had named before: its record names them now."""

    async def meanwhile(sha256s: Set[str], archive: Archive) -> frozenset[str]:
        named = await named_among(sha256s, archive)
        await archive.ledger.begin_run("quick")
        await keep(archive, image_of(sha256=ORPHAN), OTHER)
        await archive.ledger.end_run("quick")
        return named

    monkeypatch.setattr(module, "named_among", meanwhile)
    with pytest.raises(
        ArchiveError, match=r"Meanwhile a run has begun, so everything was put back\. It has ended since"
    ):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await archive.store.get(object_key(ORPHAN)) == OTHER


async def test_of_two_at_once_one_refuses(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One could put back what the other has copied and is about to delete: then neither place would have it."""
    real = put_into_trash

    async def meanwhile(sha256: str, store: Store) -> None:
        with pytest.raises(ArchiveError, match=r"Runs are at work on this archive \(1: gc-"):
            await sweep(archive, is_dry=False)
        await real(sha256, store)

    monkeypatch.setattr(module, "put_into_trash", meanwhile)
    with pytest.raises(ArchiveError, match="so everything was put back"):
        await sweep(archive, is_dry=False)
    assert await archive.store.get(object_key(ORPHAN)) == OTHER


async def test_a_record_that_cannot_be_read_stops_it(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Nobody knows which pictures it names."""
    overwrite(archive, record_key(images[0].sha256), b"{")
    with pytest.raises(ArchiveError, match="cannot be read, so nobody knows which pictures it names: run `repair`"):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await archive.store.get(object_key(ORPHAN)) == OTHER


async def test_a_record_that_forgot_a_reference_is_not_believed(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """A digit that turned in a record names another picture: the catalogue still names the right one."""
    edit = images[-1]
    key, reference = record_key(edit.sha256), edit.references[0].sha256
    other = ("0" if reference[0] != "0" else "1") + reference[1:]
    overwrite(archive, key, (await archive.store.get(key)).replace(reference.encode(), other.encode()))

    assert (await sweep(archive, is_dry=False, grace=NO_GRACE)).trashed == (ORPHAN,)
    assert await archive.store.get(object_key(reference)) == REFERENCE
