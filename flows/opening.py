"""How a flow begins and ends: credentials, references, archive and accounts at first, and its history at last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import KleinbildError
from blocks.provider import Money
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for
from flows.archives import archive_for
from flows.editions import edition_of, meant_to_start
from flows.events import tell_failure
from flows.history import keep_history
from flows.naming import label_run
from flows.unwanted import end_if_unwanted
from tasks.brief import RevisionBrief
from tasks.references import References, keep_references, read_references
from tasks.report.live import live_report
from tasks.studio import Studio, open_studio

DEFAULT_EDITION = "1"
DEFAULT_CURRENCY = "USD"


@asynccontextmanager
async def opened(
    brief: RevisionBrief,
    archive: ImageArchive | Path | str | None,
    *,
    edition: str,
    budget: Decimal | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> AsyncIterator[tuple[Studio, References]]:
    """Opens all that a brief needs; what is missing is refused before anything is bought.

    Raises:
        BriefError: A reference cannot be read.
        SetupError: Credentials are missing, or the archive cannot be used.
    """
    await end_if_unwanted()
    credentials = await credentials_for(brief.providers, scenario, sunra)
    read = await read_references(brief)
    async with open_studio(
        await archive_for(archive, brief, may_be_saved=scenario is None and sunra is None),
        credentials,
        campaign=brief.name,
        edition=edition_of(edition, meant_to_start()),
        budget=brief.budget if budget is None else Money(amount=budget, unit=_unit(brief)),
        resubmit_lost=brief.on_lost == "resubmit",
        job_timeout_seconds=brief.job_timeout_seconds,
    ) as studio:
        references = await keep_references(read, studio.archive.store)
        is_sandbox = any(studio.account(name).sandbox for name in brief.providers)
        await label_run(studio.run.campaign, studio.run.edition, sandbox=is_sandbox)
        try:
            async with live_report(studio.tally):
                yield studio, references
        except KleinbildError as error:  # a run that stopped for a reason has a history too
            tell_failure(error, studio.run)
            await keep_history()
            raise
        await keep_history()


def _unit(brief: RevisionBrief) -> str:
    return brief.budget.unit if brief.budget else DEFAULT_CURRENCY
