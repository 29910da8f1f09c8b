"""Finds the job of a submit whose answer nobody got, where the provider has a list to look in. Design, section 4."""

import asyncio

from blocks.archive.ledger import LedgerEntry, ShotState
from blocks.errors import JobTaken, OutcomeUnknown, ProviderUnavailable
from blocks.provider import Ticket
from tasks.models import Shot
from tasks.studio import Studio

SEARCH_DELAYS_SECONDS = (0.0, 2.0, 5.0)
"""A job whose answer was lost may take a moment to appear in the provider's list."""

_LOST = (
    "{provider} was asked for this shot and its answer was lost. It may have been bought and cannot be found, so its "
    "price stays counted and it is not asked again. `on_lost: resubmit` in the brief would."
)


async def find_or_lose(shot: Shot, entry: LedgerEntry, studio: Studio, handles: tuple[str, ...] = ()) -> Ticket:
    """Adopts the job of a shot that was sent, or gives it up as lost.

    Args:
        shot: The shot.
        entry: It in the ledger, as this run's own.
        studio: The open account and ledger.
        handles: The references as they were sent; empty where another run sent them, under handles of its own.

    Raises:
        OutcomeUnknown: It cannot be found: its money stays counted.
        ProviderUnavailable: Nobody could look; it stays as it is, for a later run.
    """
    ticket = await _find(shot, entry, studio, handles)
    if ticket is not None:
        return ticket
    message = _LOST.format(provider=shot.provider)
    if entry.state is not ShotState.LOST:
        await studio.archive.ledger.mark_lost(shot.key, entry.attempt, message)
    raise OutcomeUnknown(message, provider=shot.provider)


async def _find(shot: Shot, entry: LedgerEntry, studio: Studio, handles: tuple[str, ...]) -> Ticket | None:
    """Looks a few times: the list may be late, or away for a moment."""
    provider = studio.account(shot.provider).provider
    unread: ProviderUnavailable | None = None
    for delay_seconds in SEARCH_DELAYS_SECONDS if provider.capabilities.finds_lost_jobs else ():
        await asyncio.sleep(delay_seconds)
        try:
            tickets = await provider.find_lost(shot.request, handles, entry.sent_at or entry.updated_at)
        except ProviderUnavailable as error:
            unread = error
            continue
        unread = None
        for ticket in tickets:
            if await _adopts(shot, entry, ticket, studio):
                return ticket
    if unread is not None:
        raise unread
    return None


async def _adopts(shot: Shot, entry: LedgerEntry, ticket: Ticket, studio: Studio) -> bool:
    try:
        await studio.archive.ledger.adopt(shot.key, entry.attempt, ticket.job_id)
    except JobTaken:  # a job that was asked for the same, and is another shot's or an earlier attempt's
        return False
    return True
