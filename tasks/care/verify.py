"""Walks through an archive and says what is not as it should be. Changes nothing.

A run at work looks like no damage: it writes bytes, record and row in this order, so records are listed before bytes,
and a young record whose row is still to come is left to the next look, while somebody may be about to write it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence, Set
from datetime import UTC, date, datetime, timedelta

from pydantic import BaseModel

from blocks.archive.archive import Archive
from blocks.archive.catalogue import Catalogue, CatalogueEntry
from blocks.archive.layout import object_key, quarantine_key, record_key, sha256_of_key
from blocks.archive.ledger import Ledger, ShotState
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.care.findings import (
    DATABASE,
    Finding,
    FindingKind,
    Inventory,
    check_bytes,
    compare,
    is_due,
    parse_record,
)
from tasks.care.verify_documents import damaged_documents
from tasks.care.witnesses import check_against_row
from tasks.models import ImageRecord, ReferenceUse

READERS = 8
DECODERS = 2
"""Pictures decoded at once: each takes up to 200 MB for a moment."""

UNDER_WAY = timedelta(minutes=15)
"""A run writes the rows of a job's pictures when all of them are in; nothing takes it as long as this."""

AT_ONCE = 256
"""Pictures whose rows are fetched together."""

Progress = Callable[[int, int], None]
"""Told how many pictures have been looked at, and how many there are to look at."""


class Verified(Frozen):
    """What one look at an archive has found."""

    day: date
    every_days: int
    deep: bool
    objects: int
    records: int
    looked_at: int
    read_bytes: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """True where nothing is damaged."""
        return not any(finding.is_damage for finding in self.findings)


class _Names(BaseModel):
    """Of a record, the pictures that it names."""

    parent_sha256: str | None = None
    references: tuple[ReferenceUse, ...] = ()


async def verify(
    archive: Archive,
    *,
    day: date,
    every_days: int = 1,
    deep: bool = False,
    also_named: Set[str] = frozenset(),
    on_progress: Progress = lambda done, due: None,
) -> Verified:
    """Looks at a whole archive: what is there, every time; and whether it is unchanged, for the pictures of the day.

    Args:
        archive: The open archive.
        day: Which pictures have their turn.
        every_days: In how many days each picture has its turn once; 1 for all of them now.
        deep: Whether to decode what is read, too.
        also_named: Pictures that are no orphans although no record names them; see `Inventory`.
        on_progress: Called after each batch.

    Raises:
        ArchiveError: The store cannot even be listed, or the database cannot be read.
    """
    store, catalogue = archive.store, archive.catalogue
    records, odd_records = await _listed(store, "records/", record_key)
    # Asked between records and rows: whoever has ended by now has written the rows of all records in the list.
    is_written = await _is_written(archive.ledger)
    objects, odd_objects = await _listed(store, "objects/", object_key)
    refused, _ = await _listed(store, "quarantine/", quarantine_key)
    rows = await _rows(store, catalogue, records)
    under_way = await _under_way(store, records - rows) if is_written else frozenset()
    records -= under_way
    named = await _named(store, catalogue, rows, records)
    inventory = Inventory(rows, records, objects, named, also_named | under_way)
    findings = [*odd_records, *odd_objects, *compare(inventory), *await damaged_documents(store)]

    look = _Look(store, catalogue, records, objects, deep)
    due = sorted(sha256 for sha256 in records | objects | refused if is_due(sha256, day, every_days))
    for start in range(0, len(due), AT_ONCE):
        batch = due[start : start + AT_ONCE]
        findings += await look.at_pictures([sha256 for sha256 in batch if sha256 in records or sha256 in objects])
        findings += await look.at_refused([sha256 for sha256 in batch if sha256 in refused])
        on_progress(start + len(batch), len(due))
    findings += await _unknown_shots(archive.ledger)  # last: they are put back from rows, which are mended by then
    return Verified(
        day=day,
        every_days=every_days,
        deep=deep,
        objects=len(objects),
        records=len(records),
        looked_at=len(due),
        read_bytes=look.read_bytes,
        findings=tuple(dict.fromkeys(findings)),
    )


async def _listed(store: Store, prefix: str, key_of: Callable[[str], str]) -> tuple[frozenset[str], list[Finding]]:
    """Lists the pictures under a prefix, and what lies there and is none."""
    found: set[str] = set()
    odd: list[Finding] = []
    async for key in store.list(prefix):
        sha256 = sha256_of_key(key)
        if sha256 is not None and key == key_of(sha256):
            found.add(sha256)
        else:
            odd.append(Finding(kind=FindingKind.ORPHANED, key=key, detail="No picture's name is like this."))
    return frozenset(found), odd


async def _rows(store: Store, catalogue: Catalogue, records: Set[str]) -> frozenset[str]:
    """Lists the pictures that the catalogue knows, without those whose records came after they were listed."""
    rows = await catalogue.sha256s()
    without = sorted(rows - records)
    came_since = [sha256 for sha256 in without if await store.head(record_key(sha256)) is not None]
    return rows.difference(came_since)


