import asyncio
from collections.abc import Callable, Sequence
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
from blocks.errors import ArchiveError
from tasks.care.findings import Finding, FindingKind
from tasks.care.repair import Repaired, repair
from tasks.checks import examine
from tasks.models import ImageRecord, sha256_of
from tasks.provenance.views import marked_thumbnail
from tasks.trash import put_into_trash
from tests.tasks.care.mending import BYTES, Source, look, mended
from tests.tasks.care.trash_trouble import failing
from tests.tasks.care.upkeep import execute, overwrite
from tests.tasks.gate.files import flipped


def thumbnail_of_bytes(data: bytes) -> bytes:
    return examine(data, "it").thumbnail


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
