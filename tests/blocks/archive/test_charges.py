"""One shot, several budgets: the run's, the day's, the month's."""

from decimal import Decimal

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from blocks.archive.database import Database
from blocks.archive.ledger import BudgetState, Charge, Ledger, Reservation, ShotState
from blocks.archive.schema import charges
from blocks.errors import BudgetExhausted, SetupError
from blocks.provider import Money
from tests.money import usd

RUN, DAY, MONTH = "teapots/e", "day/2026-11-20", "month/2026-11"


def reservation(key: str, *scopes: str, price: str = "0.003", run_id: str = "run-1") -> Reservation:
    return Reservation(
        shot_key=key,
        provider="sunra",
        sandbox=True,
        request_json="{}",
        campaign="teapots",
        edition="e",
        run_id=run_id,
        price=usd(price),
        charges=tuple(Charge(scope=scope, amount=Decimal(price)) for scope in scopes),
    )


async def open_budgets(ledger: Ledger, run: str = "1", day: str = "1", month: str = "1") -> None:
    for scope, limit in {RUN: run, DAY: day, MONTH: month}.items():
        await ledger.open_budget(scope, usd(limit))


async def committed(ledger: Ledger) -> tuple[str, str, str]:
    """What the run's, the day's and the month's budget count."""
    found = [await ledger.budget(scope) for scope in (RUN, DAY, MONTH)]
    run, day, month = (f"{state.committed.amount.normalize():f}" for state in found if state is not None)
    return run, day, month


async def held(database: Database) -> dict[tuple[str, int, str], int]:
    """What each attempt holds of each budget, in millionths."""
    rows = await database.read(lambda connection: connection.execute(select(charges)).all())
    return {(row.shot_key, row.attempt, row.scope): row.held_micro for row in rows}


async def test_a_shot_is_charged_to_all_its_budgets(ledger: Ledger, database: Database) -> None:
    """Each counts the reservation, then what was settled: the same amount in every one."""
    await open_budgets(ledger)
    assert (await ledger.reserve(reservation("1", MONTH, RUN, DAY))).won
    assert await committed(ledger) == ("0.003", "0.003", "0.003")
    await ledger.mark_sending("1", 1)
    await ledger.mark_running("1", 1, "job-1")
    await ledger.mark_done("1", 1, ["a" * 64], settled=Decimal("0.002"))
    assert await committed(ledger) == ("0.002", "0.002", "0.002")
    assert await held(database) == {("1", 1, RUN): 2000, ("1", 1, DAY): 2000, ("1", 1, MONTH): 2000}


async def test_a_released_shot_gives_all_of_it_back(ledger: Ledger, database: Database) -> None:
    """Proof that nothing was bought frees every budget; those of other shots are left alone."""
    await open_budgets(ledger)
    await ledger.reserve(reservation("1", RUN, DAY, MONTH))
    await ledger.reserve(reservation("2", DAY))
    await ledger.release("1", 1, "429", "wait")
    assert await committed(ledger) == ("0", "0.003", "0")
    assert await held(database) == {("1", 1, RUN): 0, ("1", 1, DAY): 0, ("1", 1, MONTH): 0, ("2", 1, DAY): 3000}


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"run": "0.005"}, r"'teapots/e': 0\.003 USD of 0\.005 USD"),
        ({"day": "0.004"}, r"'day/2026-11-20': 0\.003 USD of 0\.004 USD"),
        ({"month": "0.003"}, r"'month/2026-11': 0\.003 USD of 0\.003 USD"),
    ],
)
async def test_the_budget_that_would_be_passed_is_named_and_none_is_charged(
    ledger: Ledger, database: Database, limits: dict[str, str], named: str
) -> None:
    """All or none: the message has the scope, what is committed, its limit and the price."""
    await open_budgets(ledger, **limits)
    await ledger.reserve(reservation("1", RUN, DAY, MONTH))
    with pytest.raises(BudgetExhausted, match=named + " are committed, so shot 2 for 0.003 USD does not fit"):
        await ledger.reserve(reservation("2", RUN, DAY, MONTH))
    assert await committed(ledger) == ("0.003", "0.003", "0.003")
    assert await ledger.get("2") is None
    assert len(await held(database)) == 3


