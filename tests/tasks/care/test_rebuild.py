import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from blocks.archive.archive import Archive, open_archive
from blocks.archive.catalogue import Catalogue, VerdictRow
from blocks.archive.layout import CATALOGUE_FILE, decision_key, record_key
from blocks.archive.ledger import Reservation
from blocks.archive.search import Search
from tasks.care.findings import FindingKind
from tasks.care.rebuild import Rebuilt, rebuild
from tasks.decided import decision_id
from tasks.edition_file import file_key, put_verdicts
from tasks.models import ImageRecord, sha256_of
from tasks.records import catalogue_entry
from tasks.review import Decision
from tasks.rulings import keep_rulings, told_apart
from tests.tasks.care.upkeep import ImageOf, bought, filled, keep, overwrite
from tests.tasks.gate.spoilt import GOOD

IMAGES = 700
"""More than two batches."""

EDITIONS = [("cards", "0"), ("cards", "1"), ("pots", "0"), ("pots", "1"), ("shares", "1")]


@pytest.fixture
def open_one(tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[Archive]]:
    """Opens the archive of this test, again and again."""
    return lambda: open_archive(str(tmp_path))


@pytest.fixture
async def archive(open_one: Callable[[], AbstractAsyncContextManager[Archive]]) -> AsyncIterator[Archive]:
    async with open_one() as opened:
        yield opened


def lose(folder: Path) -> None:
    """What a person does with a database that is malformed, as the message advises."""
    for file in folder.glob(f"{CATALOGUE_FILE}*"):
        file.unlink()


async def answers(catalogue: Catalogue, records: list[ImageRecord]) -> list[object]:
    """Everything that can be asked about images."""
    sha256s = [record.sha256 for record in records]
    editions = EDITIONS
    return [
        await catalogue.count(),
        await catalogue.entries(sha256s),
        await catalogue.signatures(),
        await catalogue.signatures(exclude_campaign="cards", exclude_edition="1"),
        [await catalogue.find_prefix(sha256[:2]) for sha256 in sha256s[::50]],
        [await catalogue.children_of(sha256) for sha256 in sha256s[::50]],
        [await catalogue.ancestors_of(sha256) for sha256 in sha256s[-1::-50]],
        [await catalogue.descendants_of(sha256) for sha256 in sha256s[::50]],
        [await catalogue.images_of(*edition) for edition in editions],
        [await catalogue.members_of(*edition) for edition in editions],
        [await catalogue.verdicts_of(*edition) for edition in editions],
        [await catalogue.verdicts_for(sha256) for sha256 in sha256s[::50]],
        [await catalogue.search(Search(campaign=campaign, edition=edition)) for campaign, edition in editions],
        await catalogue.search(Search(made_from=records[9].made_at, made_before=records[99].made_at)),
    ]


async def judge(archive: Archive, campaign: str, edition: str) -> None:
    """What a run says at its end: every third picture repeats the first, one was rejected by a person."""
    images = await archive.catalogue.images_of(campaign, edition)
    kinds = ["duplicate" if number % 3 == 1 else "keeper" for number in range(len(images))]
    rows = [
        VerdictRow(
            campaign=campaign,
            edition=edition,
            sha256=image.sha256,
            kind=kind,
            keeper_sha256=images[0].sha256 if kind == "duplicate" else image.sha256,
            distance_bits=3 if kind == "duplicate" else 0,
            reason=f"{kind} in “{edition}”",
            rule="phash-3",
        )
        for image, kind in zip(images, kinds, strict=True)
    ]
    await put_verdicts(campaign, edition, rows, archive)


def many(image_of: ImageOf) -> list[ImageRecord]:
    """Records of two campaigns, in chains of edits."""
    records: list[ImageRecord] = []
    for number in range(IMAGES):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        step = number % 4
        record = image_of(
            sha256=sha256,
            campaign="cards" if number % 3 else "pots",
            edition=str(number % 2),
            position=number,
            step=step,
            parent_sha256=records[-1].sha256 if step else None,
        )
        checks = record.checks.model_copy(update={"fingerprint": sha256[:48]})
        made_at = record.made_at + timedelta(seconds=number)
        records.append(bought(record.model_copy(update={"checks": checks, "made_at": made_at}), seed=number))
    return records


