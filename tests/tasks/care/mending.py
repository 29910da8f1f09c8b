"""What tests of repair share: a provider to fetch from, and the way from damage to mendings."""

from datetime import date

from blocks.archive.archive import Archive
from blocks.errors import UnexpectedAnswer
from tasks.care.repair import Repaired, repair
from tasks.care.verify import Verified, verify
from tasks.models import ImageRecord, sha256_of
from tests.tasks.gate.spoilt import GOOD

BYTES = {sha256_of(data): data for data in GOOD.values()}


class Source:
    """A provider that has every picture, or none, and counts who asks."""

    def __init__(self, data: dict[str, bytes] = BYTES) -> None:
        self.asked: list[str] = []
        self._data = data

    async def __call__(self, record: ImageRecord) -> bytes:
        """Gives a picture's bytes."""
        self.asked.append(record.sha256)
        if record.sha256 not in self._data:
            raise UnexpectedAnswer("The job is unknown.", provider=record.provider)
        return self._data[record.sha256]


async def look(archive: Archive) -> Verified:
    """Looks at all of it."""
    return await verify(archive, day=date(2026, 11, 20))


async def mended(archive: Archive, source: Source) -> Repaired:
    """Repairs what a look finds."""
    return await repair((await look(archive)).findings, archive, source)
