"""Sees to it that every picture on a sheet has its small copy; most were made when the picture came in."""

import asyncio
import io
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from PIL import Image

from blocks.archive.layout import object_key, thumbnail_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError, BadPicture
from tasks.checks import examine
from tasks.models import ImageRecord
from tasks.provenance.views import marked_thumbnail
from tasks.thumbnails import thumbnail_of

NO_RECORDS: Mapping[str, ImageRecord] = MappingProxyType({})
DECODERS = 2
"""Full pictures decoded at once: each takes up to 200 MB for a moment."""


async def make_thumbnails(
    store: Store, pictures: Iterable[str], records: Mapping[str, ImageRecord] = NO_RECORDS
) -> frozenset[str]:
    """Makes the small copies that are missing.

    Args:
        store: Where they lie.
        pictures: SHA-256 of each picture that is shown.
        records: What is known of them; the small copies of pictures with a record carry the AI mark.

    Returns:
        The pictures that cannot be shown, because their bytes are missing or broken.
    """
    decoders = asyncio.Semaphore(DECODERS)

    async def make(sha256: str) -> bool:
        key = thumbnail_key(sha256)
        async with decoders:
            if await store.head(key) is not None:
                return True
            made = await _thumbnail_of(store, sha256, records.get(sha256))
            if made is not None:
                await store.put_if_absent(key, made)
            return made is not None

    names = tuple(pictures)
    made = await asyncio.gather(*(make(sha256) for sha256 in names))
    return frozenset(sha256 for sha256, is_made in zip(names, made, strict=True) if not is_made)


async def _thumbnail_of(store: Store, sha256: str, record: ImageRecord | None) -> bytes | None:
    try:
        data = await store.get(object_key(sha256))
        thumbnail = (await asyncio.to_thread(examine, data, sha256)).thumbnail
    except (ArchiveError, BadPicture):
        return None  # lost or broken: the sheet says so in the picture's place
    return thumbnail if record is None else marked_thumbnail(thumbnail, record)


async def small_copy(store: Store, sha256: str, long_side_px: int, quality: int) -> bytes | None:
    """Makes a still smaller copy of a picture's thumbnail; None where it has none, because it cannot be read."""
    try:
        data = await store.get(thumbnail_key(sha256))
    except ArchiveError:
        return None
    return await asyncio.to_thread(shrink, data, long_side_px, quality)


def shrink(thumbnail: bytes, long_side_px: int, quality: int) -> bytes | None:
    """Makes a still smaller copy of a thumbnail; None where it is none."""
    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as picture:
            picture.draft("RGB", (long_side_px, long_side_px))  # the decoder itself halves: a quarter of the work
            return thumbnail_of(picture, long_side_px, quality)
    except OSError:
        return None  # somebody damaged the file
