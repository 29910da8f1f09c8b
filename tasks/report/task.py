"""The report as a stage of a flow: contact sheet, overview and Prefect artifacts, in one task."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.provider import Money
from tasks.archive import balances_of
from tasks.models import Cost, Made, Verdict
from tasks.references import References
from tasks.report.artifacts import publish_artifacts
from tasks.report.sheet import Sheet, make_contact_sheet
from tasks.studio import Studio


@task(name="report", cache_policy=NO_CACHE)
async def publish_report(
    title: str, made: Made, verdicts: Sequence[Verdict], references: References, studio: Studio
) -> str:
    """Writes the contact sheet into the archive and shows it in Prefect; returns its key."""
    balances = await balances_of(studio)
    sheet = Sheet(
        title=title,
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
        made_at=datetime.now(UTC),
    )
    store = studio.archive.store
    written = await make_contact_sheet(sheet, store)
    await publish_artifacts(sheet, store, studio.address_of(written.html_key))
    return written.html_key
