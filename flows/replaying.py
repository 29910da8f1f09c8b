"""Rebuilds the request that made an image, and makes it again where that is wanted: a second picture, bought once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import BriefError, SetupError
from blocks.provider import Frozen, Money
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for
from flows.archives import existing_archive
from flows.history import keep_history
from flows.inputs import ArchiveInput, BudgetInput
from flows.opening import DEFAULT_CURRENCY, DEFAULT_EDITION
from flows.runnable import runnable
from flows.showing import find
from flows.stages import make_pictures
from flows.unwanted import end_if_unwanted
from tasks.edition_file import put_verdicts
from tasks.models import Cost, Failure, ImageRecord, Shot
from tasks.replay import Comparison, compare, replay_campaign, shot_of, verdict_on
from tasks.studio import Studio, open_studio

JOB_TIMEOUT_SECONDS = 900.0
"""As long as a campaign waits, unless its brief says otherwise."""


class Request(Frozen):
    """The request that made an image, rebuilt from its record."""

    record: ImageRecord
    shot: Shot

    @property
    def is_exact(self) -> bool:
        """Whether it is, to the letter, what was bought then: its key is the one in the record."""
        return self.shot.key == self.record.shot_key


class Replayed(Frozen):
    """What came of making an image again."""

    original: ImageRecord
    edition: str
    images: tuple[Comparison, ...]
    failures: tuple[Failure, ...]
    bought: int
    cost: Cost


async def request_of(
    image: str, archive: ImageArchive | Path | str | None = None, *, may_be_saved: bool = True
) -> Request:
    """Rebuilds the request that made an image. Buys nothing.

    Args:
        image: Its SHA-256, how that begins, or a file; as in `show`.
        archive: The archive, its folder or its saved block; found as in `campaign` if left out.
        may_be_saved: Whether the saved default may be meant where nothing is named.

    Raises:
        BriefError: The archive has no such image.
        SetupError: There is no archive.
    """
    async with (await existing_archive(archive, may_be_saved=may_be_saved)).open(for_reading=True) as opened:
        record = await find(image, opened)
    return Request(record=record, shot=shot_of(record))


async def price_of(
    request: Request,
    archive: ImageArchive | Path | str | None = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> Money | None:
    """Says what making an image again would cost; None where nobody knows. Buys nothing.

    Raises:
        SetupError: Credentials are missing.
    """
    async with _studio(request.record, DEFAULT_EDITION, None, archive, scenario, sunra) as studio:
        account = studio.account(request.record.provider)
        handles = await account.handles(request.shot.request.references, studio.archive.store)
        return await account.price(request.shot.request, handles)


def refuse_itself(request: Request, edition: str) -> None:
    """Makes sure that a replay would be another picture than the one that is replayed.

    Raises:
        BriefError: The image is itself the replay of this edition.
    """
    if request.record.again == edition:
        raise BriefError(f"This image is itself the replay of edition {edition!r}: name another edition.")


@runnable(name="replay", flow_run_name="replay {image} · edition {edition}")
async def replay(
    image: str,
    edition: str = DEFAULT_EDITION,
    budget: BudgetInput = None,
    archive: ArchiveInput = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
) -> Replayed:
    """Makes an image again from its very request, and compares the two. It costs one picture.

    The campaign that the image belongs to is not touched: what comes is archived as a repeat of the image, in a
    campaign of its own. The provider may have changed its model meanwhile, so it may look otherwise.

    Args:
        image: Its SHA-256, how that begins, or a file.
        edition: The same edition buys nothing twice; another one makes the image once more.
        budget: What it may cost, in USD.
        archive: Where it is. If left out: the saved block named default, or the folder named archive.
        scenario: Credentials of Scenario; the saved block named default if left out.
        sunra: Credentials of Sunra; the saved block named default if left out.

    Raises:
        BriefError: The archive has no such image; nothing was bought.
        SetupError: There is no archive, or credentials are missing; nothing was bought.
        BudgetExhausted: It would cost more than it may; nothing was bought.
    """
    request = await request_of(image, archive, may_be_saved=scenario is None and sunra is None)
    refuse_itself(request, edition)
    async with _studio(request.record, edition, budget, archive, scenario, sunra) as studio:
        shot = request.shot.model_copy(update={"again": edition})
        made = await make_pictures([shot], studio)
        if studio.halted_by is not None:
            raise studio.halted_by
        compared = tuple(compare(request.record, each) for each in made.images)
        await _archive(request.record, shot, compared, studio)
        replayed = Replayed(
            original=request.record,
            edition=edition,
            images=compared,
            failures=made.failures,
            bought=made.bought,
            cost=studio.spent,
        )
    await keep_history()
    return replayed


async def _archive(original: ImageRecord, shot: Shot, compared: tuple[Comparison, ...], studio: Studio) -> None:
    run, archive = studio.run, studio.archive
    repeats = [verdict_on(original, each) for each in compared if not each.has_same_bytes]
    await archive.catalogue.add_members(run.campaign, run.edition, [(shot.key, shot.position, shot.step)])
    await put_verdicts(run.campaign, run.edition, repeats, archive)


@asynccontextmanager
async def _studio(
    record: ImageRecord,
    edition: str,
    budget: Decimal | None,
    archive: ImageArchive | Path | str | None,
    scenario: ScenarioCredentials | None,
    sunra: SunraCredentials | None,
) -> AsyncIterator[Studio]:
    await end_if_unwanted()
    async with open_studio(
        await existing_archive(archive, may_be_saved=scenario is None and sunra is None),
        await credentials_for([record.provider], scenario, sunra),
        campaign=replay_campaign(record),
        edition=edition,
        budget=None if budget is None else Money(amount=budget, unit=DEFAULT_CURRENCY),
        resubmit_lost=False,
        job_timeout_seconds=JOB_TIMEOUT_SECONDS,
    ) as studio:
        if studio.account(record.provider).sandbox != record.sandbox:
            where = "on the sandbox" if record.sandbox else "at the real provider"
            raise SetupError(f"The image was made {where}: to make it again elsewhere would be another request.")
        yield studio
