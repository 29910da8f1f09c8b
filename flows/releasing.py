"""What lies in quarantine, and pictures that a person takes out of it. No flow run: it lasts a moment, buys nothing."""

import getpass
from datetime import UTC, datetime
from pathlib import Path

from blocks.archive.block import ImageArchive
from flows.archives import existing_archive
from tasks.models import ImageRecord
from tasks.release import Held, held_in
from tasks.release import release as take_in

SOMEBODY = "a person without a name"


async def quarantined(archive: ImageArchive | Path | str | None = None) -> tuple[Held, ...]:
    """Lists what lies in quarantine, and why.

    Args:
        archive: Which archive; the rule of `flows/archives.py` where nothing is named.

    Raises:
        SetupError: There is no archive.
    """
    async with (await existing_archive(archive)).open() as opened:
        return await held_in(opened)


async def release(
    image: str, archive: ImageArchive | Path | str | None = None, *, by: str | None = None
) -> ImageRecord:
    """Takes in a picture that the gate refused, as it is; its record says who did so, when, and why it was refused.

    Args:
        image: Its SHA-256, or how it begins.
        archive: Which archive; the rule of `flows/archives.py` where nothing is named.
        by: Who says so; the user of this machine if left out.

    Raises:
        BriefError: There is no such picture in quarantine, or it is in the archive already.
        BadPicture: It does not decode.
        ArchiveError: Nothing says for what it was paid, or its shot is open or has another picture by now.
        SetupError: There is no archive.
    """
    async with (await existing_archive(archive)).open() as opened:
        return await take_in(image, opened, by=by or _user(), now=datetime.now(UTC))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return SOMEBODY