async def test_a_catalogue_that_was_lost_answers_as_before(
    open_one: Callable[[], AbstractAsyncContextManager[Archive]], tmp_path: Path, image_of: ImageOf
) -> None:
    """From what lies in the store alone: every answer about images and verdicts is the same, word for word.

    A campaign that bought nothing, because its shots were another one's, is known again too.
    """
    records = many(image_of)
    async with open_one() as archive:
        for record in records:
            await keep(archive, record, b"")
            await archive.catalogue.add_members(
                record.campaign, record.edition, [(record.shot_key, record.position, record.step)]
            )
        await archive.catalogue.add_members("shares", "1", [(records[0].shot_key, 0, 0)])
        for edition in EDITIONS:
            await judge(archive, *edition)
        before = await answers(archive.catalogue, records)
    lose(tmp_path)
    async with open_one() as archive:
        assert await archive.catalogue.count() == 0
        told: list[tuple[int, int]] = []
        rebuilt = await rebuild(archive, on_progress=lambda done, due: told.append((done, due)))

        assert rebuilt == Rebuilt(records=IMAGES, added=IMAGES, corrected=0, shots=IMAGES, verdicts=IMAGES + 1)
        assert told == [(256, IMAGES), (512, IMAGES), (IMAGES, IMAGES)]
        assert await answers(archive.catalogue, records) == before
        assert await rebuild(archive) == Rebuilt(records=IMAGES, added=0, corrected=0)


async def test_a_rebuild_that_is_stopped_leaves_no_half_editions(
    open_one: Callable[[], AbstractAsyncContextManager[Archive]], tmp_path: Path, image_of: ImageOf
) -> None:
    """The next rebuild would take an edition of which some shots are known for one that is known as a whole."""
    records = many(image_of)
    async with open_one() as archive:
        for record in records:
            await keep(archive, record, b"")
    lose(tmp_path)

    def stop(done: int, due: int) -> None:
        raise Stopped

    async with open_one() as archive:
        with pytest.raises(Stopped):
            await rebuild(archive, on_progress=stop)
        assert await archive.catalogue.count() == 256
        assert await archive.catalogue.editions() == frozenset()
        await rebuild(archive)
        editions = sorted({(record.campaign, record.edition) for record in records})
        shots = {member.shot_key for each in editions for member in await archive.catalogue.members_of(*each)}
        assert shots == {record.shot_key for record in records}


class Stopped(Exception):
    """The process is told to end."""


async def test_rows_that_say_otherwise_are_corrected(archive: Archive, image_of: ImageOf, tmp_path: Path) -> None:
    """A column that was changed, and a row that is gone; the others are not written."""
    images = await filled(archive, image_of)
    before = await archive.catalogue.entries(image.sha256 for image in images)
    engine = create_engine(f"sqlite:///{tmp_path / CATALOGUE_FILE}")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE images SET seed = 9 WHERE sha256 = '{images[0].sha256}'"))
        connection.execute(text(f"DELETE FROM images WHERE sha256 = '{images[3].sha256}'"))
    engine.dispose()

    assert await rebuild(archive) == Rebuilt(records=4, added=1, corrected=1, shots=4, unjudged=4)
    assert await archive.catalogue.entries(image.sha256 for image in images) == before


async def test_a_row_without_a_record_stays(archive: Archive, image_of: ImageOf) -> None:
    """It is the only copy of what the record said."""
    images = await filled(archive, image_of)
    await archive.store.delete(record_key(images[0].sha256))
    await rebuild(archive)

    assert await archive.catalogue.get(images[0].sha256) is not None


async def test_a_record_that_cannot_be_read_is_told(archive: Archive, image_of: ImageOf) -> None:
    """Its row stays as it is, and the others are rebuilt."""
    images = await filled(archive, image_of)
    overwrite(archive, record_key(images[0].sha256), b"{")
    rebuilt = await rebuild(archive)

    assert [(each.kind, each.key) for each in rebuilt.findings] == [
        (FindingKind.UNREADABLE, record_key(images[0].sha256))
    ]
    assert await archive.catalogue.count() == 4


async def test_a_row_that_may_be_right_is_not_written_over(archive: Archive, image_of: ImageOf) -> None:
    """A record that was changed, and one of which nobody knows: both are told, and the others are rebuilt."""
    changed, disputed, *_ = images = await filled(archive, image_of)
    before = await archive.catalogue.entries(image.sha256 for image in images)
    prompt = changed.request.model_copy(update={"prompt": "a rug"})
    for other in (changed.model_copy(update={"request": prompt}), disputed.model_copy(update={"job_id": "another"})):
        overwrite(archive, record_key(other.sha256), other.model_dump_json().encode())
    rebuilt = await rebuild(archive)

    assert {(each.kind, each.key) for each in rebuilt.findings} == {
        (FindingKind.CHANGED, record_key(changed.sha256)),
        (FindingKind.DISPUTED, record_key(disputed.sha256)),
    }
    assert rebuilt.corrected == 0
    assert await archive.catalogue.entries(image.sha256 for image in images) == before


