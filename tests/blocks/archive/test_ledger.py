import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from decimal import Decimal

import pytest
from pydantic import ValidationError

from blocks.archive.ledger import (
    LEGAL_STEPS,
    BudgetState,
    Charge,
    Ledger,
    LedgerEntry,
    LedgerTotals,
    Reservation,
    ShotState,
    StateTotal,
    UnitTotal,
)
from blocks.errors import ArchiveError, BudgetExhausted, IllegalTransition, SetupError
from blocks.provider import Money

SHOT = "5" * 64
IMAGE = "a" * 64


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), unit="USD")


def reservation(
    shot_key: str = SHOT, *, price: str = "0.003", scope: str | None = "day", run_id: str = "run-1", edition: str = "e"
) -> Reservation:
    return Reservation(
        shot_key=shot_key,
        provider="sunra",
        sandbox=True,
        request_json='{"prompt":"a teapot \\u0000 é"}',
        campaign="teapots",
        edition=edition,
        run_id=run_id,
        price=usd(price),
        charges=() if scope is None else (Charge(scope=scope, amount=Decimal(price)),),
    )


Move = Callable[[Ledger], Awaitable[LedgerEntry]]

MOVES: dict[ShotState, Move] = {
    ShotState.SENDING: lambda ledger: ledger.mark_sending(SHOT, 1),
    ShotState.RUNNING: lambda ledger: ledger.mark_running(SHOT, 1, "job-1"),
    ShotState.DONE: lambda ledger: ledger.mark_done(SHOT, 1, [IMAGE]),
    ShotState.FAILED: lambda ledger: ledger.mark_failed(SHOT, 1, "E1", "no picture"),
    ShotState.LOST: lambda ledger: ledger.mark_lost(SHOT, 1, "no answer"),
    ShotState.RELEASED: lambda ledger: ledger.release(SHOT, 1, "429", "wait"),
}

WAYS = {
    ShotState.RESERVED: (),
    ShotState.SENDING: (ShotState.SENDING,),
    ShotState.RUNNING: (ShotState.SENDING, ShotState.RUNNING),
    ShotState.DONE: (ShotState.SENDING, ShotState.RUNNING, ShotState.DONE),
    ShotState.FAILED: (ShotState.SENDING, ShotState.RUNNING, ShotState.FAILED),
    ShotState.LOST: (ShotState.SENDING, ShotState.LOST),
    ShotState.RELEASED: (ShotState.RELEASED,),
}


async def bring_to(ledger: Ledger, state: ShotState) -> None:
    """Reserves the shot for 0.003 USD of a budget of 1 USD, and brings it to a state."""
    await ledger.open_budget("day", usd("1"))
    assert (await ledger.reserve(reservation())).won
    for step in WAYS[state]:
        await MOVES[step](ledger)


async def committed(ledger: Ledger, scope: str = "day") -> Decimal:
    budget = await ledger.budget(scope)
    assert budget is not None
    return budget.committed.amount


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


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (ShotState.RESERVED, "0.003"),
        (ShotState.SENDING, "0.003"),
        (ShotState.RUNNING, "0.003"),
        (ShotState.DONE, "0.003"),
        (ShotState.FAILED, "0.003"),
        (ShotState.LOST, "0.003"),
        (ShotState.RELEASED, "0"),
    ],
)
async def test_the_budget_counts_what_may_have_been_paid(ledger: Ledger, state: ShotState, kept: str) -> None:
    """Without a bill the reservation stays counted; only proof that nothing was bought gives money back."""
    await bring_to(ledger, state)
    assert await committed(ledger) == Decimal(kept)


async def test_a_failed_shot_counts_what_it_was_billed(ledger: Ledger) -> None:
    """A refund frees the budget."""
    await bring_to(ledger, ShotState.RUNNING)
    failed = await ledger.mark_failed(SHOT, 1, "E1", "moderated", usd("0"), settled=Decimal(0))
    assert (failed.billed, failed.error_code, failed.error_message) == (usd("0"), "E1", "moderated")
    assert await committed(ledger) == 0


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


async def test_what_is_bought_already_needs_no_budget(ledger: Ledger) -> None:
    """A re-run of a campaign whose money is spent gets its shots, instead of a refusal."""
    await bring_to(ledger, ShotState.DONE)
    await ledger.open_budget("day", usd("0"))
    assert (await ledger.reserve(reservation())).entry.state is ShotState.DONE


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


