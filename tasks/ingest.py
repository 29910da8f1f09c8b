"""Bytes -> archive: what was paid for is fetched, checked, stored and recorded, in this order.

Each step is idempotent and durable before the next: a run that is killed anywhere in between is simply run again.
"""

import asyncio
from datetime import UTC, datetime

from blocks.archive.catalogue import CatalogueEntry
from blocks.archive.layout import object_key, quarantine_key, quarantine_reason_key, record_key, thumbnail_key
from blocks.errors import BadPicture, LinkExpired, ProviderUnavailable
from blocks.provider import DownloadedPicture, Frozen, JobStatus, Money, Provider, RemotePicture
from tasks.checks import Examined, examine
from tasks.models import ImageRecord, Shot, sha256_of
from tasks.studio import Studio

DOWNLOAD_ATTEMPTS = 4
DOWNLOAD_PAUSE_SECONDS = 0.5


class Quarantined(Frozen):
    """Why paid bytes lie in quarantine."""

    shot_key: str
    job_id: str
    reason: str
    declared_type: str | None


async def ingest(shot: Shot, status: JobStatus, studio: Studio) -> tuple[ImageRecord, ...]:
    """Brings the pictures of a finished job into the archive, in the order of its outputs.

    Raises:
        LinkExpired: The URL is dead, and the provider has no fresh one.
        ProviderUnavailable: They could not be fetched now.
        BadPicture: What came is no picture; its bytes lie in quarantine.
    """
    provider = studio.account(shot.provider).provider
    remote = await provider.pictures(status)
    share = _share(status.billed, len(remote))

    async def bring_home(each: RemotePicture) -> ImageRecord:
        picture = await _fetch(provider, status, each)
        return await _keep(picture, each.index, shot, status.job_id, share, studio)

    brought = await asyncio.gather(*(bring_home(each) for each in remote), return_exceptions=True)
    records = [each for each in brought if isinstance(each, ImageRecord)]
    await studio.archive.catalogue.add([_entry(record) for record in records])
    for each in brought:
        if isinstance(each, BaseException):
            raise each  # after the good ones are safe
    return tuple(records)


async def _fetch(provider: Provider, status: JobStatus, picture: RemotePicture) -> DownloadedPicture:
    """Fetches one picture; a transfer that is cut is repeated, a dead URL is asked for afresh."""
    for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
        try:
            return await provider.download(picture)
        except (ProviderUnavailable, BadPicture):
            if attempt == DOWNLOAD_ATTEMPTS:
                raise
        except LinkExpired:
            if attempt == DOWNLOAD_ATTEMPTS or not provider.capabilities.renews_links:
                raise
            picture = (await provider.pictures(status))[picture.index]
        await asyncio.sleep(DOWNLOAD_PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _keep(
    picture: DownloadedPicture, index: int, shot: Shot, job_id: str, cost: Money | None, studio: Studio
) -> ImageRecord:
    sha256 = sha256_of(picture.data)
    examined = await _examine(picture, sha256, shot, job_id, studio)
    record = ImageRecord(
        sha256=sha256,
        shot_key=shot.key,
        provider=shot.provider,
        sandbox=shot.sandbox,
        job_id=job_id,
        output_index=index,
        request=shot.request,
        prompt=shot.prompt,
        step=shot.step,
        parent_sha256=shot.parent_sha256,
        references=shot.references,
        campaign=studio.run.campaign,
        edition=studio.run.edition,
        position=shot.position,
        cost=cost,
        checks=examined.checks,
        made_at=datetime.now(UTC),
    )
    store = studio.archive.store
    await store.put_if_absent(object_key(sha256), picture.data)
    await store.put_if_absent(record_key(sha256), record.model_dump_json(indent=1).encode())
    await store.put_if_absent(thumbnail_key(sha256), examined.thumbnail)
    return record


async def _examine(picture: DownloadedPicture, sha256: str, shot: Shot, job_id: str, studio: Studio) -> Examined:
    """Decodes the bytes. Paid bytes that fail are never thrown away: they go to quarantine, with the reason."""
    try:
        async with studio.decoding:
            return await asyncio.to_thread(examine, picture.data, f"The picture of {shot.label}")
    except BadPicture as error:
        why = Quarantined(shot_key=shot.key, job_id=job_id, reason=str(error), declared_type=picture.media_type)
        await studio.archive.store.put_if_absent(quarantine_key(sha256), picture.data)
        await studio.archive.store.put_if_absent(quarantine_reason_key(sha256), why.model_dump_json(indent=1).encode())
        raise


def _share(billed: Money | None, pictures: int) -> Money | None:
    """Divides a job's bill among its pictures."""
    return None if billed is None or pictures == 0 else Money(amount=billed.amount / pictures, unit=billed.unit)


def _entry(record: ImageRecord) -> CatalogueEntry:
    """Makes the row by which the catalogue finds a record."""
    return CatalogueEntry(
        sha256=record.sha256,
        size_bytes=record.checks.size_bytes,
        media_type=record.checks.media_type,
        width_px=record.checks.width_px,
        height_px=record.checks.height_px,
        shot_key=record.shot_key,
        provider=record.provider,
        model=record.request.model,
        prompt=record.prompt.text,
        seed=record.request.seed,
        parent_sha256=record.parent_sha256,
        campaign=record.campaign,
        edition=record.edition,
        step=record.step,
        fingerprint=bytes.fromhex(record.checks.fingerprint),
        made_at=record.made_at,
        record_json=record.model_dump_json(),
    )
