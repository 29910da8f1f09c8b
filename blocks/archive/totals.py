"""What a campaign's shots cost: amounts are added as decimals here, since SQLite would add them as floats."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from sqlalchemy import Connection, Integer, RowMapping, func, literal, select

from blocks.archive.schema import past_attempts, shots
from blocks.archive.states import ShotState
from blocks.provider import Frozen, Money

_OUTCOME_IS_OPEN = (ShotState.RESERVED, ShotState.SENDING, ShotState.RUNNING)


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


class UnitTotal(Frozen):
    """What shots cost in one unit: expected, still open, paid, and perhaps paid for nothing.

    `estimated` is the price of all that was or may have been sent or still will be, when it was reserved. `reserved` is
    the part of it whose outcome is open, `billed` what providers said that they charged, and `lost` the price of what
    may have been bought and was not found.
    """

    unit: str
    estimated: Decimal
    reserved: Decimal
    billed: Decimal
    lost: Decimal


class LedgerTotals(Frozen):
    """All shots of one edition of a campaign (or of all, where none is named), in the order of states and units."""

    campaign: str | None
    edition: str | None
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

    @property
    def reserved(self) -> tuple[Money, ...]:
        """What is reserved for shots whose outcome is open, one amount per unit."""
        return _per_unit((line.unit, line.reserved) for line in self.lines if line.state in _OUTCOME_IS_OPEN)

    @property
    def estimated(self) -> tuple[Money, ...]:
        """The price of everything but what was released, as it was reserved, one amount per unit."""
        return _per_unit((line.unit, line.reserved) for line in self.lines if line.state is not ShotState.RELEASED)

    @property
    def units(self) -> tuple[UnitTotal, ...]:
        """All of this side by side, one line per unit."""
        columns = [
            {money.unit: money.amount for money in column}
            for column in (self.estimated, self.reserved, self.billed, self.lost)
        ]
        return tuple(_unit_total(unit, columns) for unit in sorted(set().union(*columns)))


def read_totals(connection: Connection, campaign: str | None, edition: str | None) -> LedgerTotals:
    """Adds up one edition of a campaign, or all that is not named, past attempts included."""
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


def _equal_rows(connection: Connection, campaign: str | None, edition: str | None) -> Iterator[RowMapping]:
    """Groups of attempts with equal state and money: few, since prices repeat."""
    for table in (shots, past_attempts):
        money = (table.c.reserved_amount, table.c.reserved_unit, table.c.billed_amount, table.c.billed_unit)
        standing = func.count() if table is shots else literal(0, Integer)
        equal = select(table.c.state, *money, func.count().label("attempts"), standing.label("standing"))
        if campaign is not None:
            equal = equal.where(table.c.campaign == campaign)
        if edition is not None:
            equal = equal.where(table.c.edition == edition)
        yield from connection.execute(equal.group_by(table.c.state, *money)).mappings()


def _unit_total(unit: str, columns: Sequence[Mapping[str, Decimal]]) -> UnitTotal:
    estimated, reserved, billed, lost = (column.get(unit, Decimal(0)) for column in columns)
    return UnitTotal(unit=unit, estimated=estimated, reserved=reserved, billed=billed, lost=lost)


def _per_unit(amounts: Iterable[tuple[str | None, Decimal]]) -> tuple[Money, ...]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for unit, amount in amounts:
        if unit is not None and amount:
            sums[unit] += amount
    return tuple(Money(amount=sums[unit], unit=unit) for unit in sorted(sums))