async def _is_written(ledger: Ledger) -> bool:
    """Tells whether rows may be about to come: from a run at work, or from one that is frozen, whose shot is open."""
    if await ledger.runs_at_work():
        return True
    return bool(await ledger.in_states(ShotState.SENDING, ShotState.RUNNING))


async def _unknown_shots(ledger: Ledger) -> list[Finding]:
    """Says once how many shots the catalogue has pictures of and the ledger does not know: no run may buy them."""
    number, after = 0, ""
    while unknown := await ledger.unknown_shots(after, AT_ONCE):
        number, after = number + len(unknown), max(unknown)
    if not number:
        return []
    detail = f"The catalogue has pictures of {number} shots that the ledger does not know: run `rebuild`."
    return [Finding(kind=FindingKind.CATALOGUE_DIFFERS, key=DATABASE, detail=detail)]


async def _under_way(store: Store, records: Set[str]) -> frozenset[str]:
    """Picks the records that were made just now: a run is about to write their rows."""
    young: set[str] = set()
    for sha256 in sorted(records):
        data = await _read(store, record_key(sha256))
        record = data if isinstance(data, Finding) else parse_record(sha256, data)
        if isinstance(record, ImageRecord) and abs(datetime.now(UTC) - record.made_at) < UNDER_WAY:  # clocks differ
            young.add(sha256)
    return frozenset(young)


async def _named(store: Store, catalogue: Catalogue, rows: Set[str], records: Set[str]) -> dict[str, str]:
    """Finds all parents and references: from the catalogue, and from the records that it does not know."""
    named: dict[str, str] = {}
    async for entry in _entries(catalogue, sorted(rows)):
        _note(named, entry.sha256, entry.record_json.encode())
    for sha256 in sorted(records - rows):
        data = await _read(store, record_key(sha256))
        if isinstance(data, bytes):
            _note(named, sha256, data)
    return named


def _note(named: dict[str, str], sha256: str, record_json: bytes) -> None:
    try:
        names = _Names.model_validate_json(record_json)
    except ValueError:  # a damaged record is found when it is read as a whole
        return
    for name in (names.parent_sha256, *(each.sha256 for each in names.references)):
        if name is not None:
            named.setdefault(name, sha256)


async def _entries(catalogue: Catalogue, sha256s: Sequence[str]) -> AsyncIterator[CatalogueEntry]:
    for start in range(0, len(sha256s), AT_ONCE):
        for entry in await catalogue.entries(sha256s[start : start + AT_ONCE]):
            yield entry


async def _read(store: Store, key: str) -> bytes | Finding:
    try:
        return await store.get(key)
    except ArchiveError as error:
        return Finding(kind=FindingKind.UNREADABLE, key=key, detail=str(error))


class _Look:
    """Reads pictures and records, several at once, and counts the bytes."""

    def __init__(self, store: Store, catalogue: Catalogue, records: Set[str], objects: Set[str], deep: bool) -> None:
        self.read_bytes = 0
        self._store = store
        self._catalogue = catalogue
        self._records = records
        self._objects = objects
        self._deep = deep
        self._readers = asyncio.Semaphore(DECODERS if deep else READERS)

    async def at_pictures(self, sha256s: Iterable[str]) -> list[Finding]:
        """Looks at the bytes and the record of each, and at its row."""
        batch = list(sha256s)
        rows = {entry.sha256: entry for entry in await self._catalogue.entries(batch)}
        looks = [self._at_bytes(object_key(each), each, self._deep) for each in batch if each in self._objects]
        looks += [self._at_record(each, rows.get(each)) for each in batch if each in self._records]
        return [finding for finding in await asyncio.gather(*looks) if finding is not None]

    async def at_refused(self, sha256s: Iterable[str]) -> list[Finding]:
        """Looks at bytes in quarantine: they may be no picture, but they are to be what came."""
        looks = [self._at_bytes(quarantine_key(each), each, deep=False) for each in sha256s]
        return [finding for finding in await asyncio.gather(*looks) if finding is not None]

    async def _at_bytes(self, key: str, sha256: str, deep: bool) -> Finding | None:
        async with self._readers:
            data = await _read(self._store, key)
            if isinstance(data, Finding):
                return data
            self.read_bytes += len(data)
            return await asyncio.to_thread(check_bytes, key, sha256, data, deep=deep)

    async def _at_record(self, sha256: str, row: CatalogueEntry | None) -> Finding | None:
        async with self._readers:
            data = await _read(self._store, record_key(sha256))
            record = data if isinstance(data, Finding) else parse_record(sha256, data)
            if isinstance(record, Finding) or row is None:  # a missing row is found by comparing the lists
                return record if isinstance(record, Finding) else None
            return await check_against_row(record, row, self._store)
