"""Reconciles what runs that are gone have left open with the providers.

A campaign does the same for its own shots whenever it is run again; this is for those that nobody runs again.
"""

import asyncio
from itertools import groupby

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import LedgerEntry
from blocks.errors import ArchiveError, KleinbildError, SetupError
from blocks.provider import Frozen, ProviderName
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for
from flows.archives import archive_if_any
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.attempts import attempt_after
from tasks.generate import collect
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.studio import Studio, open_studio

JOB_TIMEOUT_SECONDS = 900.0


class Reconciled(Frozen):
    """What became of one shot that had been left open."""

    shot_key: str
    campaign: str
    edition: str
    provider: ProviderName
    was: str
    now: str
    note: str = ""


@runnable(name="reconcile")
async def reconcile(
    archive: ArchiveInput = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> tuple[Reconciled, ...]:
    """Finds out what became of shots that runs left open when they were killed. Buys nothing.

    Money of shots that were never sent is released; jobs whose answer was lost are looked for; jobs that are known are
    collected. What cannot be found stays `lost`, and counted. Shots of runs that are at work are left alone.

    Args:
        archive: Where the ledger is. If left out: the saved block named default, or the folder named archive.
        scenario: Credentials of Scenario; the saved block named default if left out.
        sunra: Credentials of Sunra; the saved block named default if left out.

    Raises:
        SetupError: There is no archive, or credentials are missing.
    """
    block = await archive_if_any(archive, may_be_saved=scenario is None and sunra is None)
    if block is None:
        return ()
    async with block.open() as opened:
        left = [entry for entry in await opened.ledger.open_shots() if await opened.ledger.is_gone(entry.run_id)]
    done: list[Reconciled] = []
    for (campaign, edition), entries in groupby(sorted(left, key=_edition_of), key=_edition_of):
        done += await _reconcile_edition(campaign, edition, tuple(entries), block, scenario, sunra)
    await keep_history()
    return tuple(done)


async def _reconcile_edition(
    campaign: str,
    edition: str,
    entries: tuple[LedgerEntry, ...],
    block: ImageArchive,
    scenario: ScenarioCredentials | None,
    sunra: SunraCredentials | None,
) -> list[Reconciled]:
    providers = sorted({_provider_of(entry) for entry in entries})
    async with open_studio(
        block,
        await credentials_for(providers, scenario, sunra),
        campaign=campaign,
        edition=edition,
        budget=None,
        resubmit_lost=False,
        job_timeout_seconds=JOB_TIMEOUT_SECONDS,
    ) as studio:
        return list(await asyncio.gather(*(_reconcile(entry, studio) for entry in entries)))


async def _reconcile(entry: LedgerEntry, studio: Studio) -> Reconciled:
    note = ""
    try:
        async with studio.account(_provider_of(entry)).pickups:
            await _pick_up(entry, studio)
    except KleinbildError as error:  # one shot's trouble is a note beside it, and keeps nobody from the others
        note = str(error)
    now = await studio.archive.ledger.get(entry.shot_key)
    return Reconciled(
        shot_key=entry.shot_key,
        campaign=entry.campaign,
        edition=entry.edition,
        provider=_provider_of(entry),
        was=entry.state,
        now=now.state if now is not None else entry.state,
        note=note,
    )


async def _pick_up(entry: LedgerEntry, studio: Studio) -> None:
    shot = _shot_of(entry)
    if shot.sandbox != studio.account(shot.provider).sandbox:
        raise SetupError("It was made on the sandbox." if shot.sandbox else "It was made at the real provider.")
    purchase = Purchase(shot, studio, attempt_after(entry))
    ticket = await purchase.pick_up(entry)
    if ticket is None:
        return
    try:
        await collect(purchase, ticket)
    except KleinbildError as error:
        await purchase.give_up_if_hopeless(error)
        raise


def _provider_of(entry: LedgerEntry) -> ProviderName:
    return "scenario" if entry.provider == "scenario" else "sunra"


def _edition_of(entry: LedgerEntry) -> tuple[str, str]:
    return entry.campaign, entry.edition


def _shot_of(entry: LedgerEntry) -> Shot:
    try:
        return Shot.model_validate_json(entry.request_json)
    except ValueError as error:
        raise ArchiveError(f"The ledger's request of shot {entry.shot_key[:12]} cannot be read.") from error
