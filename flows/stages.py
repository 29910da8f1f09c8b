"""The stages that flows share: making the pictures of many shots, judging and reporting them, and the conclusion.

Tasks are called from here, never from inside another task: a task that is nested in another is not durable before the
outer one ends, and a submit must be.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from prefect.context import FlowRunContext

from blocks.archive.ledger import LedgerEntry, ShotState
from blocks.errors import BudgetExhausted, JobFailed, KleinbildError, NotStarted
from blocks.provider import Frozen
from flows.events import tell_completed
from tasks.archive import archive, archived_images, balances_of, images_of_others, signed_anew
from tasks.attempts import attempt_after, failed_since
from tasks.blank import refuse_known_pictures
from tasks.brief import RevisionBrief
from tasks.decided import wishes_of
from tasks.decisions import decision_on
from tasks.dedupe import Wishes, dedupe
from tasks.generate import collect, submit
from tasks.models import CampaignResult, Failure, Made, Production, Shot, Verdict
from tasks.purchase import Purchase
from tasks.references import References
from tasks.report.task import publish_report
from tasks.run_log import log_failures, log_result
from tasks.studio import Studio

GRACE_SECONDS = 18.0
"""How long a run that is stopped goes on collecting what it has paid for. With the last words it is less than the 30
seconds after which Prefect's worker kills the process of a run that is cancelled."""

LAST_WORDS_SECONDS = 6.0
"""How long what is cancelled then may take to end, before its connections are closed."""


async def make_pictures(shots: Sequence[Shot], studio: Studio) -> Made:
    """Makes the pictures of many shots at once, each bought once; a shot that fails does not stop the others.

    What the archive has already starts no task. Shots of equal key are one shot.

    Raises:
        ArchiveError: The archive has pictures of shots that its ledger does not know: nothing was bought.
    """
    return Made.of((await pictures_by_shot(shots, studio)).values())


async def pictures_by_shot(shots: Sequence[Shot], studio: Studio) -> dict[str, Made]:
    """As `make_pictures`, told apart by shot key."""
    unique = list({shot.key: shot for shot in shots}.values())
    entries = await studio.archive.ledger.find(shot.key for shot in unique)
    await refuse_known_pictures((shot.key for shot in unique if shot.key not in entries), studio.archive)
    done = (entry for entry in entries.values() if entry.state is ShotState.DONE)
    reused = await archived_images(done, studio)
    studio.tally.change(planned=len(unique), reused=len(reused))
    wanted = [shot for shot in unique if shot.key not in reused]
    making = asyncio.gather(*(_make(shot, entries.get(shot.key), studio) for shot in wanted), return_exceptions=True)
    made = _unless_unforeseen(await _winding_down(making, studio))
    by_key = {key: Made(images=images, reused=1) for key, images in reused.items()}
    by_key |= {shot.key: each for shot, each in zip(wanted, made, strict=True)}
    return {shot.key: by_key[shot.key] for shot in unique}


async def _winding_down(
    making: asyncio.Future[list[Made | BaseException]], studio: Studio
) -> list[Made | BaseException]:
    """Waits for the pictures. If the run is cancelled, nothing more is bought, and what is paid may still come in.

    What is not in by then is not lost: the ledger knows its job, and the next run collects it.
    """
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        studio.halt(NotStarted("The run was stopped."))
        studio.tally.change(stage="stopping, collecting what is paid")
        await asyncio.wait({making}, timeout=GRACE_SECONDS)
        making.cancel()
        await asyncio.wait({making}, timeout=LAST_WORDS_SECONDS)
        raise


def _unless_unforeseen(made: list[Made | BaseException]) -> list[Made]:
    """Raises what no shot was expected to raise, now that every other shot has come to its end."""
    for each in made:
        if isinstance(each, BaseException):
            raise each
    return [each for each in made if isinstance(each, Made)]


async def _make(shot: Shot, entry: LedgerEntry | None, studio: Studio) -> Made:
    if entry is not None and failed_since(entry, _first_began_at()):
        studio.tally.change(failed=1)
        return Made(failures=(_failure(shot, _failed_before(entry)),))
    account = studio.account(shot.provider)
    if entry is not None and entry.job_id is not None and entry.state is not ShotState.FAILED:
        async with account.pickups:
            return await _make_in_slot(shot, entry, studio)
    try:
        if studio.halted_by is None:
            async with account.slots:
                if studio.halted_by is None:  # much can happen while a shot waits for its slot
                    return await _make_in_slot(shot, entry, studio)
    except KleinbildError as error:  # there is no slot to be had
        studio.halt(error)
    studio.tally.change(skipped=1)
    return Made(failures=(_not_started(shot, studio.halted_by),))


