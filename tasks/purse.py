"""The purse: what a run may spend — its own budget, and the caps that all runs of an archive share.

An unknown price never counts as zero: where there is any limit, it stops before spending.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import Charge, Ledger
from blocks.errors import ProviderUnavailable, RateLimited, SetupError
from blocks.provider import Frozen, Money, PictureRequest, ProviderName
from tasks.account import Account
from tasks.recount import count_restored

_PRICE_FIELDS = {"scenario": "price_per_creative_unit", "sunra": "price_per_image"}


class Limit(Frozen):
    """The most that may be spent under a name, which may hold a date: a cap per day has another name each day.

    Attributes:
        scope: Name of the budget in the ledger, as a pattern of `strftime`.
        most: What it allows.
        is_cap: Whether it binds all runs of an archive, and not those of one edition.
    """

    scope: str
    most: Money
    is_cap: bool = False


class Purse:
    """Turns prices into charges on all limits at once.

    Args:
        ledger: Where the budgets are counted.
        limits: All in one unit; none where anything may be spent.
        accounts: Those that this run has open: they know what other units are worth.
    """

    def __init__(
        self,
        ledger: Ledger,
        limits: tuple[Limit, ...] = (),
        accounts: Mapping[ProviderName, Account] = MappingProxyType({}),
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._accounts = accounts
        self._unit = limits[0].most.unit if limits else None
        self._open: set[str] = set()

    @property
    def is_limited(self) -> bool:
        """True where a price has to be known before anything is bought."""
        return self._unit is not None

    async def price(self, account: Account, request: PictureRequest, handles: Sequence[str]) -> Money | None:
        """Asks a price. Where nothing limits what is spent, an answer that does not come is no reason to stop.

        Raises:
            ProviderUnavailable: There is a limit, and the provider could not be asked.
            RateLimited: Likewise.
        """
        try:
            return await account.price(request, handles)
        except (ProviderUnavailable, RateLimited):
            if self.is_limited:
                raise
            return None

    def in_unit(self, account: Account, price: Money | None) -> Money | None:
        """Says a price in the unit of the limits; None where there are none.

        Raises:
            SetupError: There is a limit, and the price is unknown in its unit.
        """
        if self._unit is None:
            return None
        known = None if price is None else account.in_unit(price, self._unit)
        if known is None:
            raise SetupError(_price_is_missing(account.provider.name, price, self._unit))
        return known

    async def charges(self, account: Account, price: Money | None) -> tuple[Charge, ...]:
        """Says what a price takes from each limit, by the name that it has today.

        Raises:
            SetupError: As in `in_unit`.
        """
        known = self.in_unit(account, price)
        if known is None:
            return ()
        now = datetime.now(UTC)
        scopes = {now.strftime(limit.scope): limit for limit in self._limits}
        for scope, limit in scopes.items():
            if scope not in self._open:
                await self._ledger.open_budget(scope, limit.most)
                await count_restored(self._ledger, scope, limit.most.unit, self._accounts, is_cap=limit.is_cap, now=now)
                self._open.add(scope)
        return tuple(Charge(scope=scope, amount=known.amount) for scope in scopes)

    def settled(self, account: Account, billed: Money | None) -> Decimal | None:
        """Says what a bill takes from the limits in the end; None keeps what was reserved."""
        if self._unit is None or billed is None:
            return None
        known = account.in_unit(billed, self._unit)
        return None if known is None else known.amount


def make_purse(
    ledger: Ledger,
    archive: ImageArchive,
    scope: str,
    budget: Money | None,
    accounts: Mapping[ProviderName, Account] = MappingProxyType({}),
) -> Purse:
    """Makes the purse of a run. Its budgets are opened in the ledger by the first charge, so a plan changes none.

    Args:
        ledger: Where its budgets are counted.
        archive: Its caps per day and per month (UTC) bind all of its runs together.
        scope: Name of the run's own budget.
        budget: Its limit, if it has one.
        accounts: The accounts that the run has open.

    Raises:
        SetupError: The limits are in different units, which do not add up.
    """
    # A space is in no campaign's name, so that no run's own budget is ever one of these.
    caps = (("per day/%Y-%m-%d", archive.cap_per_day), ("per month/%Y-%m", archive.cap_per_month))
    limits = [
        Limit(scope=name, most=Money(amount=cap, unit=archive.cap_unit), is_cap=True)
        for name, cap in caps
        if cap is not None
    ]
    if budget is not None:
        limits.append(Limit(scope=scope.replace("%", "%%"), most=budget))
    units = sorted({limit.most.unit for limit in limits})
    if len(units) > 1:
        raise SetupError(
            f"The budget and the archive's caps are in different units, {' and '.join(units)}. "
            "Put them into one: a budget has a `unit`, the archive block a `cap_unit`."
        )
    return Purse(ledger, tuple(limits), accounts)


def _price_is_missing(provider: ProviderName, price: Money | None, unit: str) -> str:
    said = "has no price" if price is None else f"costs {price}, which is no amount in {unit}"
    return (
        f"A budget is set in {unit}, and a picture of {provider} {said}. Nothing is bought at an unknown price: "
        f"set `{_PRICE_FIELDS[provider]}` and `currency` in the {provider} credentials block, or leave the budget out."
    )
