from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.archive.catalogue import VerdictRow
from blocks.errors import BriefError
from tasks.decided import decisions_of, take_in
from tasks.decision_file import DecisionFile
from tasks.models import ImageRecord
from tasks.opinions import Opinion
from tasks.records import catalogue_entry
from tasks.review import Standing
from tasks.studio import Studio

SAVED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = SAVED_AT + timedelta(hours=1)
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def row(sha256: str, kind: str = "keeper", keeper: str | None = None, bits: int = 0, reason: str = "") -> VerdictRow:
    return VerdictRow(
        campaign="cards",
        edition="1",
        sha256=sha256,
        kind=kind,
        keeper_sha256=keeper or sha256,
        distance_bits=bits,
        reason=reason,
        rule="phash-3",
    )


ROWS = (row(A), row(B, "duplicate", A, 4, "duplicate of aaaaaaaa"), row(C))


@pytest.fixture
async def hung(studio: Studio, image_of: Callable[..., ImageRecord]) -> Studio:
    """A studio whose campaign has three judged pictures, the second one a repeat of the first."""
    images = [image_of(sha256=sha256, shot_key=sha256) for sha256 in (A, B, C)]
    catalogue = studio.archive.catalogue
    await catalogue.add([catalogue_entry(image) for image in images])
    await catalogue.add_members("cards", "1", [(image.shot_key, 0, 0) for image in images])
    await catalogue.put_verdicts("cards", "1", ROWS)
    return studio


def saved(studio: Studio, *marks: dict[str, Any], minutes: int = 0, **changes: Any) -> DecisionFile:
    values: dict[str, Any] = {
        "kind": "kleinbild-decisions",
        "format": 1,
        "archive": studio.archive.id,
        "campaign": "cards",
        "edition": "1",
        "saved_at": SAVED_AT + timedelta(minutes=minutes),
        "marks": marks,
    }
    return DecisionFile.model_validate(values | changes)


async def test_a_file_is_taken_in_once(hung: Studio) -> None:
    """It lies in the archive as one immutable decision, and the catalogue follows it; a second time changes nothing."""
    file = saved(hung, {"sha256": A, "verdict": "reject"}, {"sha256": C, "stars": 5})
    first = await take_in(file, hung.archive, NOW)
    again = await take_in(file, hung.archive, NOW + timedelta(days=1))

    assert (first.is_new, first.changed_verdicts) == (True, 1)
    assert (again.key, again.is_new, again.changed_verdicts) == (first.key, False, 0)
    assert await decisions_of(hung) == (file.decided(NOW),)
    assert await hung.archive.catalogue.verdicts_of("cards", "1") == (
        row(A, "rejected", reason="rejected in review"),
        *ROWS[1:],
    )


async def test_what_was_rejected_can_be_kept_again(hung: Studio) -> None:
    """The later word holds, in whatever order the files come; a repeat that was never rejected stays one."""
    reject = saved(hung, {"sha256": A, "verdict": "reject"}, {"sha256": B, "verdict": "reject"})
    keep = saved(hung, {"sha256": A, "verdict": "keep"}, minutes=1)
    for file in (keep, reject):
        await take_in(file, hung.archive, NOW)

    assert [each.kind for each in await hung.archive.catalogue.verdicts_of("cards", "1")] == [
        "keeper",
        "rejected",
        "keeper",
    ]
    standing = Standing(await decisions_of(hung))
    assert set(standing.rejected) == {B}
    assert standing.opinions == (Opinion(sha256=A, stars=0, is_kept=True),)


async def test_stars_are_no_decision_and_can_be_taken_back(hung: Studio) -> None:
    """A star for a rejected picture does not bring it back; the last number of stars holds, and none is one too."""
    await take_in(
        saved(hung, {"sha256": A, "verdict": "reject", "stars": 2}, {"sha256": B, "stars": 3}), hung.archive, NOW
    )
    await take_in(saved(hung, {"sha256": A, "stars": 4}, {"sha256": B, "stars": 0}, minutes=1), hung.archive, NOW)

    standing = Standing(await decisions_of(hung))
    assert set(standing.rejected) == {A}
    assert standing.opinions == (Opinion(sha256=A, stars=4),)


async def test_a_file_of_another_archive_is_refused(hung: Studio) -> None:
    """Equal pictures may lie in two archives; decisions belong to one."""
    with pytest.raises(BriefError, match="made on a contact sheet of another archive, elsewhere"):
        await take_in(saved(hung, {"sha256": A, "stars": 1}, archive="elsewhere"), hung.archive, NOW)
    assert await decisions_of(hung) == ()


@pytest.mark.parametrize("changes", [{}, {"edition": "2"}, {"campaign": "posters\x1b[2J"}])
async def test_pictures_that_the_campaign_does_not_have_are_refused(hung: Studio, changes: dict[str, Any]) -> None:
    """One stranger spoils the whole file: half of it would be nobody's decision."""
    file = saved(hung, {"sha256": A, "verdict": "reject"}, {"sha256": "d" * 64, "stars": 1}, **changes)
    with pytest.raises(BriefError, match="nothing was taken in") as refused:
        await take_in(file, hung.archive, NOW)

    assert "dddddddddddd" in str(refused.value)
    assert str(refused.value).isprintable()
    assert [key async for key in hung.archive.store.list("decisions/")] == []
    assert await hung.archive.catalogue.verdicts_of("cards", "1") == ROWS
