from datetime import UTC, date, datetime, timedelta

import pytest

from blocks.archive.catalogue import VerdictRow
from blocks.errors import BriefError
from tasks.export.select import select, standing_of
from tasks.export.terms import Terms, Wanted, check
from tasks.models import ImageRecord
from tasks.records import catalogue_entry
from tests.tasks.export.conftest import Shelf

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def chosen(shelf: Shelf, **wanted: object) -> dict[str, str]:
    """SHA-256s that a filter lets through, with what was said of each."""
    found = await select(shelf.archive.catalogue, Wanted.model_validate(wanted))
    assert [each.record.sha256 for each in found] == sorted(each.record.sha256 for each in found)
    return {each.record.sha256: each.verdict for each in found}


async def test_keepers_go_out_and_others_only_if_wished(shelf: Shelf) -> None:
    """Near-duplicates, rejected pictures and those that nobody has judged yet stay in, unless they are asked for."""
    keeper, duplicate = await shelf.add(), await shelf.add(verdict="duplicate")
    rejected, unjudged = await shelf.add(verdict="rejected"), await shelf.add(verdict=None)

    assert await chosen(shelf) == {keeper.sha256: "keeper"}
    assert await chosen(shelf, verdict="duplicate") == {duplicate.sha256: "duplicate"}
    assert await chosen(shelf, verdict="rejected") == {rejected.sha256: "rejected"}
    assert await chosen(shelf, verdict="any") == {
        keeper.sha256: "keeper",
        duplicate.sha256: "duplicate",
        rejected.sha256: "rejected",
        unjudged.sha256: "none",
    }


@pytest.mark.parametrize(
    ("verdicts", "standing"),
    [
        ({"keeper"}, "keeper"),
        ({"keeper", "duplicate"}, "keeper"),
        ({"keeper", "rejected"}, "rejected"),
        ({"duplicate"}, "duplicate"),
        ({"what a later version says"}, "none"),
        (set(), "none"),
    ],
)
def test_several_editions_may_disagree(verdicts: set[str], standing: str) -> None:
    """A person's no counts everywhere; otherwise one keeper makes a keeper."""
    assert standing_of(verdicts) == standing


async def test_a_campaign_has_what_it_bought_and_what_it_shares(shelf: Shelf) -> None:
    """A picture that another campaign paid for belongs to both, and each has its own verdict on it."""
    shared = await shelf.add(campaign="cards", edition="1")
    await shelf.archive.catalogue.add_members("posters", "2", [(shared.shot_key, 0, 0)])
    await shelf.judge(shared, "duplicate", campaign="posters", edition="2")
    own = await shelf.add(campaign="posters", edition="2")

    assert await chosen(shelf, campaign="cards") == {shared.sha256: "keeper"}
    assert await chosen(shelf, campaign="posters") == {own.sha256: "keeper"}
    assert await chosen(shelf, campaign="posters", verdict="duplicate") == {shared.sha256: "duplicate"}
    assert await chosen(shelf, campaign="posters", edition="2", verdict="any") == {
        own.sha256: "keeper",
        shared.sha256: "duplicate",
    }
    assert await chosen(shelf, campaign="cards", edition="2", verdict="any") == {}
    assert await chosen(shelf, edition="2") == {own.sha256: "keeper"}
    assert await chosen(shelf, campaign="%") == {}


async def test_days_are_whole_and_both_are_included(shelf: Shelf) -> None:
    """From midnight to midnight, UTC."""
    first = await shelf.add(made_at=datetime(2026, 11, 19, tzinfo=UTC))
    last = await shelf.add(made_at=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC))
    await shelf.add(made_at=datetime(2026, 11, 18, 23, 59, 59, tzinfo=UTC))
    await shelf.add(made_at=datetime(2026, 11, 21, tzinfo=UTC))

    within = await chosen(shelf, since=date(2026, 11, 19), until=date(2026, 11, 20))
    assert within == {first.sha256: "keeper", last.sha256: "keeper"}
    assert await chosen(shelf, since=date(2026, 11, 20), until=date(2026, 11, 20)) == {last.sha256: "keeper"}


async def test_text_is_found_in_either_case_and_taken_literally(shelf: Shelf) -> None:
    """`%` is a percent sign, and Ü is ü."""
    discount = await shelf.add("50% off, GRÜNE Tasse")
    await shelf.add("50 cups off")

    assert await chosen(shelf, prompt="50% OFF") == {discount.sha256: "keeper"}
    assert await chosen(shelf, prompt="grüne") == {discount.sha256: "keeper"}
    assert await chosen(shelf, prompt="50_cups") == {}


async def test_ten_thousand_pictures_are_searched_through(shelf: Shelf) -> None:
    """A filter over many finds exactly what it should; the limit of the test's time is the limit of its patience."""
    plain = await shelf.add(verdict=None)
    records = [_numbered(plain, number) for number in range(10_000)]
    catalogue = shelf.archive.catalogue
    await catalogue.add(catalogue_entry(record) for record in records)
    verdicts = (
        VerdictRow(campaign="cards", edition="1", sha256=each.sha256, kind=kind, reason="", rule="v1")
        for each, kind in zip(records, ["keeper", "duplicate"] * 5000, strict=True)
    )
    await catalogue.put_verdicts("cards", "1", verdicts)

    found = await chosen(shelf, campaign="cards", since=NOON.date(), until=NOON.date(), prompt="number 9")
    expected = {each.sha256 for each in records[::2] if "number 9" in each.prompt.text and each.made_at.day == 20}
    assert set(found) == expected
    assert len(expected) > 20
    assert len(await chosen(shelf, campaign="cards")) == 5000


def _numbered(plain: ImageRecord, number: int) -> ImageRecord:
    prompt = plain.prompt.model_copy(update={"text": f"number {number}"})
    made_at = NOON + timedelta(seconds=20 * (number % 5000))
    return plain.model_copy(
        update={"sha256": f"{number:064x}", "shot_key": f"{number:064x}", "prompt": prompt, "made_at": made_at}
    )


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"format": "kohya", "captions": "none"}, "pairs of pictures and captions"),
        ({"provenance": "none", "with_prompt": True}, "provenance `none` does not write"),
        ({"provenance": "keep", "with_prompt": True}, "provenance `keep` does not write"),
        ({"filter": {"since": "2026-11-21", "until": "2026-11-20"}}, "No day is between"),
        ({"filter": {"until": "9999-12-31"}}, "no day after it"),
    ],
)
def test_what_contradicts_itself_is_refused(terms: dict[str, object], says: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(BriefError, match=says):
        check(Terms.model_validate(terms))
