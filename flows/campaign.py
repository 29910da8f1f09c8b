"""The main flow: from a brief to an archive.

brief -> prompts -> shots -> pictures -> verdicts -> edits of the keepers -> verdicts -> archive -> contact sheet
"""

from collections.abc import Sequence

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.asking import refuse_unless_askable
from flows.editing import edit_chain
from flows.inputs import ArchiveInput, BriefInput, BudgetInput
from flows.naming import campaign_run_name
from flows.opening import DEFAULT_EDITION, opened
from flows.review import ReviewDesk
from flows.rounds import make_rounds
from flows.runnable import runnable
from flows.stages import conclude, make_pictures
from tasks.brief import Brief
from tasks.estimate import Estimate, estimate
from tasks.expand import expand_prompts
from tasks.models import CampaignResult, Production, Prompt, Shot
from tasks.plan import check_edits, plan_generation
from tasks.references import References
from tasks.review import policy_of
from tasks.run_log import log_begin
from tasks.studio import Studio


@runnable(name="campaign", flow_run_name=campaign_run_name)
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

    In Python, a brief may also be the path of its YAML file, and an archive the path of its folder.

    Args:
        brief: What to make.
        edition: The same edition changes nothing when it runs again; another one draws other seeds. Write daily,
            hourly, weekly or monthly to follow the time that it is scheduled for, daily@Europe/Berlin by its clock.
        review: Stop after generation and before each further edit, and ask a person what to keep.
        budget: What this edition may cost, in the unit of the brief's budget (USD if it has none).
        archive: Where to keep the images. If left out: what the brief names, the saved block named default, or the
            folder named archive.
        scenario: Credentials of Scenario; the saved block named default if left out.
        sunra: Credentials of Sunra; the saved block named default if left out.

    Raises:
        BriefError: The brief cannot work; nothing was bought.
        SetupError: Credentials or a price are missing, or there is nobody to ask for a review; nothing was bought.
        ReviewTimedOut: Nobody answered in time. What was bought before is archived.
        ProviderError: The provider refuses the account. What was bought before is archived.
    """
    policy = policy_of(brief, is_wanted=review)
    refuse_unless_askable(policy)
    async with opened(brief, archive, edition=edition, budget=budget, scenario=scenario, sunra=sunra) as (
        studio,
        references,
    ):
        prompts = await expand_prompts(brief)
        shots, priced = await plan(brief, prompts, references, studio)
        log_begin(brief.shown_title, priced, studio)
        studio.tally.change(stage="generating", expected=priced.shots)
        generated = await _generate(brief, prompts, shots, references, studio)
        desk = ReviewDesk(brief, policy, references, studio)
        so_far, parents = await desk.review(Production(), generated, step=0)
        so_far = await edit_chain(brief, so_far, parents, references, studio, desk)
        return await conclude(brief, so_far, references, studio)


async def _generate(
    brief: Brief, prompts: Sequence[Prompt], shots: tuple[Shot, ...], references: References, studio: Studio
) -> Production:
    if brief.target_unique is not None:
        return await make_rounds(brief, brief.target_unique, prompts, references, studio)
    return Production(shots=shots, made=await make_pictures(shots, studio))


async def plan(
    brief: Brief, prompts: Sequence[Prompt], references: References, studio: Studio
) -> tuple[tuple[Shot, ...], Estimate]:
    """Plans and prices a campaign, and refuses what cannot work or be paid, before anything is bought.

    With a target, these are the shots of all prompts that its rounds may come to; they buy what they need of them.
    """
    shots = plan_generation(brief, prompts, references, studio)
    check_edits(brief, studio)
    return shots, await estimate(brief, shots, len(shots) * brief.generate.outputs, studio)
