"""Where an export goes: never among the archive's own files, and never into another export."""

import re
from pathlib import Path

from blocks.archive.archive import Archive
from blocks.archive.folder_store import FolderStore
from blocks.errors import BriefError, SetupError
from tasks.export.manifest import Order, read_manifest

EXPORTS = "exports"
"""Folder of exports whose place nobody has named: in the archive's own folder, on the same disk as its pictures."""

MAX_WORD = 40
DIGEST_DIGITS = 10


def place_for(archive: Archive, order: Order, target: Path | None) -> Path:
    """Settles on a folder: the one that is named, otherwise one named after what is in it.

    Raises:
        BriefError: Nothing may be exported there.
        SetupError: No folder is named, and the archive is none.
    """
    root = archive.store.root if isinstance(archive.store, FolderStore) else None
    if target is not None:
        place = target.expanduser().absolute()
    elif root is not None:
        place = (root / EXPORTS / name_for(order)).absolute()
    else:  # the current folder would be that of a worker, which may be gone with its container
        raise SetupError(
            f"The archive {archive.root} is no folder that an export could go into: name one, as FOLDER on the command "
            "line or as `folder` of the run."
        )
    if root is not None:
        _refuse_inside(place.resolve(), root.resolve())
    _refuse_in_another(place.resolve())
    return place


def name_for(order: Order) -> str:
    """Names an export's folder after what is in it: words of plain letters, whatever campaigns are called."""
    wanted = order.terms.filter
    words = [_word(each) for each in (wanted.campaign or "archive", wanted.edition) if each]
    return "-".join([*(word for word in words if word), order.terms.format, order.digest[:DIGEST_DIGITS]])


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_WORD].strip("-")


def _refuse_inside(place: Path, root: Path) -> None:
    """Keeps an export out of the archive's own folders, where its files would pass for pictures or decisions."""
    if place.is_relative_to(root) and not place.is_relative_to(root / EXPORTS):
        raise BriefError(
            f"{place} lies in the archive itself: name a folder outside of it, or in its folder `{EXPORTS}`."
        )


def _refuse_in_another(place: Path) -> None:
    """Keeps an export out of others: programs load a folder with all that is below it."""
    for folder in place.parents:
        if read_manifest(folder):
            raise BriefError(
                f"{place} lies in another export, {folder}: whoever loads that one would get these pictures, too. Name "
                "a folder outside of it."
            )
