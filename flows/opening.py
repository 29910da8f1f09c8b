"""How a flow begins and ends: credentials, references, archive and accounts at first, and its history at last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from blocks.archive.archive import folder_of
from blocks.archive.block import ImageArchive
from blocks.archive.layout import MANIFEST_KEY
from blocks.errors import KleinbildError, SetupError
from blocks.provider import Money
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import BLOCK_NAME, credentials_for
from flows.history import keep_history
from tasks.brief import RevisionBrief
from tasks.references import References, keep_references, read_references
from tasks.studio import Studio, open_studio

DEFAULT_ARCHIVE = "archive"
DEFAULT_EDITION = "1"
DEFAULT_CURRENCY = "USD"


@asynccontextmanager
async def opened(
    brief: RevisionBrief,
    archive: ImageArchive | Path | None,
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
    credentials = await credentials_for(brief.providers, scenario, sunra)
    read = await read_references(brief)
    uses_saved_blocks = scenario is None and sunra is None
    block = await _saved_archive(archive, brief) if uses_saved_blocks else None
    async with open_studio(
        block or archive_block(archive, brief),
        credentials,
        campaign=brief.name,
        edition=edition,
        budget=brief.budget if budget is None else Money(amount=budget, unit=_unit(brief)),
        resubmit_lost=brief.on_lost == "resubmit",
        job_timeout_seconds=brief.job_timeout_seconds,
    ) as studio:
        references = await keep_references(read, studio.archive.store)
        try:
            yield studio, references
        except KleinbildError:  # a run that stopped for a reason has a history too
            await keep_history()
            raise
        await keep_history()


def archive_block(archive: ImageArchive | Path | None, brief: RevisionBrief | None = None) -> ImageArchive:
    """Makes a block of whatever names an archive: the block itself, a folder, the brief, or the default."""
    if isinstance(archive, ImageArchive):
        return archive
    named_in_brief = None if brief is None else brief.archive
    return ImageArchive(root=str(archive or named_in_brief or DEFAULT_ARCHIVE))


async def _saved_archive(archive: ImageArchive | Path | None, brief: RevisionBrief) -> ImageArchive | None:
    """Loads the archive block named `default`, where one is saved and nothing else names an archive."""
    if archive is not None or brief.archive is not None:
        return None
    try:
        return await ImageArchive.aload(BLOCK_NAME)
    except ValueError:  # what Prefect raises when there is no such block
        return None


def existing_archive(archive: ImageArchive | Path | None) -> ImageArchive:
    """Makes a block of an archive that has to be there already.

    Raises:
        SetupError: There is none.
    """
    block = archive_block(archive)
    if not is_made(block):
        raise SetupError(f"There is no archive at {block.root}. Say where it is with --archive.")
    return block


def is_made(block: ImageArchive) -> bool:
    """Tells whether an archive is there."""
    return (folder_of(block.root) / MANIFEST_KEY).is_file()


def _unit(brief: RevisionBrief) -> str:
    return brief.budget.unit if brief.budget else DEFAULT_CURRENCY