async def test_budgets_in_different_units_are_refused(ledger: Ledger) -> None:
    """A shot has one price: what the day counts in CU cannot count the same number as a run in USD."""
    await open_budgets(ledger)
    await ledger.open_budget(DAY, Money(amount=Decimal(1), unit="CU"))
    with pytest.raises(SetupError, match=r"'day/2026-11-20' in CU, 'teapots/e' in USD\. Give all limits in the same"):
        await ledger.reserve(reservation("1", RUN, DAY))
    assert await ledger.get("1") is None
    assert await ledger.budget(RUN) == BudgetState(scope=RUN, limit=usd("1"), committed=usd("0"))


async def test_every_budget_has_to_be_opened(ledger: Ledger) -> None:
    """A cap that nobody opened is no cap without limit, and leaves the others uncharged."""
    await ledger.open_budget(DAY, usd("1"))
    with pytest.raises(SetupError, match="no budget 'month/2026-11': open it"):
        await ledger.reserve(reservation("1", DAY, MONTH))
    assert await ledger.budget(DAY) == BudgetState(scope=DAY, limit=usd("1"), committed=usd("0"))


async def test_a_charge_stays_where_it_was_reserved(ledger: Ledger, database: Database) -> None:
    """A new attempt on another day counts there; what an earlier one was billed stays in its own day."""
    await open_budgets(ledger)
    await ledger.open_budget("day/2026-11-21", usd("1"))
    await ledger.reserve(reservation("1", RUN, DAY))
    await ledger.mark_sending("1", 1)
    await ledger.mark_running("1", 1, "job-1")
    await ledger.mark_failed("1", 1, "E", "no", settled=Decimal("0.001"))
    assert (await ledger.reserve(reservation("1", RUN, "day/2026-11-21"), retry_failed=True)).won
    assert await held(database) == {
        ("1", 1, RUN): 1000,
        ("1", 1, DAY): 1000,
        ("1", 2, RUN): 3000,
        ("1", 2, "day/2026-11-21"): 3000,
    }
    assert await committed(ledger) == ("0.004", "0.001", "0")


async def test_a_taken_over_reservation_frees_its_own_budgets_first(ledger: Ledger, database: Database) -> None:
    """The same money is not counted twice while a shot changes hands, also where it changes budgets."""
    await open_budgets(ledger, run="0.003", day="0.003", month="0.003")
    await ledger.reserve(reservation("1", RUN, DAY))
    claim = await ledger.reserve(reservation("1", RUN, MONTH, run_id="run-2"), take_over_from="run-1")
    assert (claim.won, claim.entry.state, claim.entry.attempt) == (True, ShotState.RESERVED, 2)
    assert await committed(ledger) == ("0.003", "0", "0.003")
    assert await held(database) == {("1", 1, RUN): 0, ("1", 1, DAY): 0, ("1", 2, RUN): 3000, ("1", 2, MONTH): 3000}


async def test_a_refused_take_over_changes_nothing(ledger: Ledger, database: Database) -> None:
    """What is committed is told without the money that the shot itself holds."""
    await open_budgets(ledger, run="0.005")
    await ledger.reserve(reservation("1", RUN, DAY))
    standing, before = await ledger.get("1"), await held(database)
    with pytest.raises(BudgetExhausted, match=r"'teapots/e': 0 USD of 0\.005 USD are committed.*for 0\.006 USD"):
        await ledger.reserve(reservation("1", RUN, MONTH, price="0.006", run_id="run-2"), take_over_from="run-1")
    assert (await ledger.get("1"), await held(database)) == (standing, before)
    assert await committed(ledger) == ("0.003", "0.003", "0")


async def test_no_budget_is_charged_twice_for_one_shot() -> None:
    """A list that names a budget twice is a mistake of the caller."""
    with pytest.raises(ValidationError, match="a budget is charged twice"):
        reservation("1", DAY, RUN, DAY)
