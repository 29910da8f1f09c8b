"""Where an image comes from, and what became of it: a question to an archive that needs no flow run."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from blocks.archive.archive import Archive
from blocks.archive.block import ImageArchive
from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import object_key
from blocks.errors import BriefError
from blocks.provider import Frozen
from flows.archives import existing_archive
from tasks.archive import find_image, read_record
from tasks.measured import How
from tasks.models import ImageRecord, sha256_of
from tasks.recognise import Likeness, recognise
from tasks.said import Said, said_about


class Provenance(Frozen):
    """Everything that an archive knows of an image."""

    record: ImageRecord
    verdicts: tuple[VerdictRow, ...]
    edits: tuple[str, ...]
    file: str
    ancestors: tuple[ImageRecord, ...] = ()
    """What it was made from, edit by edit, the first image first."""
    descendants: tuple[ImageRecord, ...] = ()
    """What was made from it, edits of edits included."""
    decisions: tuple[Said, ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    """Where a file was asked about that the archive does not have: what it looks like, this image first."""


async def show(image: str, archive: ImageArchive | Path | str | None = None) -> Provenance:
    """Tells where an image comes from.

    Args:
        image: Its SHA-256, how that begins, or the path of a file: of the image itself, or of a copy that was stripped
            of its metadata, encoded anew, cropped or mirrored.
        archive: The archive, its folder or its saved block; found as in `campaign` if left out.

    Raises:
        BriefError: The archive has no such image.
        SetupError: There is no archive.
    """
    data = await asyncio.to_thread(_read, Path(image))
    async with (await existing_archive(archive)).open(for_reading=True) as opened:
        record, likenesses = await _find(image, data, opened)
        catalogue = opened.catalogue
        descendants = [read_record(each.record_json) for each in await catalogue.descendants_of(record.sha256)]
        return Provenance(
            record=record,
            verdicts=await catalogue.verdicts_for(record.sha256),
            edits=tuple(each.sha256 for each in descendants if each.parent_sha256 == record.sha256),
            file=f"{opened.root}/{object_key(record.sha256)}",
            ancestors=tuple(read_record(each.record_json) for each in await catalogue.ancestors_of(record.sha256)),
            descendants=tuple(descendants),
            decisions=await said_about(record.sha256, opened.store),
            likenesses=likenesses,
        )


_MADE_OF_ONE: Mapping[How, str] = MappingProxyType({"crop": "a part of one", "mirror": "the mirror image of one"})


async def find(image: str, archive: Archive) -> ImageRecord:
    """Finds an image that something is to be done with: as `show` does, but for crops and mirror images.

    Raises:
        BriefError: The archive has no such image, or only one that the file is a crop or the mirror image of.
    """
    record, likenesses = await _find(image, await asyncio.to_thread(_read, Path(image)), archive)
    if likenesses and likenesses[0].how != "copy":
        raise BriefError(
            f"{Path(image).name} is no copy of an image here, but {_MADE_OF_ONE[likenesses[0].how]}: {record.sha256}. "
            "Name that, if it is meant."
        )
    return record


async def _find(image: str, data: bytes | None, archive: Archive) -> tuple[ImageRecord, tuple[Likeness, ...]]:
    if data is None:
        return await find_image(image, archive.catalogue), ()
    exact = await archive.catalogue.get(sha256_of(data))
    if exact is not None:
        return read_record(exact.record_json), ()
    likenesses = await recognise(data, Path(image).name, archive.catalogue)
    return await find_image(likenesses[0].sha256, archive.catalogue), likenesses


def _read(path: Path) -> bytes | None:
    """Reads a file; None where the name is none of a file."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise BriefError(f"{path} cannot be read: {error.strerror}.") from error
