"""The studio: what one run holds open while it works — the archive, and one account with each provider it needs.

Tasks are handed the studio as an argument. It is a plain object on purpose: Prefect looks into the fields of
dataclasses and models that are passed to tasks, and has no business here.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from uuid import uuid4

from blocks.archive.archive import Archive
from blocks.archive.block import ImageArchive
from blocks.archive.ledger import Charge
from blocks.errors import KleinbildError, SetupError
from blocks.provider import Frozen, Money, ProviderName
from tasks.account import Account, Credentials
from tasks.models import Cost
from tasks.progress import Tally


class RunIdentity(Frozen):
    """Which campaign, which edition of it, and which run is at work."""

    campaign: str
    edition: str
    run_id: str

    @property
    def scope(self) -> str:
        """Name of the budget that all runs of this edition share."""
        return f"{self.campaign}/{self.edition}"


class Studio:
    """Everything that one run holds open."""

    def __init__(
        self,
        archive: Archive,
        accounts: dict[ProviderName, Account],
        run: RunIdentity,
        *,
        budget: Money | None,
        resubmit_lost: bool,
        job_timeout_seconds: float,
    ) -> None:
        self.archive = archive
        self.run = run
        self.budget = budget
        self.resubmit_lost = resubmit_lost
        self.job_timeout_seconds = job_timeout_seconds
        self.tally = Tally()
        self.decoding = asyncio.Semaphore(os.cpu_count() or 1)  # CPU work: more at once would only wait
        self.halted_by: KleinbildError | None = None
        self.spent = Cost()
        self._accounts = accounts

    def account(self, name: ProviderName) -> Account:
        """Returns the open account with a provider that the brief uses."""
        return self._accounts[name]

    def halt(self, error: KleinbildError) -> None:
        """Stops buying for the whole run. What is running is still collected."""
        self.halted_by = self.halted_by or error

    def spend(self, money: Money | None) -> None:
        """Counts what a job cost."""
        self.spent = Cost.of([*self.spent.amounts, money])
        self.tally.change(spent=self.spent)

    def charges(self, account: Account, price: Money | None) -> tuple[Charge, ...]:
        """Says what a price takes from the budget; nothing where there is no budget.

        Raises:
            SetupError: There is a budget, and the price is unknown in its unit.
        """
        if self.budget is None:
            return ()
        known = None if price is None else account.in_unit(price, self.budget.unit)
        if known is None:
            raise SetupError(price_is_missing(account.provider.name, price, self.budget.unit))
        return (Charge(scope=self.run.scope, amount=known.amount),)

    def settled(self, account: Account, billed: Money | None) -> Decimal | None:
        """Says what a bill takes from the budget in the end; None keeps what was reserved."""
        if self.budget is None or billed is None:
            return None
        known = account.in_unit(billed, self.budget.unit)
        return None if known is None else known.amount


def price_is_missing(provider: ProviderName, price: Money | None, unit: str) -> str:
    """Says which price is missing, and where to put it."""
    field = {"scenario": "price_per_creative_unit", "sunra": "price_per_image"}[provider]
    said = "has no price" if price is None else f"costs {price}, which is no amount in {unit}"
    return (
        f"A budget is set in {unit}, and a picture of {provider} {said}. Nothing is bought at an unknown price: "
        f"set `{field}` and `currency` in the {provider} credentials block, or leave the budget out."
    )


@asynccontextmanager
async def open_studio(
    archive: ImageArchive,
    credentials: dict[ProviderName, Credentials],
    *,
    campaign: str,
    edition: str,
    budget: Money | None,
    resubmit_lost: bool,
    job_timeout_seconds: float,
) -> AsyncIterator[Studio]:
    """Opens the archive and the accounts, and closes them whatever happens."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(archive.open())
        accounts = {
            name: Account(await stack.enter_async_context(each.get_provider()), each)
            for name, each in credentials.items()
        }
        run = RunIdentity(campaign=campaign, edition=edition, run_id=uuid4().hex)
        if budget is not None:
            await opened.ledger.open_budget(run.scope, budget)
        yield Studio(
            opened,
            accounts,
            run,
            budget=budget,
            resubmit_lost=resubmit_lost,
            job_timeout_seconds=job_timeout_seconds,
        )
