"""Mends what a look at an archive has found, as far as it can be mended.

Rows are made from records, records from rows, and bytes come from the trash, or from the provider while it still has
them. What is damaged is never overwritten: it goes to quarantine first. Every step may be repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    object_key,
    quarantine_key,
    quarantine_reason_key,
    record_key,
    sha256_of_key,
    thumbnail_key,
)
from blocks.archive.store import Store
from blocks.errors import ArchiveError, BadPicture, KleinbildError
from blocks.provider import Frozen
from tasks.archive import read_record
from tasks.checks import examine
from tasks.findings import Finding, FindingKind, parse_record
from tasks.gate.quarantine import Quarantined
from tasks.models import ImageRecord, sha256_of
from tasks.provenance.views import marked_thumbnail
from tasks.rebuild import write_rows
from tasks.trash import take_out_of_trash
from tasks.verify import Progress

Fetch = Callable[[ImageRecord], Awaitable[bytes]]
"""Fetches the bytes of a picture from its provider once more, or raises why it cannot."""

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

    @property
    def is_sound(self) -> bool:
        """True where nothing is left damaged."""
        return all(each.is_mended for each in self.mendings)


async def repair(
    findings: Sequence[Finding],
    archive: Archive,
    fetch: Fetch,
    *,
    on_progress: Progress = lambda done, due: None,
) -> Repaired:
    """Mends what can be mended; the rest stays as it is, with a note that says why.

    Args:
        findings: What a look has found (`tasks/verify.py`).
        archive: The open archive.
        fetch: Fetches pictures that are not here any more.
        on_progress: Called after each finding.

    Raises:
        ArchiveError: The store cannot be listed.
    """
    damage = [finding for finding in findings if finding.is_damage]
    mender = _Mender(archive, fetch)
    mendings = []
    for number, finding in enumerate(damage, 1):
        mendings.append(await mender.mend(finding))
        on_progress(number, len(damage))
    return Repaired(mendings=tuple(mendings), thumbnails=await _restore_thumbnails(archive))


class _Mender:
    def __init__(self, archive: Archive, fetch: Fetch) -> None:
        self._archive = archive
        self._store = archive.store
        self._fetch = fetch

    async def mend(self, finding: Finding) -> Mending:
        """Does what helps against one finding."""
        sha256 = sha256_of_key(finding.key)
        try:
            if sha256 is None or finding.key.startswith("quarantine/"):
                raise ArchiveError("There is no other copy of it: bring it back from a backup.")
            note = await self._mend(finding, sha256)
        except KleinbildError as error:
            return Mending(finding=finding, is_mended=False, note=str(error))
        return Mending(finding=finding, is_mended=True, note=note)

    async def _mend(self, finding: Finding, sha256: str) -> str:
        match finding.kind:
            case FindingKind.CATALOGUE_DIFFERS:
                await write_rows([await self._stored_record(sha256)], self._archive.catalogue)
                return "The row was made from the record."
            case FindingKind.OBJECT_WITHOUT_RECORD:
                return await self._restore_record(sha256)
            case FindingKind.UNREADABLE | FindingKind.CHANGED if finding.key == record_key(sha256):
                return await self._restore_record(sha256)
            case _:
                return await self._restore_bytes(sha256)

    async def _restore_record(self, sha256: str) -> str:
        """Makes the record from the row, which holds all of it."""
        row = await self._archive.catalogue.get(sha256)
        record = None if row is None else parse_record(sha256, row.record_json.encode())
        if not isinstance(record, ImageRecord):
            raise ArchiveError("The catalogue has no copy of it: bring it back from a backup.")
        await self._put_in_place(record_key(sha256), record.model_dump_json(indent=1).encode())
        return "The record was made from the catalogue's copy."

    async def _restore_bytes(self, sha256: str) -> str:
        """Brings the bytes back, and the record with them where that is gone as well."""
        if await self._is_whole(sha256):
            raise ArchiveError("It came as it is: another download would bring the same.")
        if await take_out_of_trash(sha256, self._store) is None or not await self._is_whole(sha256):
            record = await self._record(sha256)
            data = await self._fetch(record)
            if sha256_of(data) != sha256:
                raise ArchiveError(f"{record.provider} gives other bytes for it by now: bring it back from a backup.")
            await self._put_in_place(object_key(sha256), data)
            await self._store.put_if_absent(record_key(sha256), record.model_dump_json(indent=1).encode())
            return f"Fetched again from {record.provider}."
        return "Taken out of the trash."

    async def _is_whole(self, sha256: str) -> bool:
        try:
            return sha256_of(await self._store.get(object_key(sha256))) == sha256
        except ArchiveError:  # it is missing, or cannot be read
            return False

    async def _record(self, sha256: str) -> ImageRecord:
        """Reads a picture's record, or else the catalogue's copy."""
        try:
            return await self._stored_record(sha256)
        except ArchiveError as error:
            row = await self._archive.catalogue.get(sha256)
            if row is None:
                raise ArchiveError(
                    "Nothing here says where it came from: bring it back from a backup, or run its campaign again."
                ) from error
            return read_record(row.record_json)

    async def _stored_record(self, sha256: str) -> ImageRecord:
        record = parse_record(sha256, await self._store.get(record_key(sha256)))
        if isinstance(record, Finding):
            raise ArchiveError(record.detail)
        return record

    async def _put_in_place(self, key: str, data: bytes) -> None:
        """Puts what is right where something is wrong, or nothing; what was wrong is kept in quarantine."""
        if await self._store.head(key) is not None:
            await self._set_aside(key)
            await self._store.delete(key)
        await self._store.put_if_absent(key, data)

    async def _set_aside(self, key: str) -> None:
        try:
            damaged = await self._store.get(key)
        except ArchiveError:  # not even its bytes can be read: there is nothing to keep
            return
        reason = f"It lay at {key}, and was damaged there."
        why = Quarantined(shot_key="", job_id="", reason=reason, declared_type=None)
        await self._store.put_if_absent(quarantine_key(sha256_of(damaged)), damaged)
        await self._store.put_if_absent(quarantine_reason_key(sha256_of(damaged)), why.model_dump_json().encode())


async def _restore_thumbnails(archive: Archive) -> int:
    """Makes the small copies that are missing; returns how many. What is no picture has none."""
    keys = [key async for key in archive.store.list("thumbnails/")]
    there = {key.rpartition("/")[2].removesuffix(_THUMBNAIL) for key in keys}
    made = 0
    async for key in archive.store.list("records/"):
        sha256 = sha256_of_key(key)
        if sha256 is not None and sha256 not in there:
            made += await _restore_thumbnail(sha256, archive.store)
    return made


async def _restore_thumbnail(sha256: str, store: Store) -> bool:
    try:
        record = parse_record(sha256, await store.get(record_key(sha256)))
        examined = await asyncio.to_thread(examine, await store.get(object_key(sha256)), sha256)
    except (ArchiveError, BadPicture):  # damage that is told elsewhere
        return False
    if isinstance(record, Finding):
        return False
    return await store.put_if_absent(thumbnail_key(sha256), marked_thumbnail(examined.thumbnail, record))
