"""One shot on its way through the ledger: claimed, sent, known by its job, done. Design, section 4.

Every step is durable before the next one begins, so that a run may be killed between any two of them. From the moment
the job id is in the ledger, nothing can lead to a second submit.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from blocks.archive.ledger import Claim, LedgerEntry, Reservation, ShotState
from blocks.errors import BriefError, JobFailed, NothingAccepted, OutcomeUnknown
from blocks.provider import JobFailure, JobStatus, Money, Ticket
from tasks.models import ImageRecord, Shot
from tasks.studio import Studio

SEARCH_DELAYS_SECONDS = (0.0, 2.0, 5.0)
"""A job whose answer was lost may take a moment to appear in the provider's list."""

STALE_AFTER = timedelta(seconds=90)
"""Longer than any submit may take: a shot that is still being sent after this belongs to a run that died."""

WATCH_INTERVAL_SECONDS = 0.5

_LOST = (
    "{provider} was asked for this shot and its answer was lost. It may have been bought and cannot be found, so its "
    "price stays counted and it is not asked again. `on_lost: resubmit` in the brief would."
)


class Purchase:
    """Buys one shot, once among all runs and workers, and settles it.

    A plain object on purpose, as the studio is: it is handed to tasks, and Prefect takes the fields of models apart.

    Args:
        shot: What to buy.
        studio: What this run holds open.
        attempt: How often the ledger had seen this shot when the run began.
    """

    def __init__(self, shot: Shot, studio: Studio, attempt: int = 0) -> None:
        self.shot = shot
        self.studio = studio
        self.attempt = attempt
        self.account = studio.account(shot.provider)
        self.was_bought = False  # by this very object: the provider has the job, or may have it
        self._ledger = studio.archive.ledger

    async def ticket(self) -> Ticket:
        """Buys the shot, or finds the receipt of whoever did.

        Raises:
            NothingAccepted: Nothing was bought; the money is released.
            OutcomeUnknown: It may have been bought and cannot be found; the money stays counted.
            BudgetExhausted: It would pass the budget.
        """
        handles = await self.account.handles(self.shot.request.references, self.studio.archive.store)
        claim = await self._claim(handles)
        if claim.won:
            return await self._send(claim.entry, handles)
        return await self._receipt_of_another(claim.entry, handles)

    async def done(self, images: tuple[ImageRecord, ...], status: JobStatus) -> None:
        """Says `done`, last of all: bytes and records are durable by now."""
        entry = await self._running()
        if entry is not None:
            billed = status.billed or entry.billed or entry.reserved
            sha256s = tuple(image.sha256 for image in images)
            await self._ledger.mark_done(
                self.shot.key, entry.attempt, sha256s, billed, settled=self.studio.settled(self.account, billed)
            )
            self.studio.spend(billed)

    async def failed(self, failure: JobFailure, billed: Money | None) -> JobFailed:
        """Settles a job that made no picture, and returns the error to raise."""
        entry = await self._running()
        if entry is not None:
            settled = self.studio.settled(self.account, billed)
            await self._ledger.mark_failed(
                self.shot.key, entry.attempt, failure.code, failure.message, billed, settled=settled
            )
            self.studio.spend(billed)
        job_id = entry.job_id if entry is not None else None
        return JobFailed(
            failure.message,
            retryable=failure.retryable,
            provider=self.shot.provider,
            code=failure.reason or failure.code,
            job_id=job_id,
        )

    async def _claim(self, handles: tuple[str, ...]) -> Claim:
        price = await self.account.price(self.shot.request, handles)
        reservation = Reservation(
            shot_key=self.shot.key,
            provider=self.shot.provider,
            sandbox=self.shot.sandbox,
            request_json=self.shot.request.model_dump_json(exclude_none=True),
            campaign=self.studio.run.campaign,
            edition=self.studio.run.edition,
            run_id=self.studio.run.run_id,
            price=price,
            charges=self.studio.charges(self.account, price),
        )
        return await self._ledger.reserve(
            reservation,
            retry_failed=True,
            resubmit_lost=self.studio.resubmit_lost,
            take_over_from=await self._gone_owner(),
        )

    async def _gone_owner(self) -> str | None:
        """Returns the run that has this shot and is gone, if there is one."""
        entry = await self._ledger.get(self.shot.key)
        return entry.run_id if entry is not None and await self._ledger.is_gone(entry.run_id) else None

    async def _send(self, entry: LedgerEntry, handles: tuple[str, ...]) -> Ticket:
        """Sends a shot that is ours: the ledger knows of it before the provider, and of its job before anyone else."""
        sent = await self._ledger.mark_sending(self.shot.key, entry.attempt)
        try:
            ticket = await self.account.provider.submit(self.shot.request, handles)
        except (NothingAccepted, BriefError) as error:
            await self._ledger.release(self.shot.key, entry.attempt, type(error).__name__, str(error))
            raise
        except OutcomeUnknown:
            self.was_bought = True
            return await self._find_or_lose(sent, handles)
        self.was_bought = True
        await self._ledger.mark_running(self.shot.key, entry.attempt, ticket.job_id, ticket.billed)
        return ticket

    async def _receipt_of_another(self, entry: LedgerEntry, handles: tuple[str, ...]) -> Ticket:
        """Returns the receipt of a shot that another run, or an earlier one, has bought or is just buying."""
        while entry.state in {ShotState.RESERVED, ShotState.SENDING}:
            if datetime.now(UTC) - entry.updated_at > STALE_AFTER:
                return await self._find_or_lose(entry, handles)
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            entry = await self._ledger.get(self.shot.key) or entry
        if entry.job_id is not None:
            return Ticket(provider=self.shot.provider, job_id=entry.job_id, billed=entry.billed)
        if entry.state is ShotState.LOST:
            return await self._find_or_lose(entry, handles)
        raise JobFailed(
            f"Another run gave this shot up: {entry.error_message or entry.state}", provider=self.shot.provider
        )

    async def _find_or_lose(self, entry: LedgerEntry, handles: tuple[str, ...]) -> Ticket:
        """Looks for the job of a submit whose answer nobody got.

        Raises:
            OutcomeUnknown: It cannot be found: its money stays counted.
        """
        provider = self.account.provider
        for delay_seconds in SEARCH_DELAYS_SECONDS if provider.capabilities.finds_lost_jobs else ():
            await asyncio.sleep(delay_seconds)
            ticket = await provider.find_lost(self.shot.request, handles, entry.sent_at or entry.updated_at)
            if ticket is not None:
                await self._ledger.adopt(self.shot.key, entry.attempt, ticket.job_id)
                return ticket
        message = _LOST.format(provider=self.shot.provider)
        if entry.state is not ShotState.LOST:
            await self._ledger.mark_lost(self.shot.key, entry.attempt, message)
        raise OutcomeUnknown(message, provider=self.shot.provider)

    async def _running(self) -> LedgerEntry | None:
        """Returns the entry if it is still open; a second worker may have closed it already."""
        entry = await self._ledger.get(self.shot.key)
        return entry if entry is not None and entry.state is ShotState.RUNNING else None
