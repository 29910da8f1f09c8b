import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from decimal import Decimal

import pytest

from blocks.archive.ledger import LEGAL_STEPS, Ledger, LedgerEntry, ShotState
from blocks.errors import IllegalTransition
from tests.blocks.archive.shots import IMAGE, MOVES, SHOT, bring_to, committed, reservation
from tests.money import usd


async def test_a_shot_goes_its_whole_way(ledger: Ledger) -> None:
    """Every fact that a step gives is in the ledger when the step returns."""
    await ledger.open_budget("day", usd("1"))
    claim = await ledger.reserve(reservation())
    entry = claim.entry
    assert claim.won
    assert entry == LedgerEntry(
        shot_key=SHOT,
        provider="sunra",
        sandbox=True,
        request_json='{"prompt":"a teapot \\u0000 é"}',
        campaign="teapots",
        edition="e",
        run_id="run-1",
        state=ShotState.RESERVED,
        attempt=1,
        reserved=usd("0.003"),
        billed=None,
        job_id=None,
        images=(),
        error_code=None,
        error_message=None,
        retryable=None,
        created_at=entry.created_at,
        sent_at=None,
        updated_at=entry.created_at,
    )
    assert entry.created_at.tzinfo is UTC
    sending = await ledger.mark_sending(SHOT, 1)
    assert sending.sent_at is not None
    assert entry.created_at <= sending.sent_at <= sending.updated_at
    assert sending == entry.model_copy(
        update={"state": ShotState.SENDING, "sent_at": sending.sent_at, "updated_at": sending.updated_at}
    )
    running = await ledger.mark_running(SHOT, 1, "job-1", usd("0.0031"))
    assert (running.state, running.job_id, running.billed) == (ShotState.RUNNING, "job-1", usd("0.0031"))
    done = await ledger.mark_done(SHOT, 1, [IMAGE, "b" * 64], settled=Decimal("0.002"))
    assert (done.state, done.images, done.billed) == (ShotState.DONE, (IMAGE, "b" * 64), usd("0.0031"))
    assert await ledger.get(SHOT) == done
    assert await committed(ledger) == Decimal("0.002")


@pytest.mark.parametrize("source", list(ShotState))
@pytest.mark.parametrize("target", list(MOVES))
async def test_only_legal_steps_are_taken(ledger: Ledger, source: ShotState, target: ShotState) -> None:
    """A step from a state that does not lead there changes nothing, and says which shot, from where to where."""
    await bring_to(ledger, source)
    before = (await ledger.get(SHOT), await ledger.budget("day"))
    if target in LEGAL_STEPS[source]:
        assert (await MOVES[target](ledger)).state is target
        return
    with pytest.raises(
        IllegalTransition, match=f"Shot {SHOT} is {source} in attempt 1.*cannot become {target}"
    ) as error:
        await MOVES[target](ledger)
    assert error.value.shot_key == SHOT
    assert (await ledger.get(SHOT), await ledger.budget("day")) == before


async def test_unknown_shots_and_other_attempts_take_no_step(ledger: Ledger) -> None:
    """A worker that was overtaken cannot touch the attempt of another; its job id is named, so that it is not lost."""
    with pytest.raises(IllegalTransition, match=r"is not in the ledger.*reserve it first"):
        await ledger.mark_sending(SHOT, 1)
    await bring_to(ledger, ShotState.RELEASED)
    assert (await ledger.reserve(reservation())).entry.attempt == 2
    with pytest.raises(
        IllegalTransition, match=r"attempt 2, so attempt 1 cannot become running\. Its job 'job-1' is not"
    ):
        await ledger.mark_running(SHOT, 1, "job-1")


@pytest.mark.parametrize("retryable", [True, False, None])
async def test_a_failed_shot_knows_whether_another_try_makes_sense(ledger: Ledger, retryable: bool | None) -> None:
    """What the provider said of another try is kept with the attempt; a new attempt has not failed yet."""
    await bring_to(ledger, ShotState.RUNNING)
    failed = await ledger.mark_failed(SHOT, 1, "E1", "busy", retryable=retryable)
    assert failed.retryable is retryable
    claim = await ledger.reserve(reservation(), retry_failed=True)
    assert (claim.won, claim.entry.retryable) == (True, None)
    assert await ledger.past_attempts(SHOT) == (failed,)


async def test_a_late_answer_brings_a_lost_shot_back(ledger: Ledger) -> None:
    """A job that is found again is adopted, with its money counted once, and the old complaint is gone."""
    await bring_to(ledger, ShotState.LOST)
    adopted = await ledger.adopt(SHOT, 1, "job-9")
    assert (adopted.state, adopted.job_id, adopted.error_message) == (ShotState.RUNNING, "job-9", None)
    assert await committed(ledger) == Decimal("0.003")


async def test_who_comes_second_gets_the_entry_that_stands(ledger: Ledger) -> None:
    """The insert is the lock: a second reservation is no winner, is not charged, and changes nothing."""
    await bring_to(ledger, ShotState.RUNNING)
    standing = await ledger.get(SHOT)
    claim = await ledger.reserve(
        reservation(run_id="run-2"), retry_failed=True, resubmit_lost=True, take_over_from="run-1"
    )
    assert (claim.won, claim.entry) == (False, standing)
    assert await committed(ledger) == Decimal("0.003")


