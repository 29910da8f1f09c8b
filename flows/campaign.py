"""The main flow: from a brief to an archive.

brief -> prompts -> shots -> pictures -> verdicts -> edits of the keepers -> verdicts -> archive -> contact sheet
"""

from decimal import Decimal
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import BudgetExhausted
from blocks.provider import Money
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for, providers_of
from flows.history import keep_history
from flows.runnable import runnable
from flows.stages import make_pictures
from tasks.account import Account
from tasks.archive import archive as archive_images
from tasks.archive import keepers_of_others
from tasks.brief import Brief, load_brief
from tasks.dedupe import dedupe
from tasks.edit import plan_edits
from tasks.expand import expand_prompts
from tasks.models import CampaignResult, ImageRecord, Made, Shot, Verdict
from tasks.plan import check_edits, estimate, plan_generation
from tasks.references import References, keep_references, read_references
from tasks.report.task import publish_report
from tasks.studio import Studio, open_studio

DEFAULT_ARCHIVE = "archive"
DEFAULT_EDITION = "1"


@runnable(name="campaign")
async def campaign(
    brief: Brief | Path,
    archive: ImageArchive | Path | None = None,
    edition: str = DEFAULT_EDITION,
    budget: Decimal | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> CampaignResult:
    """Makes the pictures of a brief, keeps the distinct ones apart from the repeats, and archives all of them.

    Running it again buys nothing that it has bought before.

    Args:
        brief: A brief, or the path of its YAML file.
        archive: Where to keep the images: a block, or a folder. The brief's own archive, or `archive`, if left out.
        edition: Another edition of a campaign draws other seeds; the same edition changes nothing.
        budget: What the campaign may cost, in the unit of the brief's budget (USD if it has none).
        scenario: Credentials; the saved block named `default` if left out.
        sunra: Likewise.

    Raises:
        BriefError: The brief cannot work; nothing was bought.
        SetupError: Credentials or a price are missing; nothing was bought.
        ProviderError: The provider refuses the account. What was bought before is archived.
    """
    document = load_brief(brief)
    limit = document.budget if budget is None else _budget(document, budget)
    credentials = await credentials_for(providers_of(document), scenario, sunra)
    read = await read_references(document)
    async with open_studio(
        archive_block(archive, document),
        credentials,
        campaign=document.name,
        edition=edition,
        budget=limit,
        resubmit_lost=document.on_lost == "resubmit",
        job_timeout_seconds=document.job_timeout_seconds,
    ) as studio:
        references = await keep_references(read, studio.archive.store)
        result = await _run(document, references, studio)
        await keep_history()
        if studio.halted_by is not None and not isinstance(studio.halted_by, BudgetExhausted):
            raise studio.halted_by
        return result


async def _run(brief: Brief, references: References, studio: Studio) -> CampaignResult:
    shots = await plan(brief, references, studio)
    studio.tally.change(stage="generating")
    made = await make_pictures(shots, studio)
    verdicts = await _judge(made.images, brief, studio)
    for number in range(1, len(brief.edits) + 1):
        parents = _to_edit(brief, made, verdicts, number)
        account = studio.account(brief.edits[number - 1].provider)
        edits = plan_edits(brief, number, parents, references, account, studio.run.edition)
        studio.tally.change(stage=f"edit {number}")
        made += await make_pictures(edits, studio)
        shots += edits
    verdicts = await _judge(made.images, brief, studio)
    studio.tally.change(stage="archiving")
    await archive_images(shots, verdicts, studio)
    contact_sheet = await publish_report(brief.shown_title, made, verdicts, references, studio)
    return CampaignResult(
        campaign=studio.run.campaign,
        edition=studio.run.edition,
        archive=str(studio.archive.root),
        images=made.images,
        verdicts=verdicts,
        failures=made.failures,
        bought=made.bought,
        reused=made.reused,
        cost=studio.spent,
        contact_sheet=contact_sheet,
    )


async def plan(brief: Brief, references: References, studio: Studio) -> tuple[Shot, ...]:
    """Plans the generated pictures, and refuses what cannot work or be paid, before anything is bought."""
    prompts = await expand_prompts(brief)
    account: Account = studio.account(brief.generate.provider)
    shots = plan_generation(brief, prompts, references, account, studio.run.edition)
    accounts = {name: studio.account(name) for name in providers_of(brief)}
    check_edits(brief, references, accounts)
    await estimate(brief, shots, accounts, budget=studio.budget)
    return shots


async def _judge(images: tuple[ImageRecord, ...], brief: Brief, studio: Studio) -> tuple[Verdict, ...]:
    archived = await keepers_of_others(studio) if brief.dedupe.scope == "archive" else ()
    return await dedupe(images, archived, brief.dedupe)


def _to_edit(brief: Brief, made: Made, verdicts: tuple[Verdict, ...], number: int) -> tuple[ImageRecord, ...]:
    """Picks what step `number` edits: the results of the step before; of the generated pictures only the keepers."""
    kept = {verdict.sha256 for verdict in verdicts if verdict.kind == "keeper"}
    of_step = (image for image in made.images if image.step == number - 1)
    return tuple(image for image in of_step if number > 1 or brief.edit == "all" or image.sha256 in kept)


def _budget(brief: Brief, amount: Decimal) -> Money:
    return Money(amount=amount, unit=brief.budget.unit if brief.budget else "USD")


def archive_block(archive: ImageArchive | Path | None, brief: Brief | None = None) -> ImageArchive:
    """Makes an archive of whatever names one."""
    if isinstance(archive, ImageArchive):
        return archive
    return ImageArchive(root=str(archive or (brief and brief.archive) or DEFAULT_ARCHIVE))
