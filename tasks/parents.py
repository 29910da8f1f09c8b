"""Edits beside their parents: both are read from the archive, and held against each other."""

import asyncio

from PIL import Image

from blocks.archive.layout import object_key
from blocks.errors import ArchiveError, BadPicture
from tasks.checks import decode_small
from tasks.drift import drift_between
from tasks.measured import Drift
from tasks.run_log import run_log
from tasks.studio import Studio

UNKNOWN = "How far an edit went from its parent is not known: %s"


async def drift_from(parent_sha256: str, edited: Image.Image, studio: Studio) -> Drift | None:
    """Measures how far an edit went from its parent.

    Args:
        parent_sha256: The picture that was edited.
        edited: What came of it; its small copy is enough.
        studio: The archive that has the parent.

    Returns:
        The drift; None, and a line in the log, where the parent cannot be read: that is no reason to lose an edit.
    """
    try:
        return await _measured(parent_sha256, edited, studio)
    except (ArchiveError, BadPicture) as error:
        run_log().warning(UNKNOWN, error)
        return None


async def drift_in_archive(parent_sha256: str, sha256: str, studio: Studio) -> Drift | None:
    """Measures an edit that the archive has already, as `drift_from` otherwise."""
    try:
        return await _measured(parent_sha256, await _read_small(sha256, studio), studio)
    except (ArchiveError, BadPicture) as error:
        run_log().warning(UNKNOWN, error)
        return None


async def _measured(parent_sha256: str, edited: Image.Image, studio: Studio) -> Drift:
    parent = await _read_small(parent_sha256, studio)
    async with studio.decoding:
        return await asyncio.to_thread(drift_between, parent, edited)


async def _read_small(sha256: str, studio: Studio) -> Image.Image:
    data = await studio.archive.store.get(object_key(sha256))
    async with studio.decoding:
        return await asyncio.to_thread(decode_small, data, f"Picture {sha256[:12]}")
