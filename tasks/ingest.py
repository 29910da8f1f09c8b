"""Bytes -> archive: what was paid for is fetched, checked, stored and recorded, in this order.

Each step is idempotent and durable before the next: a run that is killed anywhere in between is simply run again.
"""

import asyncio
from datetime import UTC, datetime

from blocks.archive.layout import record_key, repeat_key, thumbnail_key
from blocks.errors import BadPicture, LinkExpired, ProviderUnavailable
from blocks.provider import DownloadedPicture, JobStatus, Money, Provider, RemotePicture
from tasks.checks import Examined
from tasks.gate.admit import Expected, admit
from tasks.gate.quarantine import Bought, quarantine
from tasks.models import ImageRecord, Shot, sha256_of
from tasks.parents import drift_from
from tasks.provenance.noting import with_credentials
from tasks.provenance.views import marked_thumbnail
from tasks.records import catalogue_entry, record_of
from tasks.studio import Studio
from tasks.trash import keep_bytes

DOWNLOAD_ATTEMPTS = 4
DOWNLOAD_PAUSE_SECONDS = 0.5


async def ingest(shot: Shot, status: JobStatus, studio: Studio) -> tuple[ImageRecord, ...]:
    """Brings the pictures of a finished job into the archive, in the order of its outputs.

    Raises:
        LinkExpired: The URL is dead, and the provider has no fresh one.
        ProviderUnavailable: They could not be fetched now.
        BadPicture: What came is no good picture; its bytes lie in quarantine. Another download may bring a good one.
        WrongPicture: What came is not what was asked for; it lies in quarantine, and is all that there is.
    """
    provider = studio.account(shot.provider).provider
    remote = await provider.pictures(status)
    share = _share(status.billed, len(remote))

    async def bring_home(each: RemotePicture) -> ImageRecord:
        picture = await fetch(provider, status, each)
        examined = await _admit(picture, each, shot, status.job_id, share, studio)
        return await _keep(picture, examined, each.index, shot, status.job_id, share, studio)

    brought = await asyncio.gather(*(bring_home(each) for each in remote), return_exceptions=True)
    records = [each for each in brought if isinstance(each, ImageRecord)]
    await studio.archive.catalogue.add([catalogue_entry(record) for record in records])
    for each in brought:
        if isinstance(each, BaseException):
            raise each  # after the good ones are safe
    return tuple(records)


async def fetch(provider: Provider, status: JobStatus, picture: RemotePicture) -> DownloadedPicture:
    """Fetches one picture; a transfer that is cut is repeated, a dead URL is asked for afresh.

    Raises:
        LinkExpired: The URL is dead, and the provider has no fresh one.
        ProviderUnavailable: It could not be fetched now.
        BadPicture: It is too large.
    """
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
    picture: DownloadedPicture,
    examined: Examined,
    index: int,
    shot: Shot,
    job_id: str,
    cost: Money | None,
    studio: Studio,
) -> ImageRecord:
    sha256 = sha256_of(picture.data)
    store, parent = studio.archive.store, shot.parent_sha256
    await keep_bytes(sha256, picture.data, store)  # before anything is measured: it was paid for
    record = record_of(
        shot,
        sha256=sha256,
        job_id=job_id,
        output_index=index,
        campaign=studio.run.campaign,
        edition=studio.run.edition,
        cost=cost,
        checks=examined.checks,
        drift=None if parent is None else await drift_from(parent, examined.small, studio),
        made_at=datetime.now(UTC),
    )
    said = record.model_dump_json(indent=1).encode()
    if not await store.put_if_absent(record_key(sha256), said):  # another shot's, or this one's from before
        await store.put_if_absent(repeat_key(shot.key, index), said)
    await store.put_if_absent(thumbnail_key(sha256), marked_thumbnail(examined.thumbnail, record))
    return record


async def _admit(
    picture: DownloadedPicture, remote: RemotePicture, shot: Shot, job_id: str, cost: Money | None, studio: Studio
) -> Examined:
    """Lets a picture through the gate; what does not pass goes to quarantine, with the reason."""
    expected = Expected.of(shot.request, picture.media_type)
    try:
        async with studio.decoding:
            return await asyncio.to_thread(_examine, picture.data, expected, f"The picture of {shot.label}")
    except BadPicture as error:
        run, now = studio.run, datetime.now(UTC)
        bought = Bought(shot=shot, campaign=run.campaign, edition=run.edition, cost=cost, received_at=now)
        await quarantine(picture, remote, bought, job_id, error, studio.archive.store)
        raise


def _examine(data: bytes, expected: Expected, shown_as: str) -> Examined:
    """Lets a picture through the gate, and notes what its content credentials say today. CPU work."""
    examined = admit(data, expected, shown_as)
    return examined._replace(checks=with_credentials(examined.checks, data))


def _share(billed: Money | None, pictures: int) -> Money | None:
    """Divides a job's bill among its pictures."""
    return None if billed is None or pictures == 0 else Money(amount=billed.amount / pictures, unit=billed.unit)
