"""Archived images -> further edits: the same chain as in a campaign, begun from pictures that exist."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.opening import DEFAULT_EDITION, opened
from flows.runnable import runnable
from flows.stages import conclude, edit_chain
from tasks.archive import find_image
from tasks.brief import RevisionBrief
from tasks.brief_reading import load_revision
from tasks.estimate import estimate
from tasks.models import CampaignResult
from tasks.plan import check_edits


@runnable(name="revise")
async def revise(
    images: Sequence[str],
    brief: RevisionBrief | Path,
    archive: ImageArchive | Path | None = None,
    edition: str = DEFAULT_EDITION,
    budget: Decimal | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> CampaignResult:
    """Edits images of an archive further, and archives the results with their lineage.

    Args:
        images: SHA-256s, or prefixes of them that name one image each.
        brief: The edits, as a model or the path of a YAML file.
        archive: Where the images are, and where the new ones go.
        edition: As in `campaign`.
        budget: As in `campaign`.
        scenario: As in `campaign`.
        sunra: As in `campaign`.

    Raises:
        BriefError: An image is not in the archive, or the edits cannot work; nothing was bought.
    """
    document = load_revision(brief)
    async with opened(document, archive, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (
        studio,
        references,
    ):
        parents = tuple([await find_image(name, studio.archive.catalogue) for name in images])
        check_edits(document, studio)
        await estimate(document, (), len(parents), studio)
        shots, edited = await edit_chain(document, parents, references, studio)
        return await conclude(document, shots, edited, references, studio)
