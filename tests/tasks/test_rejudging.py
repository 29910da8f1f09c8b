from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from blocks.archive.archive import Archive
from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import decision_key
from blocks.archive.signatures import Signature
from tasks.brief import Dedupe
from tasks.decided import decision_id
from tasks.dedupe import rule_text
from tasks.models import ImageRecord
from tasks.records import catalogue_entry
from tasks.rejudging import Change, Example, RuleCount, rejudge
from tasks.review import Decision
from tasks.rulings import keep_rulings, restored, told_apart
from tests.tasks.rows import print_of, signature_of

NORMAL = Dedupe()
NOW, LATER = (datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (12, 13))
ImageOf = Callable[..., ImageRecord]


def name_of(number: int) -> str:
    return f"{number:02x}" * 32


@pytest.fixture
def keep(archive: Archive, image_of: ImageOf) -> Callable[..., object]:
    """Keeps a picture by number, with so many bits; with a verdict, if one is on record."""

    async def put(number: int, bits: int, campaign: str, kind: str = "", keeper: int = 0, **changes: object) -> None:
        checks = image_of().checks.model_copy(
            update={"signature": signature_of(range(bits)), "fingerprint": print_of(range(bits))}
        )
        name = name_of(number)
        image = image_of(sha256=name, shot_key=name, campaign=campaign, checks=checks, **changes)
        await archive.catalogue.add([catalogue_entry(image)])
        await archive.catalogue.add_members(campaign, "1", [(name, number, image.step)])
        if kind:
            rows = [each for each in await archive.catalogue.verdicts_of(campaign, "1") if each.sha256 != name]
            row = VerdictRow(
                campaign=campaign,
                edition="1",
                sha256=name,
                kind=kind,
                keeper_sha256=name_of(keeper or number),
                distance_bits=0,
                reason="as it was",
                rule="old",
            )
            await archive.catalogue.put_verdicts(campaign, "1", [*rows, row])

    return put


@pytest.fixture
async def two(archive: Archive, keep: Callable[..., object]) -> Archive:
    """Two campaigns that never looked at each other; the better one of what both have came second."""
    await keep(1, 0, "cards", "keeper", step=1)
    await keep(2, 3, "cards", "duplicate", 1, step=1)
    await keep(3, 100, "cards", "keeper")
    await keep(4, 1, "mugs", "keeper")
    await keep(5, 150, "mugs")
    return archive


async def verdicts(archive: Archive) -> dict[str, tuple[str, str]]:
    rows = [row for campaign in ("cards", "mugs") for row in await archive.catalogue.verdicts_of(campaign, "1")]
    return {row.sha256[:2]: (row.kind, (row.keeper_sha256 or "")[:2]) for row in rows}


async def test_a_preview_says_what_changes_and_changes_nothing(two: Archive) -> None:
    """Counted by what it was and what it is, with examples and their reasons, and the rules of what is on record."""
    before = await verdicts(two)
    rejudged = await rejudge(two, NORMAL)

    def example(number: int, campaign: str, was: str, reason: str) -> Example:
        return Example(sha256=name_of(number), campaign=campaign, edition="1", was=was, reason=reason)

    assert rejudged.changes == (
        Change(
            before="duplicate",
            after="duplicate of another",
            count=1,
            examples=(
                example(2, "cards", "as it was", "duplicate of 04040404: 2 of 192 bits; keeper was edited less"),
            ),
        ),
        Change(
            before="keeper",
            after="duplicate",
            count=1,
            examples=(
                example(1, "cards", "as it was", "duplicate of 04040404: 1 of 192 bits; keeper was edited less"),
            ),
        ),
        Change(
            before="unjudged",
            after="keeper",
            count=1,
            examples=(example(5, "mugs", "", "distinct: no keeper of another chain within 27 of 192 bits"),),
        ),
    )
    assert (rejudged.pictures, rejudged.keepers, rejudged.same, rejudged.reworded) == (5, 3, 2, 2)
    assert (rejudged.rules, rejudged.rule) == ((RuleCount(rule="old", count=4),), rule_text(NORMAL))
    assert await verdicts(two) == before


