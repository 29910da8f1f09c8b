"""The archive's upkeep. So far: reconciling what runs that are gone have left open with the providers.

A campaign does the same for its own shots whenever it is run again; this is for those that nobody runs again.
"""

from itertools import groupby
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import LedgerEntry
from blocks.errors import ArchiveError, KleinbildError, SetupError
from blocks.provider import Frozen, ProviderName
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for
from flows.history import keep_history
from flows.opening import existing_archive
from flows.runnable import runnable
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
    archive: ImageArchive | Path | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> tuple[Reconciled, ...]:
    """Finds out what became of shots that runs left open when they were killed. Buys nothing.

    Money of shots that were never sent is released; jobs whose answer was lost are looked for; jobs that are known are
    collected. What cannot be found stays `lost`, and counted. Shots of runs that are at work are left alone.

    Args:
        archive: Where the ledger is.
        scenario: Credentials; the saved block named `default` if left out.
        sunra: Likewise.

    Raises:
        SetupError: There is no archive, or credentials are missing.
    """
    block = existing_archive(archive)
    async with block.open() as opened:
        left = [entry for entry in await opened.ledger.open_shots() if await opened.ledger.is_gone(entry.run_id)]
    done: list[Reconciled] = []
    for (campaign, edition), entries in groupby(sorted(left, key=_edition_of), key=_edition_of):
        shots = [(entry, _shot_of(entry)) for entry in entries]
        credentials = await credentials_for(sorted({shot.provider for _, shot in shots}), scenario, sunra)
        async with open_studio(
            block,
            credentials,
            campaign=campaign,
            edition=edition,
            budget=None,
            resubmit_lost=False,
            job_timeout_seconds=JOB_TIMEOUT_SECONDS,
        ) as studio:
            done += [await _reconcile(entry, shot, studio) for entry, shot in shots]
    await keep_history()
    return tuple(done)


async def _reconcile(entry: LedgerEntry, shot: Shot, studio: Studio) -> Reconciled:
    note = ""
    try:
        if shot.sandbox != studio.account(shot.provider).sandbox:
            raise SetupError("It was made on the sandbox." if shot.sandbox else "It was made at the real provider.")
        purchase = Purchase(shot, studio, attempt=entry.attempt)
        ticket = await purchase.pick_up(entry)
        if ticket is not None:
            await collect(purchase, ticket)
    except KleinbildError as error:
        note = str(error)
    now = await studio.archive.ledger.get(shot.key)
    return Reconciled(
        shot_key=shot.key,
        campaign=entry.campaign,
        edition=entry.edition,
        provider=shot.provider,
        was=entry.state,
        now=now.state if now is not None else entry.state,
        note=note,
    )


def _edition_of(entry: LedgerEntry) -> tuple[str, str]:
    return entry.campaign, entry.edition


def _shot_of(entry: LedgerEntry) -> Shot:
    try:
        return Shot.model_validate_json(entry.request_json)
    except ValueError as error:
        raise ArchiveError(f"The ledger's request of shot {entry.shot_key} cannot be read: {error}") from error
