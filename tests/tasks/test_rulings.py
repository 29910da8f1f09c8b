import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.archive.catalogue import VerdictRow
from blocks.archive.folder_store import FolderStore
from blocks.errors import ArchiveError
from tasks.brief import Dedupe
from tasks.decided import decisions_of, keep_decision, take_in, take_ruling, wishes_of
from tasks.decision_file import DecisionFile
from tasks.models import ImageRecord
from tasks.records import catalogue_entry
from tasks.review import Decision, Standing
from tasks.rulings import Ruling, Rulings, keep_rulings, restored, rulings_in, told_apart
from tasks.studio import Studio

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
async def store(tmp_path: Path) -> FolderStore:
    return await FolderStore.open(tmp_path)


@pytest.fixture
async def hung(studio: Studio, image_of: Callable[..., ImageRecord]) -> Studio:
    """Two campaigns share three pictures; the second and the third repeat the first."""
    images = [image_of(sha256=sha256, shot_key=sha256) for sha256 in (A, B, C)]
    catalogue = studio.archive.catalogue
    await catalogue.add([catalogue_entry(image) for image in images])
    for campaign in ("cards", "mugs"):
        await catalogue.add_members(campaign, "1", [(image.shot_key, 0, 0) for image in images])
        await catalogue.put_verdicts(
            campaign, "1", [row(A, campaign=campaign), *(row(each, "duplicate", campaign) for each in (B, C))]
        )
    return studio


def row(sha256: str, kind: str = "keeper", campaign: str = "cards", reason: str = "") -> VerdictRow:
    keeper, bits = (A, 4) if kind == "duplicate" else (sha256, 0)
    return VerdictRow(
        campaign=campaign,
        edition="1",
        sha256=sha256,
        kind=kind,
        keeper_sha256=keeper,
        distance_bits=bits,
        reason=reason,
        rule="phash-3",
    )


def sheet(studio: Studio, verdict: str, minutes: int) -> DecisionFile:
    """Somebody says on the contact sheet what is to become of the second picture."""
    values: dict[str, Any] = {
        "kind": "kleinbild-decisions",
        "format": 1,
        "archive": studio.archive.id,
        "campaign": "cards",
        "edition": "1",
        "saved_at": NOW + timedelta(minutes=minutes),
        "marks": [{"sha256": B, "verdict": verdict}],
    }
    return DecisionFile.model_validate(values)


async def kinds(studio: Studio, campaign: str = "cards") -> list[str]:
    return [each.kind for each in await studio.archive.catalogue.verdicts_of(campaign, "1")]


async def test_rulings_are_kept_as_they_were_made(store: FolderStore) -> None:
    """As readable JSON with the version of their format; two pictures are told apart once, in either order."""
    rulings = [told_apart(B, A, NOW), restored(A, "sheet", NOW + timedelta(minutes=1))]
    assert await keep_rulings([*rulings, told_apart(A, B, NOW + timedelta(days=1))], store) == 2
    found = await rulings_in(store)

    assert found == Rulings(all=tuple(rulings))
    assert found.apart == {frozenset((A, B))}
    written = json.loads(await store.get(rulings[0].key))
    assert written == {
        "format": 1,
        "kind": "not_duplicate",
        "images": [A, B],
        "by": "command",
        "decided_at": "2026-11-20T12:00:00Z",
    }


@pytest.mark.parametrize("images", [(), (A,), (A, A), (B, A), (A, B, C)])
def test_two_pictures_are_told_apart(images: tuple[str, ...]) -> None:
    """Not one, not three, not one from itself; and in one order, so that the same ruling has one name."""
    with pytest.raises(ValidationError, match="not_duplicate is about 2 different pictures"):
        Ruling(kind="not_duplicate", images=images, by="command", decided_at=NOW)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is damaged: bring it back from a backup"),
        (b'{"format": 1, "kind": "restored"}', "is damaged"),
        (b'{"format": 2, "kind": "mood"}', "has format 2; this version reads formats up to 1: update Kleinbild."),
    ],
)
async def test_what_cannot_be_read_is_said(store: FolderStore, data: bytes, message: str) -> None:
    """Nothing is judged on a wrong footing."""
    await store.put(restored(A, "command", NOW).key, data)
    with pytest.raises(ArchiveError, match=message):
        await rulings_in(store)