async def test_what_the_database_knows_of_money_editions_and_verdicts_stays(
    archive: Archive, image_of: ImageOf
) -> None:
    """It is newer than any file; a shot that failed and left a picture all the same stays failed."""
    images = await filled(archive, image_of)
    edition = (images[0].campaign, images[0].edition)
    await judge(archive, *edition)
    newer = [row.model_copy(update={"reason": "newer"}) for row in await archive.catalogue.verdicts_of(*edition)]
    await archive.catalogue.add_members(*edition, [("chosen", 0, 0)])
    await archive.catalogue.put_verdicts(*edition, newer)
    reservation = Reservation(
        shot_key=images[0].shot_key,
        provider="sunra",
        sandbox=True,
        request_json="{}",
        campaign="c",
        edition="e",
        run_id="r",
    )
    before = (await archive.ledger.reserve(reservation)).entry
    await rebuild(archive)

    assert await archive.ledger.get(images[0].shot_key) == before
    assert [member.shot_key for member in await archive.catalogue.members_of(*edition)] == ["chosen"]
    assert await archive.catalogue.verdicts_of(*edition) == tuple(newer)


async def test_what_is_said_for_all_editions_is_read_once(
    archive: Archive, image_of: ImageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year of nightly editions, and a thousand rulings, would otherwise be a third of a million files to read."""
    for number, image in enumerate(await filled(archive, image_of)):
        anew = image.model_copy(update={"edition": f"night {number}"})
        overwrite(archive, record_key(image.sha256), anew.model_dump_json().encode())
        await archive.catalogue.put([catalogue_entry(anew)])
    ruling = told_apart(sha256_of(b"one"), sha256_of(b"other"), datetime.now(UTC))
    await keep_rulings([ruling], archive.store)
    reads: list[str] = []
    real = archive.store.get

    async def counting(key: str) -> bytes:
        reads.append(key)
        return await real(key)

    monkeypatch.setattr(archive.store, "get", counting)
    assert (await rebuild(archive)).unjudged == len(GOOD)
    assert reads.count(ruling.key) == 1


def rejection_of(image: ImageRecord) -> Decision:
    return Decision(
        campaign=image.campaign,
        edition=image.edition,
        step=0,
        round=1,
        question="Does this picture go on?",
        shown=(image.sha256,),
        rejected=(image.sha256,),
        by="form",
        run_id="0b1",
        decided_at=image.made_at,
    )


@pytest.mark.parametrize("spoilt", [b"{", b'{"format": 2, "new": true}'])
async def test_a_file_of_an_edition_that_cannot_be_read_is_not_written_over(
    open_one: Callable[[], AbstractAsyncContextManager[Archive]], tmp_path: Path, image_of: ImageOf, spoilt: bytes
) -> None:
    """It may be a newer version's, or be there again tomorrow, and says more than records; it is told, and left alone.

    Without it, the edition is made of the records.
    """
    async with open_one() as archive:
        images = await filled(archive, image_of)
        edition = (images[0].campaign, images[0].edition)
        members = [(image.shot_key, image.position, image.step) for image in images]
        await archive.catalogue.add_members(*edition, [*members, ("of another campaign", 9, 0)])
        await judge(archive, *edition)
        key = file_key(*edition)
        whole = await archive.store.get(key)
        overwrite(archive, key, spoilt)
        rejected = rejection_of(images[0])
        await archive.store.put(decision_key(decision_id(rejected)), rejected.model_dump_json().encode())
    lose(tmp_path)
    async with open_one() as archive:
        rebuilt = await rebuild(archive)

        assert [(each.kind, each.key) for each in rebuilt.findings] == [(FindingKind.UNREADABLE, key)]
        assert await archive.store.get(key) == spoilt
        overwrite(archive, key, whole)
        await rebuild(archive)
        assert len(await archive.catalogue.members_of(*edition)) == len(images) + 1
        assert len(await archive.catalogue.verdicts_of(*edition)) == len(images)
