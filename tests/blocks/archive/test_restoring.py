from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.catalogue import Catalogue
from blocks.archive.ledger import Ledger, RestoredShot, ShotState
from tasks.records import catalogue_entry
from tests.blocks.archive.shots import IMAGE, SHOT, bring_to, committed, reservation
from tests.images import image_record
from tests.money import usd

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = timedelta(days=1)


def restored(shot_key: str = SHOT, **changes: Any) -> RestoredShot:
    facts: dict[str, Any] = {
        "shot_key": shot_key,
        "provider": "sunra",
        "sandbox": True,
        "request_json": "{}",
        "campaign": "teapots",
        "edition": "e",
        "state": ShotState.DONE,
        "job_id": f"job of {shot_key}",
        "images": (IMAGE,),
        "price": usd("0.003"),
        "made_at": NOON,
    }
    return RestoredShot.model_validate(facts | changes)


async def test_a_new_ledger_is_blank_until_a_shot_is_known(ledger: Ledger) -> None:
    """Whatever became of the shot."""
    assert await ledger.is_blank()
    await bring_to(ledger, ShotState.RELEASED)
    assert not await ledger.is_blank()


async def test_what_is_put_back_reads_as_it_was(ledger: Ledger) -> None:
    """A shot that is done with its bill, one that is not with its price; a second time changes nothing."""
    shots = [restored(), restored("6" * 64, state=ShotState.RUNNING, images=())]
    assert await ledger.restore(shots) == tuple(shots)
    assert await ledger.restore(shots) == ()

    done, running = await ledger.get(SHOT), await ledger.get("6" * 64)
    assert done is not None
    assert running is not None
    paid = usd("0.003")
    assert (done.state, done.images, done.billed, done.reserved) == (ShotState.DONE, (IMAGE,), paid, paid)
    assert (running.state, running.images, running.billed, running.reserved) == (ShotState.RUNNING, (), None, paid)
    assert (done.created_at, done.job_id, done.attempt) == (NOON, f"job of {SHOT}", 1)
    assert await ledger.is_gone(running.run_id)


async def test_what_is_known_stays(ledger: Ledger) -> None:
    """The ledger's own row is newer than any record; a job that another shot has is left to that."""
    await bring_to(ledger, ShotState.FAILED)
    before = await ledger.get(SHOT)
    assert await ledger.restore([restored()]) == ()
    assert await ledger.get(SHOT) == before

    others = (restored("6" * 64, job_id="job-1"), restored("7" * 64, job_id="job-8"))
    assert await ledger.restore(others) == others
    entry = await ledger.get("6" * 64)
    assert entry is not None
    assert (entry.state, entry.job_id) == (ShotState.DONE, None)


async def test_a_shot_that_is_told_twice_is_put_back_once(ledger: Ledger) -> None:
    """What is told first counts, as with repeats before quarantine; of two shots with one job the first has it."""
    twice = (restored(), restored(state=ShotState.RUNNING, images=()))
    same_job = (restored("6" * 64, job_id="job-6"), restored("7" * 64, job_id="job-6"))
    unfinished = restored("8" * 64, job_id="job-6", state=ShotState.RUNNING, images=())
    assert await ledger.restore([*twice, *same_job, unfinished]) == (twice[0], *same_job)

    entries = [await ledger.get(key) for key in (SHOT, "6" * 64, "7" * 64)]
    assert [(entry.state, entry.job_id) for entry in entries if entry is not None] == [
        (ShotState.DONE, f"job of {SHOT}"),
        (ShotState.DONE, "job-6"),
        (ShotState.DONE, None),
    ]
    assert await ledger.get("8" * 64) is None

    again = restored("8" * 64, job_id="job-8", state=ShotState.RUNNING, images=())  # bought once more, as another job
    assert await ledger.restore([unfinished, again]) == (again,)


async def test_shots_that_only_the_catalogue_knows_are_found_in_parts(ledger: Ledger, catalogue: Catalogue) -> None:
    """Each with all of its pictures, behind the last one that was asked for."""
    keys = [digit * 64 for digit in "1234"]
    pictures = [
        image_record().model_copy(update={"sha256": f"{number:064x}", "shot_key": keys[number // 2]})
        for number in range(8)
    ]
    await catalogue.add(catalogue_entry(each) for each in pictures)
    await ledger.restore([restored(keys[1])])

    first = await ledger.unknown_shots("", 2)
    assert first == {keys[0]: (f"{0:064x}", f"{1:064x}"), keys[2]: (f"{4:064x}", f"{5:064x}")}
    assert list(await ledger.unknown_shots(max(first), 2)) == [keys[3]]
    assert await ledger.unknown_shots(keys[3], 2) == {}
    assert await ledger.images_of([keys[1], "9" * 64]) == {keys[1]: (f"{2:064x}", f"{3:064x}")}


async def test_a_budget_counts_each_shot_once(ledger: Ledger) -> None:
    """What was put back is spent, and no limit refuses it; what a budget counts already is not asked for again."""
    await ledger.open_budget("day", usd("0.001"))
    await ledger.restore([restored(), restored("6" * 64, edition="f"), restored("7" * 64, made_at=NOON - LATER)])
    await ledger.reserve(reservation("8" * 64, scope=None))

    of_edition = await ledger.uncounted("day", campaign="teapots", edition="e")
    assert [entry.shot_key for entry in of_edition] == [SHOT, "7" * 64]
    assert [entry.shot_key for entry in await ledger.uncounted("day", since=NOON)] == [SHOT, "6" * 64]
    for _ in range(2):
        await ledger.count("day", {SHOT: Decimal("0.0030004")})
    assert await committed(ledger) == Decimal("0.003001")
    assert [entry.shot_key for entry in await ledger.uncounted("day", since=NOON)] == ["6" * 64]


@pytest.mark.parametrize("state", list(ShotState))
async def test_only_what_is_closed_can_be_accepted(ledger: Ledger, state: ShotState) -> None:
    """A failed shot becomes done with what a person took in; an open one is a worker's, another job another's."""
    await bring_to(ledger, state)
    before = await ledger.get(SHOT)
    is_closed = state in {ShotState.FAILED, ShotState.DONE}

    assert not await ledger.accept(SHOT, "job-2", ["b" * 64])
    assert await ledger.get(SHOT) == before
    assert await ledger.accept(SHOT, "job-1", ["b" * 64]) == is_closed
    after = await ledger.get(SHOT)
    assert before is not None
    assert after is not None
    if is_closed:
        assert (after.state, after.images, after.error_code, after.billed) == (
            ShotState.DONE,
            ("b" * 64,),
            None,
            before.billed,
        )
    else:
        assert after == before
