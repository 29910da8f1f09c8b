"""Takes decisions files of contact sheets into their archive. No flow run: it buys nothing and lasts a moment."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import BriefError
from flows.archives import existing_archive
from tasks.decided import TakenIn, refuse_strangers, take_in
from tasks.decision_file import MOST_BYTES, DecisionFile, read_decision_file


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


def _read(file: Path) -> DecisionFile:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise BriefError(f"{file} cannot be read: {error.strerror or error}") from error
    return read_decision_file(data, file.name)
