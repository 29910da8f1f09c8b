"""The studio: what one run holds open while it works — the archive, and one account with each provider it needs.

Tasks are handed the studio as an argument. It is a plain object on purpose: Prefect looks into the fields of
dataclasses and models that are passed to tasks, and has no business here.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from blocks.archive.archive import Archive
from blocks.archive.block import ImageArchive
from blocks.errors import KleinbildError
from blocks.provider import Frozen, Money, ProviderName
from tasks.account import Account, Credentials
from tasks.blank import refuse_lost_catalogue
from tasks.models import Cost
from tasks.presence import at_work
from tasks.progress import Tally
from tasks.purse import Purse, make_purse
from tasks.slots import open_slots
from tasks.stopping import stopped_by_sigterm


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
        purse: Purse,
        resubmit_lost: bool,
        job_timeout_seconds: float,
        browse_url: str | None = None,
    ) -> None:
        self.archive = archive
        self.run = run
        self.purse = purse
        self.resubmit_lost = resubmit_lost
        self.job_timeout_seconds = job_timeout_seconds
        self.tally = Tally()
        self.decoding = asyncio.Semaphore(os.cpu_count() or 1)  # CPU work: more at once would only wait
        self.halted_by: KleinbildError | None = None
        self.spent = Cost()
        self._accounts = accounts
        self._browse_url = browse_url

    def account(self, name: ProviderName) -> Account:
        """Returns the open account with a provider that the brief uses."""
        return self._accounts[name]

    def address_of(self, key: str) -> str:
        """Says where a person finds what lies in the archive: an address for the browser, or a path."""
        return f"{(self._browse_url or str(self.archive.root)).rstrip('/')}/{key}"

    def halt(self, error: KleinbildError) -> None:
        """Stops buying for the whole run. What is running is still collected."""
        self.halted_by = self.halted_by or error

    def spend(self, money: Money | None) -> None:
        """Counts what a job cost."""
        self.spent = Cost.of([*self.spent.amounts, money])
        self.tally.change(spent=self.spent)


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
    """Opens the archive and the accounts, and closes them whatever happens, a SIGTERM too.

    Raises:
        SetupError: The archive cannot be used, its caps and the budget do not go together, or the limit that runs of
            an account share does not exist.
        ArchiveError: Its database was lost.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(stopped_by_sigterm())
        opened = await stack.enter_async_context(archive.open())
        await refuse_lost_catalogue(opened)
        accounts = {name: await stack.enter_async_context(_open_account(each)) for name, each in credentials.items()}
        run = RunIdentity(campaign=campaign, edition=edition, run_id=uuid4().hex)
        purse = make_purse(opened.ledger, archive, run.scope, budget, accounts)
        await stack.enter_async_context(at_work(opened.ledger, run.run_id))
        yield Studio(
            opened,
            accounts,
            run,
            purse=purse,
            resubmit_lost=resubmit_lost,
            job_timeout_seconds=job_timeout_seconds,
            browse_url=archive.browse_url,
        )


@asynccontextmanager
async def _open_account(credentials: Credentials) -> AsyncIterator[Account]:
    async with (
        credentials.get_provider() as provider,
        open_slots(credentials.max_in_flight, credentials.shared_limit) as slots,
    ):
        yield Account(provider, slots, credentials)
