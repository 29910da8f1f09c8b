from decimal import Decimal

import pytest
from pydantic import ValidationError

from blocks.archive.ledger import BudgetState, Charge, Ledger, ShotState
from blocks.errors import ArchiveError, BudgetExhausted, SetupError
from blocks.provider import Money
from tests.blocks.archive.shots import IMAGE, SHOT, bring_to, committed, reservation
from tests.money import usd


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


async def test_what_is_bought_already_needs_no_budget(ledger: Ledger) -> None:
    """A re-run of a campaign whose money is spent gets its shots, instead of a refusal."""
    await bring_to(ledger, ShotState.DONE)
    await ledger.open_budget("day", usd("0"))
    assert (await ledger.reserve(reservation())).entry.state is ShotState.DONE


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
