"""Lets a budget that is opened anew count what was spent before the archive's database was lost.

A budget's limit is nowhere but in the brief or the archive block, so it comes back with the first run that names it;
the shots were put back by a rebuild (`tasks/care/restore.py`). What failed or was lost before cannot be known, and is
not counted; nor is a bill in a unit that none of this run's accounts can convert, until a run comes that can.
"""

from collections.abc import Mapping
from datetime import datetime

from blocks.archive.ledger import Ledger, LedgerEntry
from blocks.provider import Money, ProviderName
from tasks.account import Account
from tasks.models import Shot


async def count_restored(
    ledger: Ledger,
    scope: str,
    unit: str,
    accounts: Mapping[ProviderName, Account],
    *,
    is_cap: bool,
    now: datetime,
) -> None:
    """Counts in an open budget the shots that were put back, each of them once.

    Args:
        ledger: Where the budget is.
        scope: Its name, `CAMPAIGN/EDITION`, or that of a cap today or this month.
        unit: What it counts in.
        accounts: What other units are worth, and what a picture costs where no record says so.
        is_cap: Whether it counts all editions, of a day or a month.
        now: The moment at which a cap has this name.
    """
    if is_cap:
        since = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if "per day" in scope:
            since = now.replace(hour=0, minute=0, second=0, microsecond=0)
        restored = await ledger.uncounted(scope, since=since)
    else:
        campaign, _, edition = scope.partition("/")
        restored = await ledger.uncounted(scope, campaign=campaign, edition=edition)
    amounts = {entry.shot_key: await _amount(entry, unit, accounts) for entry in restored}
    await ledger.count(scope, {key: money.amount for key, money in amounts.items() if money is not None})


async def _amount(entry: LedgerEntry, unit: str, accounts: Mapping[ProviderName, Account]) -> Money | None:
    account = accounts.get("scenario" if entry.provider == "scenario" else "sunra")
    price = entry.billed or entry.reserved
    if price is None and account is not None:
        request = Shot.model_validate_json(entry.request_json).request
        price = await account.price(request, request.references)
    if price is None or price.unit == unit:
        return price
    return None if account is None else account.in_unit(price, unit)
