"""What each attempt takes from budgets: all of them or none, and what each counts for it until it is settled.

Plain functions of a connection, called inside the ledger's transactions, when the shot's row is locked already. Budgets
are always taken in the order of their names, so that no two transactions wait for each other.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, insert, select, update

from blocks.archive import budgets
from blocks.archive.entries import Charge, Reservation
from blocks.archive.schema import charges
from blocks.errors import SetupError

_NOTHING: Mapping[str, int] = MappingProxyType({})

_HELD = (
    select(charges.c.scope, charges.c.held_micro)
    .where(charges.c.shot_key == bindparam("in_shot"), charges.c.attempt == bindparam("in_attempt"))
    .order_by(charges.c.scope)
)
_HOLD = (
    update(charges)
    .where(charges.c.shot_key == bindparam("in_shot"), charges.c.attempt == bindparam("in_attempt"))
    .values(held_micro=bindparam("micro"))
)


def take(
    connection: Connection, reservation: Reservation, attempt: int, freed_micro: Mapping[str, int] = _NOTHING
) -> None:
    """Charges an attempt to all its budgets, and gives back to each what an attempt that gives way held of it.

    Raises:
        BudgetExhausted: One of them would be passed; the transaction has to be given up.
        SetupError: One of them does not exist, or they count in different units.
    """
    wanted = {charge.scope: charge for charge in reservation.charges}
    units: dict[str, str] = {}
    for scope in sorted(wanted.keys() | freed_micro.keys()):
        freed = freed_micro.get(scope, 0)
        if scope in wanted:
            units[scope] = budgets.charge(connection, wanted[scope], reservation.shot_key, freed_micro=freed)
        else:
            budgets.adjust(connection, scope, -freed)
    _check_units(units)
    if wanted:
        connection.execute(insert(charges), [_row(reservation.shot_key, attempt, each) for each in wanted.values()])


def settle(connection: Connection, shot_key: str, attempt: int, micro: int) -> None:
    """Lets every budget of an attempt count this amount for it from now on."""
    for scope, held_micro in _hold(connection, shot_key, attempt, micro).items():
        budgets.adjust(connection, scope, micro - held_micro)


def free(connection: Connection, shot_key: str, attempt: int) -> dict[str, int]:
    """Lets an attempt hold nothing any more; returns what has yet to be given back, by budget."""
    return _hold(connection, shot_key, attempt, 0)


def _hold(connection: Connection, shot_key: str, attempt: int, micro: int) -> dict[str, int]:
    """Writes down what an attempt holds of each of its budgets, in their order; returns what it held before."""
    known = {"in_shot": shot_key, "in_attempt": attempt}
    before = {row.scope: row.held_micro for row in connection.execute(_HELD, known)}
    if before:
        connection.execute(_HOLD, {**known, "micro": micro})
    return dict(sorted(before.items()))  # as Python orders names, whatever the database's collation


def _row(shot_key: str, attempt: int, charge: Charge) -> dict[str, str | int]:
    held_micro = budgets.to_micro(charge.amount)
    return {"shot_key": shot_key, "attempt": attempt, "scope": charge.scope, "held_micro": held_micro}


def _check_units(units: Mapping[str, str]) -> None:
    if len(set(units.values())) > 1:
        said = ", ".join(f"{scope!r} in {unit}" for scope, unit in units.items())
        raise SetupError(f"The budgets of a shot count in different units: {said}. Give all limits in the same unit.")
