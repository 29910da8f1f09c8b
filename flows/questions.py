"""The question to a brief that needs no flow run: what would it make, and what would that cost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import ShotState
from blocks.provider import Frozen
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.archives import archive_for
from flows.campaign import plan
from flows.opening import DEFAULT_EDITION, opened
from tasks.brief import Brief
from tasks.estimate import Estimate
from tasks.expand import count_combinations, expand
from tasks.models import Prompt


class Plan(Frozen):
    """What a brief would make, before anything is bought."""

    title: str
    prompts: tuple[Prompt, ...]
    combinations: int
    estimate: Estimate
    already_made: int


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


@asynccontextmanager
async def _never_made(block: ImageArchive) -> AsyncIterator[ImageArchive]:
    """Plans against an empty archive that is thrown away, where the one that is named does not exist yet."""
    if await block.is_made():
        yield block
        return
    with TemporaryDirectory(prefix="kleinbild-plan-") as folder:
        yield ImageArchive(root=folder)