async def _make_in_slot(shot: Shot, entry: LedgerEntry | None, studio: Studio) -> Made:
    made: Made | None = None
    try:
        with studio.tally.running():
            made = await _buy_and_collect(shot, entry, studio)
    finally:
        if made is None:  # something unforeseen: nothing more is bought, what is running is still collected
            studio.halt(NotStarted("Something unforeseen stopped the run."))
    return made


async def _buy_and_collect(shot: Shot, entry: LedgerEntry | None, studio: Studio) -> Made:
    purchase = Purchase(shot, studio, attempt=attempt_after(entry))
    try:
        ticket = await submit(purchase)
        collected = await collect(purchase, ticket)
    except KleinbildError as error:
        if decision_on(error).ends_run:
            studio.halt(error)
        await purchase.give_up_if_hopeless(error)
        studio.tally.change(failed=1)
        return Made(failures=(_failure(shot, error),), bought=int(purchase.was_bought))
    studio.tally.change(made=1)
    return Made(images=collected.images, bought=int(purchase.was_bought), reused=int(not purchase.was_bought))


async def judge_images(
    brief: RevisionBrief,
    made: Made,
    studio: Studio,
    *,
    heeds_people: bool = True,
    made_before: datetime | None = None,
) -> tuple[Verdict, ...]:
    """Tells keepers from duplicates, in the scope that the brief wants, and from what people have rejected.

    Args:
        brief: Says what counts as a repeat.
        made: The images.
        studio: Everything that the run holds open.
        heeds_people: False judges as if nobody had ever decided anything on this edition.
        made_before: Of the archive, only what is older than this counts.
    """
    others = await images_of_others(studio, made_before) if brief.dedupe.scope == "archive" else ()
    archived = (*await signed_anew(made.images, studio), *others)
    wishes = await wishes_of(studio, brief.dedupe) if heeds_people else Wishes()
    return await dedupe(made.images, archived, brief.dedupe, wishes)


class Recorded(Frozen):
    """What is said about the images so far, and where a person can look at them."""

    verdicts: tuple[Verdict, ...]
    contact_sheet_key: str


async def record(brief: RevisionBrief, so_far: Production, references: References, studio: Studio) -> Recorded:
    """Judges, archives and reports what is made so far."""
    verdicts = await judge_images(brief, so_far.made, studio)
    studio.tally.change(stage="archiving")
    await archive(so_far.shots, verdicts, studio)
    key = await publish_report(brief.shown_title, so_far.made, verdicts, references, studio, so_far.rounds)
    return Recorded(verdicts=verdicts, contact_sheet_key=key)


async def conclude(
    brief: RevisionBrief, production: Production, references: References, studio: Studio
) -> CampaignResult:
    """Judges, archives and reports what was made, and sums it up.

    Raises:
        KleinbildError: What stopped the run, after all that it had bought is archived; a budget that is spent stops it
            as planned, and is no error.
    """
    recorded = await record(brief, production, references, studio)
    made = production.made
    if studio.halted_by is not None and not isinstance(studio.halted_by, BudgetExhausted):
        log_failures(made.failures)
        raise studio.halted_by
    result = CampaignResult(
        campaign=studio.run.campaign,
        edition=studio.run.edition,
        archive=str(studio.archive.root),
        images=made.images,
        verdicts=recorded.verdicts,
        failures=made.failures,
        bought=made.bought,
        reused=made.reused,
        cost=studio.spent,
        balances=await balances_of(studio),
        contact_sheet=f"{studio.archive.root}/{recorded.contact_sheet_key}",
        rounds=production.rounds,
        flagged=made.flagged,
    )
    contact_sheet = studio.address_of(recorded.contact_sheet_key)
    log_result(result, contact_sheet)
    tell_completed(result, brief.shown_title, contact_sheet)
    return result


def _failure(shot: Shot, error: KleinbildError) -> Failure:
    return Failure(
        shot_key=shot.key, prompt=shot.prompt.text, step=shot.step, kind=type(error).__name__, message=str(error)
    )


def _failed_before(entry: LedgerEntry) -> JobFailed:
    return JobFailed(
        f"{entry.error_message or 'It failed'} (since this run began; whether to try again is up to the next run)",
        retryable=False,
        provider=entry.provider,
        code=entry.error_code,
        job_id=entry.job_id,
    )


def _first_began_at() -> datetime | None:
    """When this flow run began for the first time: Prefect keeps it when a run begins again from its top."""
    context = FlowRunContext.get()
    return context.flow_run.start_time if context is not None and context.flow_run is not None else None


def _not_started(shot: Shot, halted_by: KleinbildError | None) -> Failure:
    return _failure(shot, NotStarted(f"Not bought, because the run had to stop. {halted_by or ''}".rstrip()))
