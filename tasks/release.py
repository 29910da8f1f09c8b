"""Takes in, on a person's word, a picture that the gate refused: as it is, with a record that says so.

Only what decodes: whoever opens the archive has to find pictures in it. The bytes stay in quarantine, too. Every step
may be repeated, so that a release that was killed is simply asked for again.
"""

import asyncio
from datetime import datetime
from uuid import uuid4

from blocks.archive.archive import Archive
from blocks.archive.layout import quarantine_key, record_key, thumbnail_key
from blocks.archive.ledger import OPEN_STATES, LedgerEntry
from blocks.errors import ArchiveError, BriefError
from blocks.provider import Frozen, Money
from tasks.archive import read_record
from tasks.checks import Examined, examine
from tasks.gate.quarantine import Bought, Quarantined, note_on, notes_in
from tasks.models import ImageRecord, Release, Shot, sha256_of
from tasks.presence import at_work
from tasks.provenance.noting import with_credentials
from tasks.provenance.splice import manifest_in
from tasks.provenance.views import marked_thumbnail
from tasks.records import catalogue_entry, record_of
from tasks.trash import keep_bytes


class Held(Frozen):
    """What lies in quarantine."""

    sha256: str
    size_bytes: int
    note: Quarantined | None
    """Why; None where the note is gone."""
    is_kept: bool
    """Whether it is a picture of the archive by now."""


async def held_in(archive: Archive) -> tuple[Held, ...]:
    """Lists what lies in quarantine, and why.

    Raises:
        ArchiveError: The store cannot be listed.
    """
    return tuple([await _held(sha256, note, archive) async for sha256, note in notes_in(archive.store)])


async def _held(sha256: str, note: Quarantined | None, archive: Archive) -> Held:
    head = await archive.store.head(quarantine_key(sha256))
    is_kept = await archive.store.head(record_key(sha256)) is not None
    return Held(sha256=sha256, size_bytes=0 if head is None else head.size_bytes, note=note, is_kept=is_kept)


async def release(name: str, archive: Archive, *, by: str, now: datetime) -> ImageRecord:
    """Takes in a picture that the gate refused, and closes its shot with it.

    Args:
        name: Its SHA-256, or how it begins.
        archive: The open archive.
        by: Who says so.
        now: When.

    Raises:
        BriefError: There is no such picture in quarantine, or it is in the archive already.
        BadPicture: It does not decode.
        ArchiveError: Nothing says for what it was paid, or its shot is open or has another picture by now.
    """
    # Known as a run: a `gc` beside it would find the bytes before their record, and take them for nobody's.
    async with at_work(archive.ledger, f"release-{uuid4().hex}"):
        return await _release(await _find(name, archive), archive, by, now)


async def _release(sha256: str, archive: Archive, by: str, now: datetime) -> ImageRecord:
    note = await note_on(sha256, archive.store)
    if note is None or not note.shot_key:
        raise ArchiveError(f"Nothing says for which shot {sha256[:16]} was paid: it stays in quarantine.")
    entry = await _settled(note, archive)
    stored = await _stored(sha256, archive)
    siblings = await _siblings(sha256, note, archive)
    data = await archive.store.get(quarantine_key(sha256))
    examined = await asyncio.to_thread(_examine, data, sha256)
    record = stored or _record(sha256, note, entry, examined, Release(by=by, at=now, reason=note.reason))
    await keep_bytes(sha256, data, archive.store)
    await archive.store.put_if_absent(record_key(sha256), record.model_dump_json(indent=1).encode())
    await archive.store.put_if_absent(thumbnail_key(sha256), marked_thumbnail(examined.thumbnail, record))
    await archive.catalogue.add([catalogue_entry(record)])
    images = sorted((*siblings, record), key=lambda each: each.output_index)
    await archive.ledger.accept(note.shot_key, note.job_id, [image.sha256 for image in images])
    return record


async def _find(name: str, archive: Archive) -> str:
    wanted = name.strip().lower()
    found = [sha256 async for sha256, _ in notes_in(archive.store) if sha256.startswith(wanted)]
    if not wanted or not found:
        raise BriefError(f"Nothing in quarantine begins with {name!r}: `python -m flows quarantine` lists it.")
    if len(found) > 1:
        raise BriefError(f"{name!r} names {len(found)} pictures in quarantine: give more digits.")
    return found[0]


async def _settled(note: Quarantined, archive: Archive) -> LedgerEntry:
    """Makes sure that nobody is about to bring the picture home by himself."""
    entry = await archive.ledger.get(note.shot_key)
    if entry is None:
        raise ArchiveError("The ledger does not know its shot: run `python -m flows rebuild` first.")
    if entry.state in OPEN_STATES:
        raise ArchiveError(
            f"Its shot is {entry.state}: another download may bring a good picture. Run its campaign again, or "
            "`reconcile`, and release it if it is refused once more."
        )
    if entry.job_id != note.job_id:
        raise ArchiveError("Its shot was bought anew since then, by another job: it stays in quarantine.")
    return entry


async def _stored(sha256: str, archive: Archive) -> ImageRecord | None:
    """Reads the record of a release that was killed before its end."""
    if await archive.store.head(record_key(sha256)) is None:
        return None
    record = read_record((await archive.store.get(record_key(sha256))).decode())
    if record.released is None:
        raise BriefError(f"{sha256[:16]} is a picture of the archive already.")
    return record


async def _siblings(sha256: str, note: Quarantined, archive: Archive) -> list[ImageRecord]:
    """Reads the records of the other pictures of its job."""
    known = await archive.ledger.images_of([note.shot_key])
    rows = await archive.catalogue.entries(each for each in known.get(note.shot_key, ()) if each != sha256)
    siblings = [record for row in rows if (record := read_record(row.record_json)).job_id == note.job_id]
    for sibling in siblings:
        if sibling.output_index == (note.output_index or 0):
            raise ArchiveError(f"Its job has brought another picture in its place, {sibling.sha256[:16]}.")
    return siblings


def _examine(data: bytes, sha256: str) -> Examined:
    if sha256_of(data) != sha256:
        raise ArchiveError(f"{quarantine_key(sha256)} has changed since it came: bring it back from a backup.")
    examined = examine(data, sha256[:16])
    flags = (*examined.checks.flags, "released")
    checks = examined.checks.model_copy(update={"content_credentials": _credentials_in(data), "flags": flags})
    return examined._replace(checks=with_credentials(checks, data))


def _credentials_in(data: bytes) -> str | None:
    try:
        return "present" if manifest_in(data) else "none"
    except ArchiveError:  # its structure is what it was refused for
        return None


def _record(sha256: str, note: Quarantined, entry: LedgerEntry, examined: Examined, released: Release) -> ImageRecord:
    bought = note.bought or _bought(entry)
    return record_of(
        bought.shot,
        sha256=sha256,
        job_id=note.job_id,
        output_index=note.output_index or 0,
        campaign=bought.campaign,
        edition=bought.edition,
        cost=bought.cost,
        checks=examined.checks,
        released=released,
        made_at=bought.received_at,
    )


def _bought(entry: LedgerEntry) -> Bought:
    """Takes from the ledger what notes of earlier versions do not say."""
    shot = Shot.model_validate_json(entry.request_json)
    bill = entry.billed
    return Bought(
        shot=shot,
        campaign=entry.campaign,
        edition=entry.edition,
        cost=None if bill is None else Money(amount=bill.amount / shot.request.outputs, unit=bill.unit),
        received_at=entry.updated_at,
    )
