"""Verifies an archive: all of it, or as much as has its turn today, so that a schedule reads everything in a month."""

from datetime import UTC, datetime

from blocks.archive.archive import Archive
from flows.archives import archive_if_any
from flows.care.tables import publish_findings
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.care.findings import ArchiveDamaged, Finding, days_of_fraction
from tasks.care.named import named_elsewhere
from tasks.care.verify import Verified
from tasks.care.verify import verify as look_through
from tasks.steps import Steps

ALL = "1/1"


@runnable(name="verify", flow_run_name="verify {fraction} of the archive")
async def verify(fraction: str = ALL, deep: bool = False, archive: ArchiveInput = None) -> Verified:
    """Says what is not as it should be in an archive. Changes nothing, and buys nothing.

    Whether everything is there is looked at each time; whether it is unchanged, for the pictures of the day.

    Args:
        fraction: Share of the pictures to read, such as 1/30: each has its turn once in 30 days. 1/1 reads all.
        deep: Decode the pictures that are read, too.
        archive: Where they are. If left out: the saved block named default, or the folder named archive.

    Raises:
        ArchiveDamaged: Something is; the run fails, so that somebody sees it. `findings` says what.
        BriefError: The fraction is none.
        SetupError: There is no archive.
    """
    every_days = days_of_fraction(fraction)
    day = datetime.now(UTC).date()
    block = await archive_if_any(archive)
    if block is None:
        return Verified(
            day=day, every_days=every_days, deep=deep, objects=0, records=0, looked_at=0, read_bytes=0, findings=()
        )
    async with block.open(for_reading=True) as opened:
        verified = await look_at(opened, every_days=every_days, deep=deep)
    await publish_findings(verified)
    await keep_history()
    refuse_damage(verified.findings, block.root)
    return verified


async def look_at(archive: Archive, *, every_days: int = 1, deep: bool = False) -> Verified:
    """Looks at an open archive, and takes into account what its ledger and its decisions name."""
    return await look_through(
        archive,
        day=datetime.now(UTC).date(),
        every_days=every_days,
        deep=deep,
        also_named=await named_elsewhere(archive),
        on_progress=Steps("verified"),
    )


def refuse_damage(findings: tuple[Finding, ...], root: str) -> None:
    """Fails where something is damaged.

    Raises:
        ArchiveDamaged: With what to do next.
    """
    damage = [finding for finding in findings if finding.is_damage]
    if damage:
        number = "1 thing is" if len(damage) == 1 else f"{len(damage)} things are"
        raise ArchiveDamaged(
            f"{number} damaged in the archive at {root}. `repair` mends what can be mended.", findings=findings
        )
