"""What a campaign's shots cost: amounts are added as decimals here, since SQLite would add them as floats."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from sqlalchemy import Connection, Integer, RowMapping, func, literal, select

from blocks.archive.schema import past_attempts, shots
from blocks.archive.states import ShotState
from blocks.provider import Frozen, Money


class StateTotal(Frozen):
    """The shots in one state whose money is in one unit.

    `shots` counts the shots that are in this state now. The amounts also hold those of earlier attempts that ended in
    it: they were paid, or may have been.
    """

    state: ShotState
    unit: str | None
    shots: int
    reserved: Decimal
    billed: Decimal


class LedgerTotals(Frozen):
    """All shots of one edition of a campaign, in the order of states and units."""

    campaign: str
    edition: str
    lines: tuple[StateTotal, ...]

    def count(self, *states: ShotState) -> int:
        """How many shots are in these states; without any, all of them."""
        return sum(line.shots for line in self.lines if not states or line.state in states)

    @property
    def billed(self) -> tuple[Money, ...]:
        """What providers charged, one amount per unit."""
        return _per_unit((line.unit, line.billed) for line in self.lines)

    @property
    def lost(self) -> tuple[Money, ...]:
        """What was reserved for shots that may have been bought and were not found, one amount per unit."""
        return _per_unit((line.unit, line.reserved) for line in self.lines if line.state is ShotState.LOST)


def read_totals(connection: Connection, campaign: str, edition: str) -> LedgerTotals:
    """Adds up one edition of a campaign, past attempts included."""
    counts: defaultdict[tuple[ShotState, str | None], int] = defaultdict(int)
    reserved: defaultdict[tuple[ShotState, str | None], Decimal] = defaultdict(Decimal)
    billed: defaultdict[tuple[ShotState, str | None], Decimal] = defaultdict(Decimal)
    for row in _equal_rows(connection, campaign, edition):
        state, attempts = ShotState(row["state"]), row["attempts"]
        unit = row["reserved_unit"] or row["billed_unit"]
        counts[state, unit] += row["standing"]
        if row["reserved_amount"] is not None:
            reserved[state, unit] += row["reserved_amount"] * attempts
        if row["billed_amount"] is not None:
            billed[state, row["billed_unit"]] += row["billed_amount"] * attempts
    keys = sorted(counts | reserved | billed, key=lambda key: (list(ShotState).index(key[0]), key[1] or ""))
    lines = (
        StateTotal(state=key[0], unit=key[1], shots=counts[key], reserved=reserved[key], billed=billed[key])
        for key in keys
    )
    return LedgerTotals(campaign=campaign, edition=edition, lines=tuple(lines))


def _equal_rows(connection: Connection, campaign: str, edition: str) -> Iterator[RowMapping]:
    """Groups of attempts with equal state and money: few, since prices repeat."""
    for table in (shots, past_attempts):
        money = (table.c.reserved_amount, table.c.reserved_unit, table.c.billed_amount, table.c.billed_unit)
        standing = func.count() if table is shots else literal(0, Integer)
        equal = (
            select(table.c.state, *money, func.count().label("attempts"), standing.label("standing"))
            .where(table.c.campaign == campaign, table.c.edition == edition)
            .group_by(table.c.state, *money)
        )
        yield from connection.execute(equal).mappings()


def _per_unit(amounts: Iterable[tuple[str | None, Decimal]]) -> tuple[Money, ...]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for unit, amount in amounts:
        if unit is not None and amount:
            sums[unit] += amount
    return tuple(Money(amount=sums[unit], unit=unit) for unit in sorted(sums))
