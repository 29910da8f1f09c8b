"""The purse: what a run may spend — its own budget, and the caps that all runs of an archive share.

An unknown price never counts as zero: where there is any limit, it stops before spending.
"""

from datetime import UTC, datetime
from decimal import Decimal

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import Charge, Ledger
from blocks.errors import SetupError
from blocks.provider import Frozen, Money, ProviderName
from tasks.account import Account

_PRICE_FIELDS = {"scenario": "price_per_creative_unit", "sunra": "price_per_image"}


class Limit(Frozen):
    """A budget by its name in the ledger, and the most that it allows."""

    scope: str
    most: Money


class Purse:
    """Turns prices into charges on all limits at once.

    Args:
        limits: Budgets that are open in the ledger, all in one unit; none where anything may be spent.
    """

    def __init__(self, limits: tuple[Limit, ...] = ()) -> None:
        self._limits = limits
        self._unit = limits[0].most.unit if limits else None

    def check(self, account: Account, price: Money | None) -> None:
        """Refuses a price that is unknown in the unit of the limits.

        Raises:
            SetupError: It is; the message says which price is missing, and where to put it.
        """
        self.charges(account, price)

    def charges(self, account: Account, price: Money | None) -> tuple[Charge, ...]:
        """Says what a price takes from each limit.

        Raises:
            SetupError: There is a limit, and the price is unknown in its unit.
        """
        if self._unit is None:
            return ()
        known = None if price is None else account.in_unit(price, self._unit)
        if known is None:
            raise SetupError(_price_is_missing(account.provider.name, price, self._unit))
        return tuple(Charge(scope=limit.scope, amount=known.amount) for limit in self._limits)

    def settled(self, account: Account, billed: Money | None) -> Decimal | None:
        """Says what a bill takes from the limits in the end; None keeps what was reserved."""
        if self._unit is None or billed is None:
            return None
        known = account.in_unit(billed, self._unit)
        return None if known is None else known.amount


async def open_purse(ledger: Ledger, archive: ImageArchive, scope: str, budget: Money | None) -> Purse:
    """Opens the budgets that a run is bound by.

    Args:
        ledger: Where they are counted.
        archive: Its caps per day and per month (UTC) bind all of its runs together.
        scope: Name of the run's own budget.
        budget: Its limit, if it has one.

    Raises:
        SetupError: The limits are in different units, which do not add up.
    """
    today = datetime.now(UTC)
    # A space is in no campaign's name, so that no run's own budget is ever one of these.
    caps = ((f"per day/{today:%Y-%m-%d}", archive.cap_per_day), (f"per month/{today:%Y-%m}", archive.cap_per_month))
    limits = [Limit(scope=name, most=Money(amount=cap, unit=archive.cap_unit)) for name, cap in caps if cap is not None]
    if budget is not None:
        limits.append(Limit(scope=scope, most=budget))
    units = sorted({limit.most.unit for limit in limits})
    if len(units) > 1:
        raise SetupError(
            f"The budget and the archive's caps are in different units, {' and '.join(units)}. "
            "Put them into one: a budget has a `unit`, the archive block a `cap_unit`."
        )
    for limit in limits:
        await ledger.open_budget(limit.scope, limit.most)
    return Purse(tuple(limits))


def _price_is_missing(provider: ProviderName, price: Money | None, unit: str) -> str:
    said = "has no price" if price is None else f"costs {price}, which is no amount in {unit}"
    return (
        f"A budget is set in {unit}, and a picture of {provider} {said}. Nothing is bought at an unknown price: "
        f"set `{_PRICE_FIELDS[provider]}` and `currency` in the {provider} credentials block, or leave the budget out."
    )