@pytest.mark.parametrize(
    ("state", "rules", "won"),
    [
        (ShotState.RELEASED, {}, True),
        (ShotState.FAILED, {}, False),
        (ShotState.FAILED, {"retry_failed": True}, True),
        (ShotState.FAILED, {"resubmit_lost": True}, False),
        (ShotState.LOST, {}, False),
        (ShotState.LOST, {"resubmit_lost": True}, True),
        (ShotState.LOST, {"retry_failed": True}, False),
        (ShotState.DONE, {"retry_failed": True, "resubmit_lost": True}, False),
        (ShotState.SENDING, {"retry_failed": True, "resubmit_lost": True}, False),
        (ShotState.RESERVED, {"retry_failed": True, "resubmit_lost": True}, False),
    ],
)
async def test_a_new_attempt_begins_only_where_it_was_decided(
    ledger: Ledger, state: ShotState, rules: dict[str, bool], won: bool
) -> None:
    """Released shots are free; failed and lost ones cost again, so somebody has to say so."""
    await bring_to(ledger, state)
    claim = await ledger.reserve(reservation(run_id="run-2", price="0.004"), **rules)  # type: ignore[arg-type]  # flags
    assert claim.won is won
    assert (claim.entry.attempt, claim.entry.run_id) == ((2, "run-2") if won else (1, "run-1"))


async def test_a_lost_attempt_stays_counted_beside_the_new_one(ledger: Ledger) -> None:
    """A lost shot that is bought again may have been paid twice: both are counted, and the past is kept."""
    await bring_to(ledger, ShotState.LOST)
    lost = await ledger.get(SHOT)
    claim = await ledger.reserve(reservation(price="0.004", run_id="run-2"), resubmit_lost=True)
    assert claim.won
    assert (claim.entry.error_message, claim.entry.sent_at, claim.entry.reserved) == (None, None, usd("0.004"))
    assert await committed(ledger) == Decimal("0.007")
    assert await ledger.past_attempts(SHOT) == (lost,)
    assert (await ledger.totals("teapots", "e")).lost == (usd("0.003"),)


async def test_hostile_messages_are_recorded(ledger: Ledger) -> None:
    """Whatever a provider says, recording it works: NUL and lone surrogates become readable signs."""
    await bring_to(ledger, ShotState.SENDING)
    released = await ledger.release(SHOT, 1, "bad\0code", "a\0b \ud800 '); DROP TABLE shots; -- é 😀")
    assert released.error_code == "bad\ufffdcode"
    assert released.error_message == "a\ufffdb \ufffd '); DROP TABLE shots; -- é 😀"


async def test_find_answers_for_many_shots_at_once(ledger: Ledger) -> None:
    """A plan asks for thousands of shots: more than one statement can name."""
    known = [f"shot-{n}" for n in range(600)]
    await asyncio.gather(*(ledger.reserve(reservation(key, scope=None)) for key in known))
    found = await ledger.find([*known, "unknown", *known])
    assert sorted(found) == sorted(known)
    assert all(entry.shot_key == key for key, entry in found.items())
    assert await ledger.find([]) == {}


async def test_shots_are_found_by_state(ledger: Ledger) -> None:
    """A reconciliation looks at what is under way, the oldest first."""
    for key in ("1", "2", "3"):
        await ledger.reserve(reservation(key, scope=None))
    await ledger.mark_sending("3", 1)
    await ledger.mark_sending("1", 1)
    assert [entry.shot_key for entry in await ledger.in_states(ShotState.SENDING, ShotState.LOST)] == ["1", "3"]
    assert [entry.shot_key for entry in await ledger.in_states(ShotState.RESERVED)] == ["2"]


async def test_open_shots_are_those_whose_end_is_not_known(ledger: Ledger) -> None:
    """A reconciliation sees what was reserved, sent, running or lost, the oldest first, and only where it looks."""
    ways = {
        "reserved": (),
        "sending": (ShotState.SENDING,),
        "running": (ShotState.SENDING, ShotState.RUNNING),
        "lost": (ShotState.SENDING, ShotState.LOST),
        "done": (ShotState.SENDING, ShotState.RUNNING, ShotState.DONE),
        "failed": (ShotState.SENDING, ShotState.RUNNING, ShotState.FAILED),
        "released": (ShotState.RELEASED,),
    }
    moves: dict[ShotState, Callable[[str], Awaitable[LedgerEntry]]] = {
        ShotState.SENDING: lambda key: ledger.mark_sending(key, 1),
        ShotState.RUNNING: lambda key: ledger.mark_running(key, 1, f"job-{key}"),
        ShotState.DONE: lambda key: ledger.mark_done(key, 1, [IMAGE]),
        ShotState.FAILED: lambda key: ledger.mark_failed(key, 1, None, "no"),
        ShotState.LOST: lambda key: ledger.mark_lost(key, 1, "no answer"),
        ShotState.RELEASED: lambda key: ledger.release(key, 1, None, "no"),
    }
    for key, way in ways.items():
        await ledger.reserve(reservation(key, scope=None))
        for state in way:
            await moves[state](key)
    await ledger.reserve(reservation("other", scope=None, edition="f"))
    await ledger.reserve(reservation("cups", scope=None).model_copy(update={"campaign": "cups"}))

    async def keys(campaign: str | None = None, edition: str | None = None) -> list[str]:
        return [entry.shot_key for entry in await ledger.open_shots(campaign, edition)]

    open_ones = ["reserved", "sending", "running", "lost"]
    assert await keys("teapots", "e") == open_ones
    assert await keys("teapots") == [*open_ones, "other"]
    assert await keys(edition="e") == [*open_ones, "cups"]
    assert await keys() == [*open_ones, "other", "cups"]
