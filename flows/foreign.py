"""Finds the near-duplicates in a folder that is no archive. No flow run: there is nothing to write its result into."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from blocks.archive.layout import MANIFEST_KEY
from blocks.errors import BriefError
from flows.care.deduping import THRESHOLD, rule_of
from tasks.folder import FolderReport, look_through
from tasks.report.folder_page import write_report
from tasks.steps import Steps


class Looked(NamedTuple):
    """What was found, and where the page is that shows it."""

    report: FolderReport
    page: Path


def is_foreign(folder: Path) -> bool:
    """Tells whether a folder is there, and no archive."""
    return folder.is_dir() and not (folder / MANIFEST_KEY).exists()


async def dedupe_folder(folder: Path, out: Path | None = None, threshold: str = THRESHOLD) -> Looked:
    """Groups the PNG, JPEG and WebP pictures of a folder and of those below it. Touches no picture.

    Args:
        folder: Where the pictures lie.
        out: Where to write the page and the lists; `near-duplicates-FOLDER` in the working directory if left out.
        threshold: What counts as a repeat: strict, normal, loose, or a number of bits of 192.

    Raises:
        BriefError: The threshold is none, the folder cannot be read, or the results cannot be written.
    """
    report = await look_through(folder, rule_of(threshold), on_read=Steps("read"), on_placed=Steps("compared"))
    place = out if out is not None else await asyncio.to_thread(_place_for, folder)
    try:
        page = await asyncio.to_thread(write_report, report, folder, place)
    except OSError as error:
        why = error.strerror or error
        raise BriefError(f"{place} cannot be written: {why}. Name another place by --out.") from error
    return Looked(report, page)


def _place_for(folder: Path) -> Path:
    return Path(f"near-duplicates-{folder.resolve().name or 'root'}")
