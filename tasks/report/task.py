"""The report as a stage of a flow: contact sheet, overview and Prefect artifacts, in one task."""

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import PrefectException

from blocks.provider import Money
from tasks.archive import balances_of
from tasks.decided import decisions_of
from tasks.models import Cost, Made, Round, Verdict
from tasks.references import References
from tasks.report.artifacts import publish_artifacts
from tasks.report.sheet import Sheet, make_contact_sheet
from tasks.review import Standing
from tasks.run_log import run_log
from tasks.studio import Studio


@task(name="report", cache_policy=NO_CACHE)
async def publish_report(
    title: str,
    made: Made,
    verdicts: Sequence[Verdict],
    references: References,
    studio: Studio,
    rounds: tuple[Round, ...] = (),
) -> str:
    """Writes the contact sheet into the archive and shows it in Prefect; returns its key."""
    balances = await balances_of(studio)
    sheet = Sheet(
        title=title,
        archive_id=studio.archive.id,
        campaign=studio.run.campaign,
        edition=studio.run.edition,
        images=made.images,
        verdicts=tuple(verdicts),
        failures=made.failures,
        cost=Cost.of(Money(amount=each.billed, unit=each.unit) for each in balances),
        balances=balances,
        bought=made.bought,
        reused=made.reused,
        references=references,
        opinions=Standing(await decisions_of(studio)).opinions,
        made_at=datetime.now(UTC),
        rounds=rounds,
        flagged=made.flagged,
    )
    store = studio.archive.store
    written = await make_contact_sheet(sheet, store)
    await _show_in_prefect(sheet, studio, written.html_key)
    return written.html_key


async def _show_in_prefect(sheet: Sheet, studio: Studio, key: str) -> None:
    """Publishes the artifacts. The contact sheet is written: a server that is away or full is not worth the run."""
    try:
        await publish_artifacts(sheet, studio.archive.store, studio.address_of(key))
    except (httpx.HTTPError, PrefectException) as error:
        run_log().warning("The report could not be shown in Prefect: %s. It is at %s.", type(error).__name__, key)