async def test_what_is_applied_is_written_and_then_nothing_changes(two: Archive) -> None:
    """In every edition, with the rule and its threshold; a second look agrees with the first."""
    assert (await rejudge(two, NORMAL, is_applied=True)).is_applied
    assert await verdicts(two) == {
        "01": ("duplicate", "04"),
        "02": ("duplicate", "04"),
        "03": ("keeper", "03"),
        "04": ("keeper", "04"),
        "05": ("keeper", "05"),
    }
    assert {row.rule for row in await two.catalogue.verdicts_of("cards", "1")} == {rule_text(NORMAL)}
    again = await rejudge(two, NORMAL)
    assert (again.changes, again.reworded) == ((), 0)


async def test_another_threshold_is_another_answer(two: Archive) -> None:
    """Nearer than one bit is nothing here."""
    rejudged = await rejudge(two, Dedupe(distance_bits=0), is_applied=True)
    assert rejudged.keepers == 5
    assert {kind for kind, _ in (await verdicts(two)).values()} == {"keeper"}


async def test_what_people_have_decided_holds(two: Archive) -> None:
    """What was rejected in its campaign leads nobody in any; what was restored or told apart is no duplicate."""
    decision = Decision(
        campaign="mugs",
        edition="1",
        step=0,
        round=1,
        question="?",
        shown=(name_of(4),),
        rejected=(name_of(4),),
        by="form",
        run_id="r",
        decided_at=NOW,
    )
    await two.store.put_if_absent(decision_key(decision_id(decision)), decision.model_dump_json().encode())
    await rejudge(two, NORMAL, is_applied=True)
    assert await verdicts(two) | {"03": None, "05": None} == {
        "01": ("keeper", "01"),
        "02": ("duplicate", "01"),
        "03": None,
        "04": ("rejected", "04"),
        "05": None,
    }
    await keep_rulings([told_apart(name_of(1), name_of(2), NOW), restored(name_of(4), "command", LATER)], two.store)
    await rejudge(two, NORMAL, is_applied=True)
    found = await verdicts(two)
    assert (found["04"], found["01"], found["02"]) == (("keeper", "04"), ("duplicate", "04"), ("duplicate", "04"))
    await keep_rulings([told_apart(name_of(2), name_of(4), NOW)], two.store)
    await rejudge(two, NORMAL, is_applied=True)
    assert (await verdicts(two))["02"] == ("keeper", "02")


async def test_what_cannot_be_compared_and_what_was_replayed_stays_as_it_is(
    two: Archive, keep: Callable[..., object]
) -> None:
    """Signatures of another rule say nothing here; a replay repeats its original on purpose, however it came out."""
    await keep(6, 40, "mugs", "duplicate", 4, again="1")
    await two.catalogue.put_signatures([Signature(name_of(1), "another rule", b"?")])
    rejudged = await rejudge(two, NORMAL, is_applied=True)

    assert (rejudged.pictures, rejudged.uncompared) == (4, 1)
    found = await verdicts(two)
    assert (found["01"], found["06"]) == (("keeper", "01"), ("duplicate", "04"))


async def test_progress_is_told(two: Archive) -> None:
    """How many are read, and how many are placed."""
    read: list[tuple[int, int]] = []
    placed: list[tuple[int, int]] = []
    await rejudge(
        two,
        NORMAL,
        on_read=lambda *step: read.append(step),
        on_placed=lambda *step: placed.append(step),
    )
    assert (read, placed) == ([(5, 5)], [(5, 5)])


async def test_an_empty_archive_has_nothing_to_judge(archive: Archive) -> None:
    """And that is no error."""
    assert (await rejudge(archive, NORMAL, is_applied=True)).pictures == 0
