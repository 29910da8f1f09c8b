"""Questions to an archive and to a brief that need no flow run: what would it make, and where does this come from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from blocks.archive.block import ImageArchive
from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import object_key
from blocks.archive.ledger import ShotState
from blocks.errors import BriefError
from blocks.provider import Frozen
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.archives import archive_for, existing_archive, is_made
from flows.campaign import plan
from flows.opening import DEFAULT_EDITION, opened
from tasks.archive import find_image
from tasks.brief import Brief
from tasks.estimate import Estimate
from tasks.expand import count_combinations, expand
from tasks.models import ImageRecord, Prompt, sha256_of


class Plan(Frozen):
    """What a brief would make, before anything is bought."""

    title: str
    prompts: tuple[Prompt, ...]
    combinations: int
    estimate: Estimate
    already_made: int


class Provenance(Frozen):
    """Where an image comes from."""

    record: ImageRecord
    verdicts: tuple[VerdictRow, ...]
    edits: tuple[str, ...]
    file: str


async def plan_of(
    brief: Brief,
    archive: ImageArchive | Path | str | None = None,
    edition: str = DEFAULT_EDITION,
    budget: Decimal | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> Plan:
    """Plans and prices a brief against what the archive already has. Buys nothing.

    To be priced, references are stored in the archive and given to the provider; both are free.

    Raises:
        BriefError: The brief cannot work.
        SetupError: Credentials or a price are missing.
    """
    async with (
        _never_made(await archive_for(archive, brief, may_be_saved=scenario is None and sunra is None)) as block,
        opened(brief, block, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (studio, references),
    ):
        prompts = expand(brief)
        shots, estimated = await plan(brief, prompts, references, studio)
        entries = await studio.archive.ledger.find(shot.key for shot in shots)
        return Plan(
            title=brief.shown_title,
            prompts=prompts,
            combinations=count_combinations(brief),
            estimate=estimated,
            already_made=sum(entry.state is ShotState.DONE for entry in entries.values()),
        )


async def show(image: str, archive: ImageArchive | Path | str | None = None) -> Provenance:
    """Tells where an image comes from.

    Args:
        image: Its SHA-256, how that begins, or the path of a file with its bytes.
        archive: The archive, its folder or its saved block; found as in `campaign` if left out.

    Raises:
        BriefError: The archive has no such image.
        SetupError: There is no archive.
    """
    name = await asyncio.to_thread(_digest_of, Path(image)) or image
    async with (await existing_archive(archive)).open() as opened_archive:
        catalogue = opened_archive.catalogue
        record = await find_image(name, catalogue)
        return Provenance(
            record=record,
            verdicts=await catalogue.verdicts_for(record.sha256),
            edits=tuple(child.sha256 for child in await catalogue.children_of(record.sha256)),
            file=f"{opened_archive.root}/{object_key(record.sha256)}",
        )


def _digest_of(path: Path) -> str | None:
    try:
        return sha256_of(path.read_bytes()) if path.is_file() else None
    except OSError as error:
        raise BriefError(f"{path} cannot be read: {error.strerror}.") from error


@asynccontextmanager
async def _never_made(block: ImageArchive) -> AsyncIterator[ImageArchive]:
    """Plans against an empty archive that is thrown away, where the one that is named does not exist yet."""
    if is_made(block):
        yield block
        return
    with TemporaryDirectory(prefix="kleinbild-plan-") as folder:
        yield ImageArchive(root=folder)
