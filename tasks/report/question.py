"""The page above the form of a review: the pictures by their numbers, small enough for a dialog of Prefect's UI."""

import asyncio
import base64
import textwrap

from blocks.archive.layout import thumbnail_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from tasks.report.markdown import escape, link_or_code, table
from tasks.report.thumbnails import shrink
from tasks.review import Candidate, Question
from tasks.shown import one_line

COLUMNS = 3
THUMB_PX = 112
"""Three of them fit the dialog, which is narrower than a page of artifacts."""

THUMB_QUALITY = 70
CAPTION_WIDTH = 16
MAX_CAPTION = 32
MAX_PICTURES = 60
"""About 0.3 MB, which travel with every look at the form."""


async def question_markdown(question: Question, store: Store) -> str:
    """Writes the page; call it after the contact sheet, whose thumbnails it reuses."""
    shown = question.asked[:MAX_PICTURES]
    left_out = len(question.asked) - len(shown)
    cells = [await _cell(each, store) for each in shown]
    cells += [""] * (-len(cells) % COLUMNS)
    rows = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
    parts = [
        f"**Please look again:** {escape(question.complaint)}" if question.complaint else "",
        f"**{escape(question.title)}**, edition {escape(question.edition)}: {question.text}",
        f"What is rejected stays in the archive, put aside. Next: {escape(question.following)}",
        _earlier(question),
        link_or_code("Contact sheet", question.contact_sheet),
        table([" "] * COLUMNS, ":---", rows),
        f"… and {left_out} more on the contact sheet." if left_out else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _earlier(question: Question) -> str:
    if question.decided_at is None:
        return ""
    return f"The form holds what was decided on {question.decided_at:%Y-%m-%d %H:%M} UTC."


async def _cell(candidate: Candidate, store: Store) -> str:
    try:
        data = await store.get(thumbnail_key(candidate.image.sha256))
    except ArchiveError:
        data = b""  # no thumbnail, because the picture cannot be read
    thumb = await asyncio.to_thread(shrink, data, THUMB_PX, THUMB_QUALITY) if data else None
    shown = f"![frame {candidate.label}]({_as_uri(thumb)})" if thumb else "(cannot be read)"
    # The dialog does not break the lines of a table.
    caption = textwrap.wrap(one_line(candidate.image.request.prompt, MAX_CAPTION), CAPTION_WIDTH)
    return "<br>".join([shown, f"**{candidate.label}**", *(escape(line) for line in caption)])


def _as_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
