"""Shot -> images, in two tasks: `submit` buys, `collect` brings home what was bought.

They are two because they fail differently. A submit may be repeated only with proof that nothing was accepted. From
the moment the job id is in the ledger nothing is bought again, and all else may be repeated as long as there is time.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.errors import JobFailed
from blocks.provider import Frozen, JobFailure, JobState, JobStatus, Ticket
from blocks.waiting import wait_until_final
from tasks.ingest import ingest
from tasks.models import ImageRecord
from tasks.options import (
    COLLECT_DELAYS_SECONDS,
    COLLECT_RETRIES,
    RETRY_JITTER,
    SUBMIT_DELAYS_SECONDS,
    SUBMIT_RETRIES,
    ShotCache,
    is_safe_to_collect_again,
    is_safe_to_submit_again,
)
from tasks.purchase import Purchase


class Collected(Frozen):
    """The images of one shot."""

    images: tuple[ImageRecord, ...]


@task(
    name="submit",
    task_run_name="submit {purchase.shot.run_name}",
    cache_policy=ShotCache(stage="submit"),
    result_serializer="json",
    retries=SUBMIT_RETRIES,
    retry_delay_seconds=SUBMIT_DELAYS_SECONDS,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=is_safe_to_submit_again,
)
async def submit(purchase: Purchase) -> Ticket:
    """Buys a shot once among all runs and workers, and returns the receipt.

    Raises:
        NothingAccepted: Nothing was bought; the money is released.
        OutcomeUnknown: It may have been bought and cannot be found; the money stays counted.
        BudgetExhausted: It would pass the budget.
    """
    return await purchase.ticket()


@task(
    name="collect",
    task_run_name="collect {purchase.shot.run_name}",
    cache_policy=NO_CACHE,  # the ledger and the catalogue remember images, and notice when one is gone
    retries=COLLECT_RETRIES,
    retry_delay_seconds=COLLECT_DELAYS_SECONDS,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=is_safe_to_collect_again,
)
async def collect(purchase: Purchase, ticket: Ticket) -> Collected:
    """Waits for a job, brings its pictures into the archive, and closes the shot in the ledger.

    Raises:
        JobFailed: The provider could not make the picture.
        JobTimedOut: It is still at work; a later run collects it.
    """
    had = await purchase.images_of_another()
    if had:
        return Collected(images=had)
    try:
        status = await wait_until_final(
            purchase.account.provider,
            ticket.job_id,
            deadline_seconds=purchase.studio.job_timeout_seconds,
            pace=purchase.account.pace,
            age_seconds=purchase.age_seconds(),
        )
        is_made = status.state is JobState.SUCCEEDED
        images = await ingest(purchase.shot, await purchase.priced(status), purchase.studio) if is_made else ()
    except JobFailed as error:  # Sunra says of some failures only when the result is asked for
        code, message = error.code or "unknown", str(error)
        raise await purchase.failed(JobFailure(code=code, message=message, retryable=error.retryable), None) from error
    if not is_made:
        raise await purchase.failed(status.failure or _unexplained(status), status.billed)
    await purchase.done(images, status)
    return Collected(images=images)


def _unexplained(status: JobStatus) -> JobFailure:
    return JobFailure(code=status.provider_status, message=f"The job ended as {status.provider_status}.")