async def test_a_budget_is_never_passed(ledger: Ledger) -> None:
    """The shot that does not fit is not in the ledger afterwards, and the message has all numbers."""
    await ledger.open_budget("day", usd("0.008"))
    assert (await ledger.reserve(reservation("1"))).won
    assert (await ledger.reserve(reservation("2"))).won
    with pytest.raises(BudgetExhausted, match=r"'day': 0\.006 USD of 0\.008 USD .* shot 3 for 0\.003 USD does not fit"):
        await ledger.reserve(reservation("3"))
    assert await ledger.get("3") is None
    assert await ledger.budget("day") == BudgetState(scope="day", limit=usd("0.008"), committed=usd("0.006"))
    assert (await ledger.reserve(reservation("4", price="0.002"))).won
    await ledger.open_budget("day", usd("0.011"))
    assert (await ledger.reserve(reservation("3"))).won


async def test_a_refused_new_attempt_leaves_the_old_one(ledger: Ledger) -> None:
    """A budget that is spent does not swallow the record of a failed shot."""
    await bring_to(ledger, ShotState.FAILED)
    failed = await ledger.get(SHOT)
    await ledger.open_budget("day", usd("0.003"))
    with pytest.raises(BudgetExhausted):
        await ledger.reserve(reservation(), retry_failed=True)
    assert await ledger.get(SHOT) == failed
    assert await ledger.past_attempts(SHOT) == ()


async def test_a_bill_above_its_reservation_is_counted(ledger: Ledger) -> None:
    """Money that moved is counted even where it passes the limit; then nothing more fits."""
    await ledger.open_budget("day", usd("0.004"))
    await ledger.reserve(reservation())
    await ledger.mark_sending(SHOT, 1)
    await ledger.mark_running(SHOT, 1, "job-1")
    await ledger.mark_done(SHOT, 1, [IMAGE], usd("0.006"), settled=Decimal("0.006"))
    budget = await ledger.budget("day")
    assert budget is not None
    assert budget.left == usd("-0.002")
    with pytest.raises(BudgetExhausted):
        await ledger.reserve(reservation("next", price="0"))


async def test_amounts_below_a_millionth_are_never_counted_as_less(ledger: Ledger) -> None:
    """Charges are rounded up and limits down."""
    await ledger.open_budget("day", usd("0.0000029"))
    assert await ledger.budget("day") == BudgetState(scope="day", limit=usd("0.000002"), committed=usd("0"))
    await ledger.reserve(reservation("1", price="0.0000001"))
    assert await committed(ledger) == Decimal("0.000001")


async def test_a_budget_counts_in_one_unit(ledger: Ledger) -> None:
    """Units are never mixed: a budget changes its unit only while it counts nothing."""
    await ledger.open_budget("day", Money(amount=Decimal(5), unit="CU"))
    await ledger.open_budget("day", usd("1"))
    await ledger.reserve(reservation())
    with pytest.raises(SetupError, match="already counts money in another unit than CU"):
        await ledger.open_budget("day", Money(amount=Decimal(5), unit="CU"))
    with pytest.raises(SetupError, match="cannot be the limit"):
        await ledger.open_budget("day", usd("-1"))
    with pytest.raises(SetupError, match="cannot be the limit"):
        await ledger.open_budget("day", usd("1e12"))
    assert (await ledger.budget("day")) == BudgetState(scope="day", limit=usd("1"), committed=usd("0.003"))


async def test_a_budget_has_to_be_opened(ledger: Ledger) -> None:
    """A budget that nobody opened is no budget without limit."""
    with pytest.raises(SetupError, match="no budget 'day': open it"):
        await ledger.reserve(reservation())
    assert await ledger.get(SHOT) is None
    assert await ledger.budget("day") is None


async def test_without_a_budget_nothing_is_counted(ledger: Ledger) -> None:
    """Campaigns without a budget have a ledger all the same."""
    await ledger.reserve(reservation(scope=None))
    await ledger.mark_sending(SHOT, 1)
    await ledger.mark_running(SHOT, 1, "job-1")
    done = await ledger.mark_done(SHOT, 1, [IMAGE], settled=Decimal(1))
    assert (done.state, done.reserved) == (ShotState.DONE, usd("0.003"))


