"""What tests of verify share: a look, and what it found."""

from datetime import date

from blocks.archive.archive import Archive
from tasks.care.findings import FindingKind
from tasks.care.verify import Verified, verify

DAY = date(2026, 11, 20)


async def look(archive: Archive, **options: object) -> Verified:
    """Looks at all of it, or as the options say."""
    return await verify(archive, **{"day": DAY, **options})  # type: ignore[arg-type]  # as named


async def found(archive: Archive, **options: object) -> list[tuple[FindingKind, str]]:
    """Says what such a look finds, and where."""
    return [(finding.kind, finding.key) for finding in (await look(archive, **options)).findings]
