"""Looks at the documents beside pictures and records: decisions, editions, repeats, and notes in quarantine.

Few and small, they are read as a whole at each look. A decision that is damaged stops every run of its campaign; a
repeat or a note is what a shot is known by when the database is lost, and is passed over there if it cannot be read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from blocks.archive.store import Store
from blocks.errors import ArchiveError
from tasks.archive import read_record
from tasks.care.findings import Finding, FindingKind
from tasks.edition_file import EDITION_FORMAT, EditionFile
from tasks.gate.quarantine import Quarantined
from tasks.review import DECISION_FORMAT, Decision
from tasks.rulings import RULING_FORMAT, Ruling
from tasks.versioned import read_versioned

READERS = 8

Read = Callable[[str, bytes], object]
"""Reads a document, or raises an `ArchiveError` or a `ValueError`."""

_KINDS: dict[str, Read] = {
    "decisions/review-": lambda key, data: read_versioned(Decision, DECISION_FORMAT, key, data),
    "decisions/ruling-": lambda key, data: read_versioned(Ruling, RULING_FORMAT, key, data),
    "editions/": lambda key, data: read_versioned(EditionFile, EDITION_FORMAT, key, data),
    "quarantine/": lambda _, data: Quarantined.model_validate_json(data),
    "repeats/": lambda _, data: read_record(data.decode()),
}


async def damaged_documents(store: Store) -> list[Finding]:
    """Reads all documents; returns a finding for each that cannot be read.

    Raises:
        ArchiveError: The store cannot be listed.
    """
    readers = asyncio.Semaphore(READERS)

    async def look(key: str, read: Read) -> Finding | None:
        async with readers:
            return await _look(key, read, store)

    looks = [look(key, read) async for key, read in _documents(store)]
    return [finding for finding in await asyncio.gather(*looks) if finding is not None]


async def _documents(store: Store) -> AsyncIterator[tuple[str, Read]]:
    for prefix, read in _KINDS.items():
        async for key in store.list(prefix):
            if key.endswith(".json"):  # without it, in quarantine: the bytes themselves
                yield key, read


async def _look(key: str, read: Read, store: Store) -> Finding | None:
    try:
        read(key, await store.get(key))
    except (ArchiveError, ValueError) as error:  # ValueError: pydantic's and the decoder's way of saying "damaged"
        said = str(error) if isinstance(error, ArchiveError) else "It is damaged."
        return Finding(kind=FindingKind.UNREADABLE, key=key, detail=said)
    return None
