from datetime import UTC, datetime, timedelta

import pytest

from blocks.archive.catalogue import Catalogue, CatalogueEntry, VerdictRow
from blocks.archive.search import Found, Search

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sha(number: int) -> str:
    return f"{number:064x}"


def entry(number: int, campaign: str, edition: str = "1") -> CatalogueEntry:
    return CatalogueEntry(
        sha256=sha(number),
        size_bytes=1,
        media_type="image/png",
        width_px=1,
        height_px=1,
        shot_key=sha(1000 + number),
        provider="scenario",
        model="m",
        prompt="p",
        seed=1,
        campaign=campaign,
        edition=edition,
        step=0,
        made_at=NOON + timedelta(hours=number),
        record_json="{}",
    )


@pytest.fixture
async def filled(catalogue: Catalogue) -> Catalogue:
    """Cards 1 has images 1 and 2, cards 2 has 3; posters 1 has bought 4, and contains 1 and 3 as well."""
    await catalogue.add([entry(1, "cards"), entry(2, "cards"), entry(3, "cards", "2"), entry(4, "posters")])
    await catalogue.add_members("posters", "1", [(sha(1001), 0, 0), (sha(1003), 1, 0)])
    said = [("cards", "1", 1, "keeper"), ("cards", "1", 2, "duplicate"), ("posters", "1", 1, "rejected")]
    for campaign, edition in {(campaign, edition) for campaign, edition, _, _ in said}:
        rows = [
            VerdictRow(campaign=campaign, edition=edition, sha256=sha(number), kind=kind, reason="", rule="v1")
            for each_campaign, each_edition, number, kind in said
            if (each_campaign, each_edition) == (campaign, edition)
        ]
        await catalogue.put_verdicts(campaign, edition, rows)
    return catalogue


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), {1: {"keeper", "rejected"}, 2: {"duplicate"}, 3: set(), 4: set()}),
        (Search(campaign="cards"), {1: {"keeper"}, 2: {"duplicate"}, 3: set()}),
        (Search(campaign="cards", edition="2"), {3: set()}),
        (Search(campaign="posters"), {1: {"rejected"}, 3: set(), 4: set()}),
        (Search(campaign="posters", edition="2"), {}),
        (Search(edition="2"), {3: set()}),
        (
            Search(made_from=NOON + timedelta(hours=2), made_before=NOON + timedelta(hours=4)),
            {2: {"duplicate"}, 3: set()},
        ),
        (Search(campaign="nobody's"), {}),
    ],
)
async def test_what_a_search_finds(filled: Catalogue, search: Search, found: dict[int, set[str]]) -> None:
    """What was bought for a campaign and what it contains, each with the verdicts there, sorted by SHA-256."""
    expected = tuple(Found(sha(number), frozenset(verdicts)) for number, verdicts in found.items())
    assert await filled.search(search) == expected
