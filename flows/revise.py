"""Archived images -> further edits: the same chain as in a campaign, begun from pictures that exist."""

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.asking import refuse_unless_askable
from flows.editing import edit_chain
from flows.inputs import ArchiveInput, BudgetInput, RevisionInput
from flows.naming import revise_run_name
from flows.opening import DEFAULT_EDITION, opened
from flows.review import ReviewDesk
from flows.runnable import runnable
from flows.stages import conclude
from tasks.archive import find_image
from tasks.estimate import estimate
from tasks.models import CampaignResult, Production
from tasks.plan import check_edits
from tasks.review import policy_of
from tasks.run_log import log_begin


@runnable(name="revise", flow_run_name=revise_run_name)
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

    In Python, a brief may also be the path of its YAML file, and an archive the path of its folder.

    Args:
        images: SHA-256 of each image, or how it begins.
        brief: What to make of them.
        edition: The same edition changes nothing when it runs again; another one draws other seeds.
        review: Stop before each further edit, and ask a person what to keep.
        budget: What this edition may cost, in the unit of the brief's budget (USD if it has none).
        archive: Where the images are, and where the new ones go. If left out: what the brief names, the saved block
            named default, or the folder named archive.
        scenario: Credentials of Scenario; the saved block named default if left out.
        sunra: Credentials of Sunra; the saved block named default if left out.

    Raises:
        BriefError: An image is not in the archive, or the edits cannot work; nothing was bought.
        SetupError: Credentials are missing, or there is nobody to ask for a review; nothing was bought.
        ReviewTimedOut: Nobody answered in time. What was bought before is archived.
    """
    policy = policy_of(brief, is_wanted=review)
    refuse_unless_askable(policy)
    async with opened(brief, archive, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (
        studio,
        references,
    ):
        parents = tuple([await find_image(name, studio.archive.catalogue) for name in images])
        check_edits(brief, studio)
        priced = await estimate(brief, (), len(parents), studio)
        log_begin(brief.shown_title, priced, studio)
        studio.tally.change(expected=priced.shots)
        desk = ReviewDesk(brief, policy, references, studio)
        edited = await edit_chain(brief, Production(), parents, references, studio, desk)
        return await conclude(brief, edited, references, studio)
