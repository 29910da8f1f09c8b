"""Which pictures something names: a record, the catalogue, the ledger, or a decision. What nothing names is an orphan.

Names are read as what they look like, 64 hexadecimal digits, and not by their fields: it is better to keep a picture
too many than to ask a record, a shot or a decision of another version for fields that it calls otherwise.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence, Set

from blocks.archive.archive import Archive
from blocks.archive.catalogue import Catalogue
from blocks.archive.layout import sha256_of_key
from blocks.errors import ArchiveError
from tasks.care.findings import Finding
from tasks.care.rebuild import read_image_record
from tasks.care.verify import AT_ONCE, READERS, Progress

_SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


async def named_elsewhere(archive: Archive) -> frozenset[str]:
    """Lists the pictures of an archive that its ledger or a decision names; see `named_among`.

    Raises:
        ArchiveError: The store or the database cannot be read.
    """
    present = [sha256 async for key in archive.store.list("objects/") if (sha256 := sha256_of_key(key)) is not None]
    return await named_among(frozenset(present), archive)


async def named_among(sha256s: Set[str], archive: Archive) -> frozenset[str]:
    """Of these pictures, those that the ledger or a decision names.

    In the ledger: what a shot has made, and of shots that are open, parents and references.

    Raises:
        ArchiveError: The store or the database cannot be read.
    """
    decided: set[str] = set()
    async for key in archive.store.list("decisions/"):
        text = (await archive.store.get(key)).decode("utf-8", errors="replace")
        decided |= sha256s & set(_SHA256.findall(text))
    return await archive.ledger.names_of(sha256s) | decided


async def named_in_records(archive: Archive, on_progress: Progress) -> frozenset[str]:
    """Lists all pictures that have a record or a row, and those that records and rows name.

    Both are read, since a record that is damaged in a digit would forget a picture.

    Raises:
        ArchiveError: A record cannot be read: nobody knows what it names.
    """
    rows = sorted(await archive.catalogue.sha256s())
    found = set(rows)
    for batch in _batches(rows):
        found |= await _in_rows(batch, archive.catalogue)
    records = sorted({sha256 async for key in archive.store.list("records/") if (sha256 := sha256_of_key(key))})
    done = 0
    for batch in _batches(records):
        found |= await _in_records(batch, archive)
        done += len(batch)
        on_progress(done, len(records))
    return frozenset(found)


async def _in_rows(batch: Sequence[str], catalogue: Catalogue) -> set[str]:
    return {name for row in await catalogue.entries(batch) for name in _SHA256.findall(row.record_json)}


async def _in_records(batch: Sequence[str], archive: Archive) -> set[str]:
    readers = asyncio.Semaphore(READERS)
    found: set[str] = set()
    for record in await asyncio.gather(*(read_image_record(archive.store, each, readers) for each in batch)):
        if isinstance(record, Finding):
            raise ArchiveError(
                f"{record.key} cannot be read, so nobody knows which pictures it names: run `repair` first. "
                f"{record.detail}"
            )
        found.update(_SHA256.findall(record.model_dump_json()))
    return found


def _batches(sha256s: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(sha256s), AT_ONCE):
        yield sha256s[start : start + AT_ONCE]
