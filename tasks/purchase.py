"""One shot on its way through the ledger: claimed, sent, known by its job, done. Design, section 4.

Every step is durable before the next one begins, so that a run may be killed between any two of them. From the moment
the job id is in the ledger, nothing can lead to a second submit.
"""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from http import HTTPStatus

from blocks.archive.ledger import Claim, LedgerEntry, Reservation, ShotState
from blocks.errors import (
    BadPicture,
    BriefError,
    IllegalTransition,
    JobFailed,
    JobTimedOut,
    KleinbildError,
    LinkExpired,
    NothingAccepted,
    NotStarted,
    OutcomeUnknown,
    UnexpectedAnswer,
)
from blocks.provider import JobFailure, JobStatus, Money, Ticket
from tasks.archive import archived_images
from tasks.attempts import may_try_again
from tasks.cancellation import unbroken
from tasks.lost import find_or_lose
from tasks.models import ImageRecord, Shot
from tasks.studio import Studio

WATCH_INTERVAL_SECONDS = 0.25
JUST_NOW_SECONDS = 2.0
LONG_AGO_SECONDS = 60.0
"""For a job that another run has sent: it is polled at once."""


class Purchase:
    """Buys one shot, once among all runs and workers, and settles it.

    A plain object on purpose, as the studio is: it is handed to tasks, and Prefect takes the fields of models apart.

    Args:
        shot: What to buy.
        studio: What this run holds open.
        attempt: The attempt that this run begins or goes on with; see `attempt_after`.
    """

    def __init__(self, shot: Shot, studio: Studio, attempt: int = 0) -> None:
        self.shot = shot
        self.studio = studio
        self.attempt = attempt
        self.account = studio.account(shot.provider)
        self.was_bought = False  # by this very object: the provider has the job, or may have it
        self._ledger = studio.archive.ledger
        self._sent: LedgerEntry | None = None  # the running attempt, if this very object has sent it

    async def ticket(self) -> Ticket:
        """Buys the shot, or waits for the receipt of whoever does.

        Raises:
            NothingAccepted: Nothing was bought; the money is released.
            OutcomeUnknown: It may have been bought and cannot be found; the money stays counted.
            BudgetExhausted: It would pass a budget.
            JobFailed: It failed before, and would fail again.
            ProviderUnavailable: It may have been bought, and nobody could look: a later run looks again.
            JobTimedOut: Another run is buying it, and takes too long.
        """
        known = await self._ledger.get(self.shot.key) if self.attempt else None
        if known is not None and known.job_id is not None and known.state in {ShotState.RUNNING, ShotState.DONE}:
            return self._receipt(known)
        handles = await self.account.handles(self.shot.request.references, self.studio.archive.store)
        wait_until = asyncio.get_running_loop().time() + self.studio.job_timeout_seconds
        gone: str | None = None
        has_looked = False
        while True:
            claim = await self._claim(handles, known, take_over_from=gone, has_looked=has_looked)
            if claim.won:
                return await self._send(claim.entry, handles)
            gone, known = await self._wait_for_owner(claim.entry, wait_until)
            if known.job_id is not None and known.state is not ShotState.FAILED:
                return self._receipt(known)
            if known.state is ShotState.FAILED and not may_try_again(known):
                raise self._told_before(known)
            if known.state in {ShotState.SENDING, ShotState.LOST} and await self._takes_charge(known):
                try:
                    return await find_or_lose(self.shot, known, self.studio)
                except OutcomeUnknown:
                    if not self.studio.resubmit_lost:
                        raise
                has_looked = True

    async def pick_up(self, entry: LedgerEntry) -> Ticket | None:
        """Goes on with a shot that a run left open; returns the receipt, or None where nothing was bought.

        Args:
            entry: The shot in the ledger; its run has to be gone.

        Raises:
            OutcomeUnknown: It may have been bought and cannot be found.
        """
        if entry.job_id is not None:
            return self._receipt(entry)
        if entry.state is ShotState.RESERVED:
            await self._ledger.release(self.shot.key, entry.attempt, None, "Its run ended before it was sent.")
            return None
        if not await self._takes_charge(entry):
            raise OutcomeUnknown(f"Another run is looking for {self.shot.label}.", provider=self.shot.provider)
        return await find_or_lose(self.shot, entry, self.studio)

    def age_seconds(self) -> float:
        """Says how long ago the job was sent; 0 where this very object has sent it just now."""
        if self._sent is None or self._sent.sent_at is None:
            return LONG_AGO_SECONDS
        age_seconds = (datetime.now(UTC) - self._sent.sent_at).total_seconds()
        return 0.0 if age_seconds < JUST_NOW_SECONDS else age_seconds

    async def images_of_another(self) -> tuple[ImageRecord, ...]:
        """Returns the images if another run has brought them home in the meantime."""
        if self.was_bought:
            return ()
        entry = await self._ledger.get(self.shot.key)
        if entry is None or entry.state is not ShotState.DONE:
            return ()
        return (await archived_images([entry], self.studio)).get(self.shot.key, ())

    async def priced(self, status: JobStatus) -> JobStatus:
        """Says of a job what it cost: the bill, or what was reserved for it where the provider names no price."""
        if status.billed is not None:
            return status
        entry = self._sent or await self._ledger.get(self.shot.key)
        billed = None if entry is None else entry.billed or entry.reserved
        return status.model_copy(update={"billed": billed})

    async def done(self, images: tuple[ImageRecord, ...], status: JobStatus) -> None:
        """Says `done`, last of all: bytes and records are durable by now."""
        entry = await self._running()
        if entry is not None:
            billed = status.billed or entry.billed or entry.reserved
            sha256s = tuple(image.sha256 for image in images)
            settled = self.studio.purse.settled(self.account, billed)
            marking = self._ledger.mark_done(self.shot.key, entry.attempt, sha256s, billed, settled=settled)
            if await _was_first(marking):
                self.studio.spend(billed)

    async def failed(self, failure: JobFailure, billed: Money | None) -> JobFailed:
        """Settles a job that made no picture, and returns the error to raise."""
        entry = await self._running()
        if entry is not None:
            settled = self.studio.purse.settled(self.account, billed)
            marking = self._ledger.mark_failed(
                self.shot.key,
                entry.attempt,
                failure.code,
                failure.message,
                billed,
                settled=settled,
                retryable=failure.retryable,
            )
            if await _was_first(marking):
                self.studio.spend(billed)
        return JobFailed(
            failure.message,
            retryable=failure.retryable,
            provider=self.shot.provider,
            code=failure.reason or failure.code,
            job_id=entry.job_id if entry is not None else None,
        )

    async def give_up_if_hopeless(self, error: KleinbildError) -> None:
        """Closes a shot whose picture was paid for and cannot be had: no later run would fare better."""
        code = self._why_hopeless(error)
        if code is not None:
            await self.failed(JobFailure(code=code, message=str(error), retryable=False), None)

    def _why_hopeless(self, error: KleinbildError) -> str | None:
        match error:
            case BadPicture():
                return "bad_picture"
            case LinkExpired() if not self.account.provider.capabilities.renews_links:
                return "link_expired"
            case UnexpectedAnswer(status_code=HTTPStatus.NOT_FOUND):
                return "job_unknown"
            case _:
                return None

    async def _claim(
        self, handles: tuple[str, ...], known: LedgerEntry | None, *, take_over_from: str | None, has_looked: bool
    ) -> Claim:
        price = await self.studio.purse.price(self.account, self.shot.request, handles)
        reservation = Reservation(
            shot_key=self.shot.key,
            provider=self.shot.provider,
            sandbox=self.shot.sandbox,
            request_json=self.shot.model_dump_json(exclude_none=True),
            campaign=self.studio.run.campaign,
            edition=self.studio.run.edition,
            run_id=self.studio.run.run_id,
            price=price,
            charges=await self.studio.purse.charges(self.account, price),
        )
        return await self._ledger.reserve(
            reservation,
            retry_failed=known is not None and known.state is ShotState.FAILED and may_try_again(known),
            resubmit_lost=has_looked and self.studio.resubmit_lost,
            take_over_from=take_over_from,
        )

    def _receipt(self, entry: LedgerEntry) -> Ticket:
        return Ticket(provider=self.shot.provider, job_id=entry.job_id or "", billed=entry.billed)

    async def _wait_for_owner(self, entry: LedgerEntry, wait_until: float) -> tuple[str | None, LedgerEntry]:
        """Waits while a living run is about to send the shot. Returns the owner if it is gone, and the entry.

        Args:
            entry: The shot as it stands.
            wait_until: Deadline, on the clock of the event loop.

        Raises:
            JobTimedOut: The deadline passed.
        """
        while entry.state in {ShotState.RESERVED, ShotState.SENDING}:
            if await self._ledger.is_gone(entry.run_id):
                return entry.run_id, entry
            if asyncio.get_running_loop().time() >= wait_until:
                message = f"Another run has been buying {self.shot.label} for {self.studio.job_timeout_seconds:g} s."
                raise JobTimedOut(message, provider=self.shot.provider)
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            entry = await self._ledger.get(self.shot.key) or entry
        return None, entry

    async def _takes_charge(self, entry: LedgerEntry) -> bool:
        """Makes this run the one that finds out what became of a shot; of many that wait, one."""
        own = self.studio.run.run_id
        return await self._ledger.take_charge(self.shot.key, entry.attempt, own, from_run_id=entry.run_id)

    async def _send(self, entry: LedgerEntry, handles: tuple[str, ...]) -> Ticket:
        """Sends a shot that is ours: the ledger knows of it before the provider, and of its job before anyone else."""
        await self.account.provider.wait_for_turn()
        if self.studio.halted_by is not None:
            await self._ledger.release(self.shot.key, entry.attempt, None, "The run had to stop before it was sent.")
            raise NotStarted(f"Not bought, because the run had to stop. {self.studio.halted_by}")
        return await unbroken(self._submit(entry, handles))

    async def _submit(self, entry: LedgerEntry, handles: tuple[str, ...]) -> Ticket:
        sent = await self._ledger.mark_sending(self.shot.key, entry.attempt)
        try:
            ticket = await self.account.provider.submit(self.shot.request, handles)
        except (NothingAccepted, BriefError) as error:
            await self._ledger.release(self.shot.key, entry.attempt, type(error).__name__, str(error))
            raise
        except OutcomeUnknown:
            self.was_bought = True
            return await find_or_lose(self.shot, sent, self.studio, handles)
        self.was_bought = True
        await self._note(entry, ticket)
        return ticket

    async def _note(self, entry: LedgerEntry, ticket: Ticket) -> None:
        """Writes the job down, before anything else happens.

        Raises:
            IllegalTransition: The shot became another run's while this one was silent, and has another job by now.
        """
        try:
            self._sent = await self._ledger.mark_running(self.shot.key, entry.attempt, ticket.job_id, ticket.billed)
        except IllegalTransition:  # this process slept for longer than its lease, and another run found its job
            now = await self._ledger.get(self.shot.key)
            if now is None or now.job_id != ticket.job_id:
                raise

    def _told_before(self, entry: LedgerEntry) -> JobFailed:
        return JobFailed(
            f"{entry.error_message or 'It failed'} (in an earlier run; it would fail again)",
            retryable=False,
            provider=self.shot.provider,
            code=entry.error_code,
            job_id=entry.job_id,
        )

    async def _running(self) -> LedgerEntry | None:
        """Returns the entry if it is still open; a second worker may have closed it already."""
        if self._sent is not None:
            return self._sent
        entry = await self._ledger.get(self.shot.key)
        return entry if entry is not None and entry.state is ShotState.RUNNING else None


async def _was_first(closing: Awaitable[LedgerEntry]) -> bool:
    """Closes a shot that was open a moment ago; False where another worker, which collected it too, was faster."""
    try:
        await closing
    except IllegalTransition:
        return False
    return True