async def test_a_restored_picture_is_a_keeper_in_all_campaigns(hung: Studio) -> None:
    """Verdicts follow at once, later runs of any edition know it; a second time changes nothing."""
    ruled = await take_ruling(restored(B, "command", NOW), hung.archive)
    assert (ruled.is_new, ruled.changed_verdicts) == (True, 2)
    assert await hung.archive.catalogue.verdicts_for(B) == (
        row(B, reason="kept by a person"),
        row(B, campaign="mugs", reason="kept by a person"),
    )
    assert (await wishes_of(hung, Dedupe())).kept == {B}
    again = await take_ruling(restored(B, "command", NOW), hung.archive)
    assert (again.is_new, again.changed_verdicts) == (False, 0)


async def test_of_rejecting_and_restoring_the_later_word_holds(hung: Studio) -> None:
    """Whichever it is, and in whatever order they are read."""
    await take_in(sheet(hung, "reject", 0), hung.archive, NOW + timedelta(days=1))
    await take_ruling(restored(B, "command", NOW + timedelta(minutes=1)), hung.archive)
    assert await kinds(hung) == ["keeper", "keeper", "duplicate"]
    assert Standing(await decisions_of(hung)).rejected == {}
    await take_in(sheet(hung, "reject", 2), hung.archive, NOW + timedelta(days=1))
    assert await kinds(hung) == ["keeper", "rejected", "duplicate"]
    assert (await wishes_of(hung, Dedupe())).kept == frozenset()


@pytest.mark.parametrize(("rejected", "kept"), [((), {B}), ((B,), set())])
async def test_a_review_that_lets_a_restored_picture_go_on_takes_nothing_back(
    hung: Studio, rejected: tuple[str, ...], kept: set[str]
) -> None:
    """A restored picture is asked about like any keeper: only a no makes it anything else."""
    await take_ruling(restored(B, "command", NOW), hung.archive)
    review = Decision(
        rejected=rejected,
        campaign="cards",
        edition="1",
        step=0,
        round=1,
        question="Which of 2 pictures go on?",
        shown=(A, B),
        by="form",
        run_id="0b1",
        decided_at=NOW + timedelta(hours=1),
    )
    await keep_decision(review, hung)
    assert (await wishes_of(hung, Dedupe())).kept == kept


async def test_a_duplicate_that_is_kept_on_the_sheet_is_restored(hung: Studio) -> None:
    """There at once, and in other campaigns as soon as they are judged; taken in twice it is one ruling."""
    for _ in range(2):
        await take_in(sheet(hung, "keep", 0), hung.archive, NOW)
    assert await rulings_in(hung.archive.store) == Rulings(all=(restored(B, "sheet", NOW),))
    assert await kinds(hung) == ["keeper", "keeper", "duplicate"]


async def test_pictures_that_are_told_apart_are_no_duplicates(hung: Studio) -> None:
    """Of each other: what repeats one of them for other reasons stays as it is."""
    ruled = await take_ruling(told_apart(C, A, NOW), hung.archive)
    assert ruled.changed_verdicts == 2
    assert await kinds(hung) == await kinds(hung, "mugs") == ["keeper", "duplicate", "keeper"]
    assert (await hung.archive.catalogue.verdicts_for(C))[0].reason == "told apart by a person"
    assert (await wishes_of(hung, Dedupe())).apart == {frozenset((A, C))}
    assert (await take_ruling(told_apart(B, C, NOW), hung.archive)).changed_verdicts == 0
