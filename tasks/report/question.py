"""The page above the form of a review: the pictures by their numbers, small enough for a dialog of Prefect's UI."""

import textwrap

from blocks.archive.store import Store
from tasks.report.markdown import escape, frame, link_or_code, side_by_side
from tasks.report.thumbnails import small_copy
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
    parts = [
        f"**Please look again:** {escape(question.complaint)}" if question.complaint else "",
        f"**{escape(question.title)}**, edition {escape(question.edition)}: {question.text}",
        f"What is rejected stays in the archive, put aside. Next: {escape(question.following)}",
        _earlier(question),
        link_or_code("Contact sheet", question.contact_sheet),
        side_by_side(cells, COLUMNS),
        f"… and {left_out} more on the contact sheet." if left_out else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _earlier(question: Question) -> str:
    if question.decided_at is None:
        return ""
    return f"The form holds what was decided on {question.decided_at:%Y-%m-%d %H:%M} UTC."


async def _cell(candidate: Candidate, store: Store) -> str:
    thumb = await small_copy(store, candidate.image.sha256, THUMB_PX, THUMB_QUALITY)
    # The dialog does not break the lines of a table.
    caption = textwrap.wrap(one_line(candidate.image.request.prompt, MAX_CAPTION), CAPTION_WIDTH)
    return "<br>".join([frame(candidate.label, thumb), f"**{candidate.label}**", *(escape(line) for line in caption)])
