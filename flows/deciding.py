"""Takes what people have decided into their archive: decisions files of contact sheets, and single words on pictures.

No flow run: it buys nothing and lasts a moment.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import BriefError
from flows.archives import existing_archive
from flows.showing import find
from tasks.decided import Ruled, TakenIn, refuse_strangers, take_in, take_ruling
from tasks.decision_file import MOST_BYTES, DecisionFile, read_decision_file
from tasks.rulings import restored, told_apart


async def decide(files: Sequence[Path], archive: ImageArchive | Path | str | None = None) -> tuple[TakenIn, ...]:
    """Takes in decisions files: all of them, or none.

    Args:
        files: What a contact sheet has saved.
        archive: Which archive; the rule of `flows/archives.py` where nothing is named.

    Raises:
        BriefError: A file cannot be read, is no decisions file, belongs to another archive, or marks pictures that its
            campaign does not have.
        SetupError: There is no archive.
    """
    read = [await asyncio.to_thread(_read, file) for file in files]
    block = await existing_archive(archive)
    async with block.open() as opened:
        for each in read:
            await refuse_strangers(each, opened)
        return tuple([await take_in(each, opened, datetime.now(UTC)) for each in read])


async def restore(image: str, archive: ImageArchive | Path | str | None = None) -> Ruled:
    """Makes a duplicate or a rejected picture a keeper, in all campaigns, until somebody rejects it.

    Args:
        image: Its SHA-256, how that begins, or its file.
        archive: Which archive; the rule of `flows/archives.py` where nothing is named.

    Raises:
        BriefError: The archive has no such picture.
        SetupError: There is no archive.
    """
    async with (await existing_archive(archive)).open() as opened:
        record = await find(image, opened)
        return await take_ruling(restored(record.sha256, "command", datetime.now(UTC)), opened)


async def not_duplicate(one: str, other: str, archive: ImageArchive | Path | str | None = None) -> Ruled:
    """Remembers for ever that neither of two pictures is a duplicate of the other, in any campaign.

    Args:
        one: SHA-256 of a picture, how that begins, or its file.
        other: The other one's.
        archive: Which archive; the rule of `flows/archives.py` where nothing is named.

    Raises:
        BriefError: The archive has no such picture, or both are the same.
        SetupError: There is no archive.
    """
    async with (await existing_archive(archive)).open() as opened:
        first, second = [(await find(image, opened)).sha256 for image in (one, other)]
        if first == second:
            raise BriefError(f"{one!r} and {other!r} are the same picture, {first[:12]}: name two.")
        return await take_ruling(told_apart(first, second, datetime.now(UTC)), opened)


def _read(file: Path) -> DecisionFile:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise BriefError(f"{file} cannot be read: {error.strerror or error}") from error
    return read_decision_file(data, file.name)
