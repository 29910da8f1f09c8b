"""The main flow: from a brief to an archive.

brief -> prompts -> shots -> pictures -> verdicts -> edits of the keepers -> verdicts -> archive -> contact sheet
"""

from collections.abc import Sequence

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.inputs import ArchiveInput, BriefInput, BudgetInput
from flows.opening import DEFAULT_EDITION, opened
from flows.runnable import runnable
from flows.stages import conclude, edit_chain, judge_images, make_pictures
from tasks.brief import Brief
from tasks.estimate import Estimate, estimate
from tasks.expand import expand_prompts
from tasks.models import CampaignResult, ImageRecord, Made, Prompt, Shot
from tasks.plan import check_edits, plan_generation
from tasks.references import References
from tasks.studio import Studio


@runnable(name="campaign")
async def campaign(
    brief: BriefInput,
    edition: str = DEFAULT_EDITION,
    review: bool = False,
    budget: BudgetInput = None,
    archive: ArchiveInput = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> CampaignResult:
    """Makes the pictures of a brief, keeps the distinct ones apart from the repeats, and archives all of them.

    Running it again buys nothing that it has bought before.

    Args:
        brief: What to make. In Python: a brief, or the path of its YAML file.
        edition: The same edition changes nothing when it runs again; another one draws other seeds. `daily`, `hourly`,
            `weekly` and `monthly` follow the time that the run is scheduled for, `daily@Europe/Berlin` by its clock.
        review: Stop after generation and before each further edit, and ask a person what to keep.
        budget: What this edition may cost, in the unit of the brief's budget (USD if it has none).
        archive: Where to keep the images. If left out: what the brief names, the saved block named `default`, or the
            folder `archive`. In Python a folder does as well.
        scenario: Credentials of Scenario; the saved block named `default` if left out.
        sunra: Credentials of Sunra; the saved block named `default` if left out.

    Raises:
        BriefError: The brief cannot work; nothing was bought.
        SetupError: Credentials or a price are missing; nothing was bought.
        ProviderError: The provider refuses the account. What was bought before is archived.
    """
    async with opened(brief, archive, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (
        studio,
        references,
    ):
        prompts = await expand_prompts(brief)
        shots, _ = await plan(brief, prompts, references, studio)
        studio.tally.change(stage="generating")
        generated = await make_pictures(shots, studio)
        parents = await _to_edit(brief, generated, studio)
        edit_shots, edited = await edit_chain(brief, parents, references, studio)
        return await conclude(brief, shots + edit_shots, generated + edited, references, studio)


async def plan(
    brief: Brief, prompts: Sequence[Prompt], references: References, studio: Studio
) -> tuple[tuple[Shot, ...], Estimate]:
    """Plans and prices a campaign, and refuses what cannot work or be paid, before anything is bought."""
    shots = plan_generation(brief, prompts, references, studio)
    check_edits(brief, studio)
    return shots, await estimate(brief, shots, len(shots) * brief.generate.outputs, studio)


async def _to_edit(brief: Brief, generated: Made, studio: Studio) -> tuple[ImageRecord, ...]:
    """Picks the pictures that are worth an edit: no repeats, unless the brief wants all."""
    if not brief.edits or brief.edit == "all":
        return generated.images
    verdicts = await judge_images(brief, generated, studio)
    kept = {verdict.sha256 for verdict in verdicts if verdict.kind == "keeper"}
    return tuple(image for image in generated.images if image.sha256 in kept)
