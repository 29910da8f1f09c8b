"""Budgets: atomic totals that no reservation passes, whatever the number of workers.

Plain functions of a connection, called inside the ledger's transactions. A bill may be higher than what was reserved
for it; it is counted as it is, and then nothing more can be reserved. Which shot is charged to which budgets:
`charges.py`.
"""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sqlalchemy import Connection, bindparam, or_, select, update

from blocks.archive.entries import MAX_CHARGE, MICRO, BudgetState, Charge, from_micro
from blocks.archive.schema import budgets
from blocks.archive.sql import insert_if_absent
from blocks.errors import ArchiveError, BudgetExhausted, SetupError
from blocks.provider import Money

_CHARGE = (
    update(budgets)
    .where(
        budgets.c.scope == bindparam("in_scope"),
        budgets.c.committed_micro + bindparam("micro") <= budgets.c.limit_micro,
    )
    .values(committed_micro=budgets.c.committed_micro + bindparam("micro"))
    .returning(budgets.c.unit)
)
_ADJUST = (
    update(budgets)
    .where(budgets.c.scope == bindparam("in_scope"))
    .values(committed_micro=budgets.c.committed_micro + bindparam("micro"))
)


def open_budget(connection: Connection, scope: str, limit: Money) -> BudgetState:
    """Creates a budget, or changes its limit; what is committed stays counted.

    Raises:
        SetupError: The limit is no amount that can be kept, or the budget already counts money in another unit.
    """
    row = {
        "scope": scope,
        "unit": limit.unit,
        "limit_micro": _limit_micro(scope, limit),
        "updated_at": datetime.now(UTC),
    }
    if not insert_if_absent(connection, budgets, {**row, "committed_micro": 0}):
        may_count = or_(budgets.c.unit == limit.unit, budgets.c.committed_micro == 0)
        changed = connection.execute(update(budgets).where(budgets.c.scope == scope, may_count).values(row))
        if changed.rowcount == 0:
            raise SetupError(
                f"Budget {scope!r} already counts money in another unit than {limit.unit}: "
                "give the limit in that unit, or use another budget."
            )
    state = read_budget(connection, scope)
    if state is None:
        raise ArchiveError(f"Budget {scope!r} vanished while it was opened: somebody else changes the database.")
    return state


def read_budget(connection: Connection, scope: str) -> BudgetState | None:
    """The budget of this name, or None."""
    row = connection.execute(select(budgets).where(budgets.c.scope == scope)).mappings().one_or_none()
    if row is None:
        return None
    return BudgetState(
        scope=scope,
        limit=Money(amount=from_micro(row["limit_micro"]), unit=row["unit"]),
        committed=Money(amount=from_micro(row["committed_micro"]), unit=row["unit"]),
    )


def charge(connection: Connection, charged: Charge, shot_key: str, *, freed_micro: int = 0) -> str:
    """Takes an amount from a budget, in one conditional UPDATE; returns the budget's unit.

    Args:
        connection: The transaction.
        charged: The amount, and from which budget.
        shot_key: The shot, for the message.
        freed_micro: What the budget counts for an attempt that gives way, and no longer has to.

    Raises:
        BudgetExhausted: It does not fit.
        SetupError: There is no such budget.
    """
    net_micro = to_micro(charged.amount) - freed_micro
    unit: str | None = connection.scalar(_CHARGE, {"in_scope": charged.scope, "micro": net_micro})
    if unit is not None:
        return unit
    state = read_budget(connection, charged.scope)
    if state is None:
        raise SetupError(f"There is no budget {charged.scope!r}: open it before shots are reserved.")
    committed = Money(amount=state.committed.amount - from_micro(freed_micro), unit=state.limit.unit)
    price = Money(amount=charged.amount, unit=state.limit.unit)
    raise BudgetExhausted(
        f"Budget {charged.scope!r}: {committed} of {state.limit} are committed, so shot {shot_key[:12]} "
        f"for {price} does not fit. Raise the budget or plan fewer shots."
    )


def adjust(connection: Connection, scope: str, micro: int) -> None:
    """Counts more (or, negative, less) in a budget, without asking: the money has moved already."""
    if micro:
        connection.execute(_ADJUST, {"in_scope": scope, "micro": micro})


def to_micro(amount: Decimal) -> int:
    """A price in millionths, rounded up: it is never counted as less than it is.

    Raises:
        ArchiveError: It is no amount that a budget can count.
    """
    if not 0 <= amount <= MAX_CHARGE:
        raise ArchiveError(f"{amount} is no amount that a budget can count (0 to {MAX_CHARGE:f}).")
    return int((amount * MICRO).to_integral_value(ROUND_CEILING))


def _limit_micro(scope: str, limit: Money) -> int:
    if not 0 <= limit.amount <= MAX_CHARGE:
        raise SetupError(f"{limit} cannot be the limit of budget {scope!r}: use 0 to {MAX_CHARGE:f}.")
    return int((limit.amount * MICRO).to_integral_value(ROUND_FLOOR))
