"""Archived images -> further edits: the same chain as in a campaign, begun from pictures that exist."""

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.inputs import ArchiveInput, BudgetInput, RevisionInput
from flows.opening import DEFAULT_EDITION, opened
from flows.runnable import runnable
from flows.stages import conclude, edit_chain
from tasks.archive import find_image
from tasks.estimate import estimate
from tasks.models import CampaignResult
from tasks.plan import check_edits


@runnable(name="revise")
async def revise(
    images: list[str],
    brief: RevisionInput,
    edition: str = DEFAULT_EDITION,
    review: bool = False,
    budget: BudgetInput = None,
    archive: ArchiveInput = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> CampaignResult:
    """Edits images of an archive further, and archives the results with their lineage.

    Args:
        images: SHA-256 of each image, or how it begins.
        brief: What to make of them. In Python: a model, or the path of its YAML file.
        edition: The same edition changes nothing when it runs again; another one draws other seeds.
        review: Stop before each further edit, and ask a person what to keep.
        budget: What this edition may cost, in the unit of the brief's budget (USD if it has none).
        archive: Where the images are, and where the new ones go; found as in `campaign`.
        scenario: Credentials of Scenario; the saved block named `default` if left out.
        sunra: Credentials of Sunra; the saved block named `default` if left out.

    Raises:
        BriefError: An image is not in the archive, or the edits cannot work; nothing was bought.
    """
    async with opened(brief, archive, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (
        studio,
        references,
    ):
        parents = tuple([await find_image(name, studio.archive.catalogue) for name in images])
        check_edits(brief, studio)
        await estimate(brief, (), len(parents), studio)
        shots, edited = await edit_chain(brief, parents, references, studio)
        return await conclude(brief, shots, edited, references, studio)
