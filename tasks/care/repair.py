"""Mends what a look at an archive has found, as far as it can be mended.

Rows are made from records, records that are damaged from rows, and bytes come from the trash, or from the provider
while it still has them. What is damaged is never overwritten: it goes to quarantine first, and what cannot be read
stays where it is. Of two that say otherwise neither is, unless it is known, or said, which is right. Every step may be
repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from blocks.archive.archive import Archive
from blocks.archive.catalogue import CatalogueEntry
from blocks.archive.layout import object_key, record_key, sha256_of_key, thumbnail_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError, BadPicture, KleinbildError
from blocks.provider import Frozen
from tasks.care.findings import DATABASE, Finding, FindingKind, parse_record
from tasks.care.rebuild import rebuild, write_rows
from tasks.care.verify import Progress
from tasks.care.witnesses import check_against_row, doubts_on
from tasks.checks import examine
from tasks.models import ImageRecord, sha256_of
from tasks.provenance.views import marked_thumbnail
from tasks.trash import is_whole, put_in_place, set_aside, take_out_of_trash

Fetch = Callable[[ImageRecord], Awaitable[bytes]]
"""Fetches the bytes of a picture from its provider once more, or raises why it cannot."""

Believed = Literal["neither", "record", "catalogue"]
"""Which of the two counts where they say otherwise, and nothing in the archive tells which is right."""

_THUMBNAIL = ".jpg"


class Mending(Frozen):
    """What became of one finding."""

    finding: Finding
    is_mended: bool
    note: str


class Repaired(Frozen):
    """What became of all findings that are damage, and what was made anew beside them."""

    mendings: tuple[Mending, ...] = ()
    thumbnails: int = 0
    failed_thumbnails: int = 0
    """Small copies that the store did not take. They are no damage: the next repair makes them."""

    @property
    def is_sound(self) -> bool:
        """True where nothing is left damaged."""
        return all(each.is_mended for each in self.mendings)

    @property
    def copies(self) -> str:
        """What became of the small copies, for people."""
        failed = f", {self.failed_thumbnails} could not be" if self.failed_thumbnails else ""
        return f"{self.thumbnails} small copies made anew{failed}"


async def repair(
    findings: Sequence[Finding],
    archive: Archive,
    fetch: Fetch,
    *,
    believed: Believed = "neither",
    on_progress: Progress = lambda done, due: None,
) -> Repaired:
    """Mends what can be mended; the rest stays as it is, with a note that says why.

    Args:
        findings: What a look has found (`tasks/care/verify.py`).
        archive: The open archive.
        fetch: Fetches pictures that are not here any more.
        believed: What is disputed goes by this; with `neither`, both stay.
        on_progress: Called after each finding.
    """
    damage = [finding for finding in findings if finding.is_damage]
    mender = _Mender(archive, fetch, believed)
    mendings = []
    for number, finding in enumerate(damage, 1):
        mendings.append(await mender.mend(finding))
        on_progress(number, len(damage))
    made, failed = await _restore_thumbnails(archive)
    return Repaired(mendings=tuple(mendings), thumbnails=made, failed_thumbnails=failed)


class _Mender:
    def __init__(self, archive: Archive, fetch: Fetch, believed: Believed) -> None:
        self._archive = archive
        self._store = archive.store
        self._fetch = fetch
        self._believed = believed

    async def mend(self, finding: Finding) -> Mending:
        """Does what helps against one finding."""
        try:
            note = await self._note_of(finding)
        except KleinbildError as error:
            return Mending(finding=finding, is_mended=False, note=str(error))
        return Mending(finding=finding, is_mended=True, note=note)

    async def _note_of(self, finding: Finding) -> str:
        sha256 = sha256_of_key(finding.key)
        if finding.key == DATABASE:
            return await self._rebuild()
        if finding.key.startswith("editions/"):
            raise ArchiveError("The next run of its campaign writes it anew, which buys nothing.")
        if sha256 is None or finding.key.startswith("quarantine/"):
            raise ArchiveError("There is no other copy of it: bring it back from a backup.")
        return await self._mend(finding, sha256)

    async def _rebuild(self) -> str:
        """Makes the database from what lies in the store; records that are no good are told as what they are."""
        rebuilt = await rebuild(self._archive)
        if await self._archive.ledger.unknown_shots("", 1):
            raise ArchiveError("Of some shots no good record is left to put them back from: bring it from a backup.")
        return (
            f"Rebuilt: {rebuilt.added} rows, {rebuilt.shots + rebuilt.open_shots} shots, {rebuilt.verdicts} verdicts."
        )

    async def _mend(self, finding: Finding, sha256: str) -> str:
        match finding.kind:
            case FindingKind.CATALOGUE_DIFFERS | FindingKind.DISPUTED | FindingKind.OBJECT_WITHOUT_RECORD:
                return await self._restore_record(sha256)
            case FindingKind.UNREADABLE | FindingKind.CHANGED if finding.key == record_key(sha256):
                return await self._restore_record(sha256)
            case _:
                return await self._restore_bytes(sha256)

    async def _restore_record(self, sha256: str) -> str:
        """Makes record and row agree, by the one that is right; where nothing tells which one is, both stay."""
        stored, row = await self._whole_record(sha256), await self._archive.catalogue.get(sha256)
        found = None if stored is None or row is None else await check_against_row(stored, row, self._store)
        if stored is not None and row is not None and found is not None and found.kind is FindingKind.DISPUTED:
            return await self._settle(stored, row, found)
        if stored is None or (found is not None and found.kind is FindingKind.CHANGED):
            await self._record_from_row(sha256, row)
            return "The record was made from the catalogue's copy."
        await write_rows([stored], self._archive.catalogue)
        if row is not None and found is None:
            return "The record can be read by now, and is whole."
        return "The row was made from the record."

    async def _settle(self, record: ImageRecord, row: CatalogueEntry, found: Finding) -> str:
        """Goes by what a person has said; what does not count any more is kept in quarantine first."""
        copy = _copy_in(row)
        if self._believed == "neither" or copy is None:
            raise ArchiveError(
                f"{found.detail} Both were left: bring the record back from a backup, or say which of the two is to be "
                "believed (`repair --believe`)."
            )
        reason = f"It is what was said of {record_key(record.sha256)}; a person has believed the {self._believed}."
        # Without what is measured on the picture, and can be at any time.
        columns = row.model_dump_json(exclude={"fingerprint", "signature"}, indent=1)
        await set_aside(columns.encode(), reason, self._store)
        if self._believed == "record":
            await write_rows([record], self._archive.catalogue)
            return "The row was made from the record, which was to be believed."
        await set_aside(await self._store.get(record_key(record.sha256)), reason, self._store)
        await put_in_place(record_key(record.sha256), _json_of(copy), self._store)
        await write_rows([copy], self._archive.catalogue)
        return "Record and row were made from the catalogue's copy, which was to be believed."

    async def _whole_record(self, sha256: str) -> ImageRecord | None:
        """Reads a record; None where it is gone or damaged."""
        if await self._store.head(record_key(sha256)) is None:
            return None
        record = parse_record(sha256, await self._store.get(record_key(sha256)))
        return record if isinstance(record, ImageRecord) else None

    async def _record_from_row(self, sha256: str, row: CatalogueEntry | None) -> None:
        """Writes the record that a row holds a copy of, if nothing in the row speaks against it; and the row by it."""
        record = _copy_in(row)
        if row is None or record is None:
            raise ArchiveError("The catalogue has no good copy of it: bring it back from a backup.")
        if doubts := doubts_on(record, row):
            raise ArchiveError(
                f"The catalogue's copy of it says otherwise than the catalogue's own columns in {', '.join(doubts)}: "
                "bring it back from a backup."
            )
        await put_in_place(record_key(sha256), _json_of(record), self._store)
        await write_rows([record], self._archive.catalogue)  # a signature may be gone, or a column that is proven wrong

    async def _restore_bytes(self, sha256: str) -> str:
        """Brings the bytes back, and the record with them where that is gone as well."""
        if await is_whole(sha256, self._store):
            raise ArchiveError("It came as it is: another download would bring the same.")
        note = "Taken out of the trash."
        if not await take_out_of_trash(sha256, self._store):
            note = await self._fetch_again(sha256)
        row = await self._archive.catalogue.get(sha256)
        if row is not None and await self._store.head(record_key(sha256)) is None:
            await self._record_from_row(sha256, row)
        return note

    async def _fetch_again(self, sha256: str) -> str:
        record = await self._record(sha256)
        data = await self._fetch(record)
        if sha256_of(data) != sha256:
            raise ArchiveError(f"{record.provider} gives other bytes for it by now: bring it back from a backup.")
        await put_in_place(object_key(sha256), data, self._store)
        return f"Fetched again from {record.provider}."

    async def _record(self, sha256: str) -> ImageRecord:
        """Reads a picture's record, or else the catalogue's copy: what it brings is known by its hash."""
        try:
            record = await self._whole_record(sha256)
        except ArchiveError:
            record = None
        record = record or _copy_in(await self._archive.catalogue.get(sha256))
        if record is None:
            raise ArchiveError(
                "Nothing here says where it came from: bring it back from a backup, or run its campaign again."
            )
        return record


def _copy_in(row: CatalogueEntry | None) -> ImageRecord | None:
    record = None if row is None else parse_record(row.sha256, row.record_json.encode())
    return record if isinstance(record, ImageRecord) else None


def _json_of(record: ImageRecord) -> bytes:
    return record.model_dump_json(indent=1).encode()


async def _restore_thumbnails(archive: Archive) -> tuple[int, int]:
    """Makes the small copies that are missing; returns how many, and how many could not be made.

    What is no picture has none. Where the store cannot even be listed, that counts as one that could not be made.
    """
    made = failed = 0
    try:
        missing = await _without_thumbnail(archive.store)
    except ArchiveError:
        return 0, 1
    for sha256 in missing:
        try:
            made += await _restore_thumbnail(sha256, archive.store)
        except ArchiveError:  # it can be made again at any time; what was mended is to be told now
            failed += 1
    return made, failed


async def _without_thumbnail(store: Store) -> list[str]:
    keys = [key async for key in store.list("thumbnails/")]
    there = {key.rpartition("/")[2].removesuffix(_THUMBNAIL) for key in keys}
    recorded = [sha256_of_key(key) async for key in store.list("records/")]
    return [sha256 for sha256 in recorded if sha256 is not None and sha256 not in there]


async def _restore_thumbnail(sha256: str, store: Store) -> bool:
    try:
        record = parse_record(sha256, await store.get(record_key(sha256)))
        examined = await asyncio.to_thread(examine, await store.get(object_key(sha256)), sha256)
    except (ArchiveError, BadPicture):  # damage that is told elsewhere
        return False
    if isinstance(record, Finding):
        return False
    return await store.put_if_absent(thumbnail_key(sha256), marked_thumbnail(examined.thumbnail, record))
