"""Records -> database: rows of images, editions, verdicts and finished shots are made anew from what lies in the store.

Rows are made to agree with their records, which are the truth; where a record is what is damaged, or nobody knows, its
row stays. Of editions, verdicts and money only what is not known
is put back: what the database knows of them is newer. Safe beside runs at work, and to be repeated: each batch is
complete in itself, and so is each edition, which is written when all records are read.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from blocks.archive.archive import Archive
from blocks.archive.catalogue import Catalogue, CatalogueEntry
from blocks.archive.layout import record_key, sha256_of_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.care.findings import Finding, FindingKind, parse_record
from tasks.care.restore import restore_ledger
from tasks.care.restore_editions import Edition, Shot, restore_editions
from tasks.care.verify import AT_ONCE, READERS, Progress
from tasks.care.witnesses import check_against_row
from tasks.models import ImageRecord
from tasks.records import catalogue_entry


class Rebuilt(Frozen):
    """What came of a rebuild."""

    records: int
    added: int
    corrected: int
    shots: int = 0
    """Shots put back into the ledger as done: they are not bought again."""
    open_shots: int = 0
    """Shots put back whose pictures are not all here: the next run, or `reconcile`, collects them."""
    verdicts: int = 0
    unjudged: int = 0
    """Pictures of editions without any verdict: the next run of their campaign judges them."""
    findings: tuple[Finding, ...] = ()
    """What could not be read, or is not to be believed: rows of such records stay as they are."""


async def rebuild(archive: Archive, *, on_progress: Progress = lambda done, due: None) -> Rebuilt:
    """Makes the rows of all images agree with their records, and puts back what else a lost database knew.

    A row whose record is gone stays: it is what the record can be made from (`tasks/care/repair.py`).

    Raises:
        ArchiveError: The store cannot be listed, or the database not be written.
    """
    keys = [key async for key in archive.store.list("records/")]
    sha256s = sorted({sha256 for key in keys if (sha256 := sha256_of_key(key)) and key == record_key(sha256)})
    known_editions = await archive.catalogue.editions()
    readers = asyncio.Semaphore(READERS)
    added = corrected = 0
    findings: list[Finding] = []
    lost: defaultdict[Edition, set[Shot]] = defaultdict(set)
    for start in range(0, len(sha256s), AT_ONCE):
        batch = sha256s[start : start + AT_ONCE]
        read = await asyncio.gather(*(read_image_record(archive.store, each, readers) for each in batch))
        findings += [each for each in read if isinstance(each, Finding)]
        checked = await _undisputed([each for each in read if isinstance(each, ImageRecord)], archive)
        findings += [each for each in checked if isinstance(each, Finding)]
        records = [each for each in checked if isinstance(each, ImageRecord)]
        new, other = await write_rows(records, archive.catalogue)
        added, corrected = added + new, corrected + other
        for edition, shot in _members(records, known_editions):
            lost[edition].add(shot)
        on_progress(start + len(batch), len(sha256s))
    editions = await restore_editions(archive, lost, known_editions)
    shots = await restore_ledger(archive)
    return Rebuilt(
        records=len(sha256s),
        added=added,
        corrected=corrected,
        shots=shots.done,
        open_shots=shots.running,
        verdicts=editions.verdicts,
        unjudged=editions.unjudged,
        findings=(*findings, *editions.findings),
    )


async def read_image_record(store: Store, sha256: str, readers: asyncio.Semaphore) -> ImageRecord | Finding:
    """Reads one record, or says why it cannot be read."""
    async with readers:
        try:
            data = await store.get(record_key(sha256))
        except ArchiveError as error:
            return Finding(kind=FindingKind.UNREADABLE, key=record_key(sha256), detail=str(error))
        return parse_record(sha256, data)


async def _undisputed(records: Sequence[ImageRecord], archive: Archive) -> list[ImageRecord | Finding]:
    """Passes on the records whose rows may be made from them: a row that is right, or may be, is not written over."""
    rows = {entry.sha256: entry for entry in await archive.catalogue.entries(record.sha256 for record in records)}
    return [
        await _or_doubt(record, rows[record.sha256], archive.store) if record.sha256 in rows else record
        for record in records
    ]


async def _or_doubt(record: ImageRecord, row: CatalogueEntry, store: Store) -> ImageRecord | Finding:
    if row.record_json == record.model_dump_json():  # as nearly all do: nothing is to be weighed, nor read once more
        return record
    found = await check_against_row(record, row, store)
    return record if found is None or found.kind is FindingKind.CATALOGUE_DIFFERS else found


async def write_rows(records: Sequence[ImageRecord], catalogue: Catalogue) -> tuple[int, int]:
    """Makes the catalogue say what records say; returns how many rows were new, and how many said otherwise."""
    had = {entry.sha256: entry for entry in await catalogue.entries(record.sha256 for record in records)}
    wanted = [catalogue_entry(record).signed_as(had.get(record.sha256)) for record in records]
    differing = [entry for entry in wanted if had.get(entry.sha256) != entry]
    await catalogue.put(differing)
    new = sum(entry.sha256 not in had for entry in differing)
    return new, len(differing) - new


def _members(records: Iterable[ImageRecord], known_editions: frozenset[Edition]) -> Iterator[tuple[Edition, Shot]]:
    """Yields the shots of editions of which nothing at all is known, each with its edition."""
    for record in records:
        edition = (record.campaign, record.edition)
        if edition not in known_editions:
            yield edition, (record.shot_key, record.position, record.step)
