"""Records -> catalogue: the rows of images are made anew from the records, which are the truth.

What the records do not hold stays as it is: the ledger, and the verdicts. Safe beside runs at work, and to be repeated:
each batch of rows is complete in itself, and so is each edition, which is written when all records are read.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from blocks.archive.archive import Archive
from blocks.archive.catalogue import Catalogue
from blocks.archive.layout import record_key, sha256_of_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.findings import Finding, FindingKind, parse_record
from tasks.models import ImageRecord
from tasks.records import catalogue_entry
from tasks.verify import AT_ONCE, READERS, Progress


class Rebuilt(Frozen):
    """What came of a rebuild."""

    records: int
    added: int
    corrected: int
    findings: tuple[Finding, ...] = ()
    """Records that could not be read: their rows stay as they are."""


async def rebuild(archive: Archive, *, on_progress: Progress = lambda done, due: None) -> Rebuilt:
    """Makes the rows of all images agree with their records.

    A row whose record is gone stays: it is what the record can be made from (`tasks/repair.py`). Editions of which the
    catalogue knows no shots, because it was lost, get those that their own records name.

    Raises:
        ArchiveError: The store cannot be listed, or the database not be written.
    """
    keys = [key async for key in archive.store.list("records/")]
    sha256s = sorted({sha256 for key in keys if (sha256 := sha256_of_key(key)) and key == record_key(sha256)})
    known_editions = await archive.catalogue.editions()
    readers = asyncio.Semaphore(READERS)
    added = corrected = 0
    findings: list[Finding] = []
    lost: dict[tuple[str, str], set[tuple[str, int, int]]] = {}
    for start in range(0, len(sha256s), AT_ONCE):
        batch = sha256s[start : start + AT_ONCE]
        read = await asyncio.gather(*(read_image_record(archive.store, each, readers) for each in batch))
        records = [each for each in read if isinstance(each, ImageRecord)]
        findings += [each for each in read if isinstance(each, Finding)]
        new, other = await write_rows(records, archive.catalogue)
        added, corrected = added + new, corrected + other
        for edition, shot in _members(records, known_editions):
            lost.setdefault(edition, set()).add(shot)
        on_progress(start + len(batch), len(sha256s))
    for (campaign, name), shots in sorted(lost.items()):  # each at once: half of an edition would pass for all of it
        await archive.catalogue.add_members(campaign, name, sorted(shots))
    return Rebuilt(records=len(sha256s), added=added, corrected=corrected, findings=tuple(findings))


async def read_image_record(store: Store, sha256: str, readers: asyncio.Semaphore) -> ImageRecord | Finding:
    """Reads one record, or says why it cannot be read."""
    async with readers:
        try:
            data = await store.get(record_key(sha256))
        except ArchiveError as error:
            return Finding(kind=FindingKind.UNREADABLE, key=record_key(sha256), detail=str(error))
        return parse_record(sha256, data)


async def write_rows(records: Sequence[ImageRecord], catalogue: Catalogue) -> tuple[int, int]:
    """Makes the catalogue say what records say; returns how many rows were new, and how many said otherwise."""
    wanted = [catalogue_entry(record) for record in records]
    had = {entry.sha256: entry for entry in await catalogue.entries(entry.sha256 for entry in wanted)}
    differing = [entry for entry in wanted if had.get(entry.sha256) != entry]
    await catalogue.put(differing)
    new = sum(entry.sha256 not in had for entry in differing)
    return new, len(differing) - new


def _members(
    records: Iterable[ImageRecord], known_editions: frozenset[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], tuple[str, int, int]]]:
    """Yields the shots of editions of which nothing at all is known, each with its edition."""
    for record in records:
        edition = (record.campaign, record.edition)
        if edition not in known_editions:
            yield edition, (record.shot_key, record.position, record.step)
