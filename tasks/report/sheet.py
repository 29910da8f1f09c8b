"""Makes the contact sheet of a campaign: one HTML page, one PNG, and small copies of the pictures.

They lie under `sheets/<campaign>/<edition>/` and `thumbnails/` in the archive and may be deleted: another run makes
them again.
"""

import asyncio
import hashlib
import re

from blocks.archive.layout import thumbnail_key
from blocks.archive.store import Store
from blocks.provider import Frozen
from tasks.provenance.views import marked_overview
from tasks.report.arrange import build_view, pictures_of
from tasks.report.overview import OverviewFrame, render_overview
from tasks.report.page import render_page
from tasks.report.thumbnails import make_thumbnails
from tasks.report.view import Sheet, SheetView

__all__ = ["ContactSheet", "Sheet", "make_contact_sheet", "sheet_folder"]


class ContactSheet(Frozen):
    """Where a contact sheet lies, as keys of the archive's store."""

    html_key: str
    overview_key: str


async def make_contact_sheet(sheet: Sheet, store: Store) -> ContactSheet:
    """Writes the page, the overview and the missing thumbnails; the same sheet gives the same bytes.

    A picture whose bytes are missing or broken gets a placeholder.

    Raises:
        ArchiveError: The store cannot be written.
    """
    folder = sheet_folder(sheet)
    records = {image.sha256: image for image in sheet.images}
    unreadable = await make_thumbnails(store, pictures_of(sheet), records)
    view = build_view(sheet, unreadable)
    made = ContactSheet(html_key=f"{folder}/index.html", overview_key=f"{folder}/overview.png")
    frames = await _overview_frames(view, store)
    overview, page = await asyncio.gather(
        asyncio.to_thread(_marked_overview, view, frames),
        asyncio.to_thread(render_page, view),
    )
    await store.put(made.overview_key, overview)
    await store.put(made.html_key, page.encode())
    return made


def _marked_overview(view: SheetView, frames: tuple[OverviewFrame, ...]) -> bytes:
    overview = render_overview(view.sheet.title, subtitle_of(view), frames, origin=view.origin)
    return marked_overview(overview, view.sheet.images)


def sheet_folder(sheet: Sheet) -> str:
    """The folder of a sheet. Campaign and edition are people's texts: what is no plain name is replaced."""
    return f"sheets/{_plain_name(sheet.campaign)}/{_plain_name(sheet.edition)}"


def subtitle_of(view: SheetView) -> str:
    """One line of facts for the overview."""
    sheet = view.sheet
    rejected = f"   {view.count('rejected')} rejected" if view.count("rejected") else ""
    made, repeats = len(view.frames), view.count("duplicate")
    counts = f"{made} picture{'s' * (made != 1)}   {repeats} duplicate{'s' * (repeats != 1)}{rejected}"
    return f"{sheet.campaign}   {sheet.edition}   {counts}"


def _plain_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:80]
    # Two different texts never share a folder: whatever had to change gets a few digits of its hash.
    return name if name == text else f"{name or 'unnamed'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


async def _overview_frames(view: SheetView, store: Store) -> tuple[OverviewFrame, ...]:
    return tuple(
        [
            OverviewFrame(
                label=frame.label,
                is_duplicate=frame.state == "duplicate",
                is_rejected=frame.state == "rejected",
                thumb=await store.get(thumbnail_key(frame.sha256)) if frame.readable else None,
            )
            for frame in view.frames
        ]
    )