async def test_amounts_that_nobody_can_count_are_refused() -> None:
    """Charges are between nothing and a billion."""
    for amount in ("-0.1", "1e10", "NaN", "Infinity"):
        with pytest.raises(ValidationError):
            Charge(scope="day", amount=Decimal(amount))


async def test_a_settlement_that_cannot_be_is_refused(ledger: Ledger) -> None:
    """A negative bill would let the budget grow."""
    await bring_to(ledger, ShotState.RUNNING)
    with pytest.raises(ArchiveError, match="no amount that a budget can count"):
        await ledger.mark_done(SHOT, 1, [IMAGE], settled=Decimal(-1))


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


async def test_totals_add_exactly_and_per_state(ledger: Ledger) -> None:
    """0.1 + 0.2 is 0.3; other editions do not count; past attempts count with their money, not as shots."""
    await ledger.open_budget("day", usd("100"))
    for key, price, bill in (("1", "0.1", "0.1"), ("2", "0.2", "0.2"), ("3", "0.2", None)):
        await ledger.reserve(reservation(key, price=price))
        await ledger.mark_sending(key, 1)
        await ledger.mark_running(key, 1, f"job-{key}", None if bill is None else usd(bill))
    await ledger.mark_done("1", 1, [IMAGE])
    await ledger.mark_done("2", 1, [IMAGE])
    await ledger.mark_failed("3", 1, None, "no", usd("0.05"))
    await ledger.reserve(reservation("3", price="0.2"), retry_failed=True)
    await ledger.reserve(reservation("other", edition="f"))
    free = reservation("4", scope=None).model_copy(update={"price": None})
    await ledger.reserve(free)
    totals = await ledger.totals("teapots", "e")
    zero = Decimal(0)
    assert totals == LedgerTotals(
        campaign="teapots",
        edition="e",
        lines=(
            StateTotal(state=ShotState.RESERVED, unit=None, shots=1, reserved=zero, billed=zero),
            StateTotal(state=ShotState.RESERVED, unit="USD", shots=1, reserved=Decimal("0.2"), billed=zero),
            StateTotal(state=ShotState.DONE, unit="USD", shots=2, reserved=Decimal("0.3"), billed=Decimal("0.3")),
            StateTotal(state=ShotState.FAILED, unit="USD", shots=0, reserved=Decimal("0.2"), billed=Decimal("0.05")),
        ),
    )
    assert (totals.count(), totals.count(ShotState.DONE), totals.billed) == (4, 2, (usd("0.35"),))
    assert (await ledger.totals("teapots", "none")).lines == ()
    everything = await ledger.totals()
    assert (everything.campaign, everything.edition, everything.count()) == (None, None, 5)
    assert (await ledger.totals("teapots")).lines == everything.lines


async def test_totals_tell_expected_open_paid_and_lost_money_apart(ledger: Ledger) -> None:
    """Per unit: a released price counts nowhere, a lost one is no longer reserved, and a bill is what was said."""
    await ledger.open_budget("day", usd("100"))
    for key, price in (("open", "0.1"), ("lost", "0.2"), ("done", "0.4"), ("released", "0.8")):
        await ledger.reserve(reservation(key, price=price))
        await ledger.mark_sending(key, 1)
    await ledger.mark_lost("lost", 1, "no answer")
    await ledger.release("released", 1, "429", "wait")
    await ledger.mark_running("done", 1, "job-1", usd("0.5"))
    await ledger.mark_done("done", 1, [IMAGE])
    units = reservation("units", scope=None).model_copy(update={"price": Money(amount=Decimal(3), unit="CU")})
    await ledger.reserve(units)
    totals = await ledger.totals("teapots", "e")
    zero = Decimal(0)
    assert totals.units == (
        UnitTotal(unit="CU", estimated=Decimal(3), reserved=Decimal(3), billed=zero, lost=zero),
        UnitTotal(
            unit="USD",
            estimated=Decimal("0.7"),
            reserved=Decimal("0.1"),
            billed=Decimal("0.5"),
            lost=Decimal("0.2"),
        ),
    )
    assert (await ledger.totals("teapots", "none")).units == ()


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
