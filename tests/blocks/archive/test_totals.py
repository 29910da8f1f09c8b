from decimal import Decimal

from blocks.archive.ledger import Ledger, LedgerTotals, ShotState, StateTotal, UnitTotal
from blocks.provider import Money
from tests.blocks.archive.shots import IMAGE, reservation
from tests.money import usd


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
