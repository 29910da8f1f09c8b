"""The stages that flows share: making the pictures of many shots, and judging them.

Tasks are called from here, never from inside another task: a task that is nested in another is not durable before the
outer one ends, and a submit must be.
"""

import asyncio
from collections.abc import Sequence

from blocks.archive.ledger import LedgerEntry, ShotState
from blocks.errors import (
    AccountRefused,
    ArchiveError,
    BadPicture,
    BudgetExhausted,
    JobFailed,
    JobTimedOut,
    KleinbildError,
    LinkExpired,
    NotStarted,
    OutcomeUnknown,
    SetupError,
)
from tasks.archive import archived_images
from tasks.generate import collect, submit
from tasks.models import Failure, Made, Shot
from tasks.studio import Studio

ENDS_THE_RUN = (AccountRefused, BudgetExhausted, SetupError, ArchiveError)
"""What no further shot could escape: buying stops at once, with one message."""

BOUGHT_IN_VAIN = (BadPicture, JobFailed, JobTimedOut, LinkExpired, OutcomeUnknown)
"""Failures of shots that a provider has accepted, or may have."""


async def make_pictures(shots: Sequence[Shot], studio: Studio) -> Made:
    """Makes the pictures of many shots at once, each bought once; a shot that fails does not stop the others.

    What the archive has already starts no task. Shots of equal key are one shot.
    """
    unique = list({shot.key: shot for shot in shots}.values())
    entries = await studio.archive.ledger.find(shot.key for shot in unique)
    done = (entry for entry in entries.values() if entry.state is ShotState.DONE)
    reused = await archived_images(done, studio.archive.catalogue)
    studio.tally.change(planned=len(unique), reused=len(reused))
    made = await asyncio.gather(
        *(_make(shot, entries.get(shot.key), studio) for shot in unique if shot.key not in reused)
    )
    by_key = {**{key: Made(images=images, reused=1) for key, images in reused.items()}, **dict(made)}
    return sum((by_key[shot.key] for shot in unique), Made())


async def _make(shot: Shot, entry: LedgerEntry | None, studio: Studio) -> tuple[str, Made]:
    async with studio.account(shot.provider).slots:
        if studio.halted_by is not None:
            return shot.key, Made(failures=(_not_started(shot, studio.halted_by),))
        with studio.tally.running():
            return shot.key, await _buy_and_collect(shot, entry, studio)


async def _buy_and_collect(shot: Shot, entry: LedgerEntry | None, studio: Studio) -> Made:
    attempt = 0 if entry is None else entry.attempt
    was_running = entry is not None and entry.state is ShotState.RUNNING
    try:
        ticket = await submit(shot, studio, attempt)
        collected = await collect(shot, ticket, studio, attempt)
    except KleinbildError as error:
        if isinstance(error, ENDS_THE_RUN):
            studio.halt(error)
        studio.tally.change(failed=1)
        return Made(failures=(_failure(shot, error),), bought=int(isinstance(error, BOUGHT_IN_VAIN)))
    studio.tally.change(made=1)
    return Made(images=collected.images, bought=int(not was_running))


def _failure(shot: Shot, error: KleinbildError) -> Failure:
    return Failure(
        shot_key=shot.key, prompt=shot.prompt.text, step=shot.step, kind=type(error).__name__, message=str(error)
    )


def _not_started(shot: Shot, halted_by: KleinbildError) -> Failure:
    return _failure(shot, NotStarted(f"Not bought, because the run had to stop. {halted_by}"))
