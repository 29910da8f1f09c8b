"""The pages of the report inside Prefect: figures, money, failures, and the keepers in three columns.

The pictures travel inside the page as `data:` URIs: such a page needs no file server and outlives the machine.
"""

import textwrap
from collections import Counter
from collections.abc import Mapping

from pydantic import Field

from blocks.provider import Frozen
from tasks.advice import advice_on
from tasks.placeholders import placeholders_among, sentence_on
from tasks.report.markdown import code, escape, frame, link, link_or_code, side_by_side, table
from tasks.report.view import SheetView
from tasks.shown import one_line, sentence

COLUMNS = 3
CAPTION_WIDTH = 26
"""Characters of a caption's line, under a thumbnail of 160 pixels."""

MAX_CAPTION = 140
MAX_REASONS = 50
MAX_REASON = 400


class Picture(Frozen):
    """A keeper as a page shows it."""

    label: str
    caption: str
    seed: int | None
    thumb: bytes | None = Field(repr=False, description="A small JPEG; None where it cannot be shown.")


class Album(Frozen):
    """The keepers of one page among several, which are counted from 1."""

    page: int = 1
    pages: int = 1
    pictures: tuple[Picture, ...] = ()
    left_out: int = Field(default=0, description="Keepers for which no page has room.")


def key_of(campaign: str, page: int) -> str:
    """Names the artifact of a page: `teapots-contact-sheet`, `teapots-contact-sheet-2` and so on.

    Prefect keeps all that ever had one key as its history: each campaign has its own.
    """
    key = f"{campaign}-contact-sheet"
    return key if page == 1 else f"{key}-{page}"


def page_markdown(view: SheetView, album: Album, contact_sheet: str, addresses: Mapping[int, str]) -> str:
    """Writes one page; the first one begins with the summary.

    Args:
        view: The whole sheet.
        album: What this page shows of it.
        contact_sheet: Where a person finds the full sheet: an address, which becomes a link, or a path.
        addresses: Where the other pages are, as far as they exist already.
    """
    sheet = view.sheet
    is_first = album.page == 1
    parts = [
        f"# {escape(sheet.title)}",
        f"{escape(sheet.campaign)}, edition {escape(sheet.edition)}.",
        link_or_code("Full contact sheet", contact_sheet),
        _figures(view) if is_first else "",
        _rounds(view) if is_first else "",
        _money(view) if is_first else "",
        _failures(view) if is_first else "",
        _flagged(view) if is_first else "",
        _placeholders(view) if is_first else "",
        _navigation(sheet.campaign, album, addresses),
        picture_table(album.pictures),
        f"… and {album.left_out} more on the full contact sheet." if album.left_out else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(view: SheetView) -> str:
    sheet = view.sheet
    rejected = view.count("rejected")
    figures = {
        "made": str(len(view.frames)),
        "keepers": str(view.count("keeper")),
        "duplicates": str(view.count("duplicate")),
        **({"rejected": str(rejected)} if rejected else {}),
        "failed": str(len(sheet.failures)),
        "bought": str(sheet.bought),
        "reused": str(sheet.reused),
        "spent": escape(str(sheet.cost)),
    }
    return table(figures, "---:", [figures.values()])


def _rounds(view: SheetView) -> str:
    """Tells how the rounds ended, and what they yielded."""
    curve = view.yield_curve
    return "" if curve is None else f"**{escape(curve.message)}** ({escape(curve.line)})"


def _money(view: SheetView) -> str:
    """Shows what all runs of the edition cost, by unit."""
    balances = view.sheet.balances
    if not balances:
        return ""
    names = [name for name, _ in balances[0].amounts()]
    rows = [[escape(balance.unit), *(amount for _, amount in balance.amounts())] for balance in balances]
    return table(["all runs", *names], "---:", rows)


def _failures(view: SheetView) -> str:
    """Tells each reason once. A list and no table, whose lines Prefect's page would not break."""
    reasons = Counter((failure.kind, failure.message) for failure in view.sheet.failures).most_common()
    if not reasons:
        return ""
    lines = [
        f"- **{number} × {escape(kind)}:** {escape(sentence(message, MAX_REASON))} {advice_on(kind)}"
        for (kind, message), number in reasons[:MAX_REASONS]
    ]
    if len(reasons) > MAX_REASONS:
        lines.append(f"- … and {len(reasons) - MAX_REASONS} more reasons on the full contact sheet.")
    return "\n".join(["## What failed", "", *lines])


def _flagged(view: SheetView) -> str:
    """Tells which edits changed more or less than their step allows, and what became of them."""
    flagged = [frame for frame in view.frames if frame.flagged is not None]
    if not flagged:
        return ""
    lines = [
        f"- **{escape(frame.label)}:** {escape(frame.flagged.reason)}"
        for frame in flagged[:MAX_REASONS]
        if frame.flagged is not None
    ]
    if len(flagged) > MAX_REASONS:
        lines.append(f"- … and {len(flagged) - MAX_REASONS} more on the full contact sheet.")
    return "\n".join(["## Edits that changed too much or too little", "", *lines])


def _placeholders(view: SheetView) -> str:
    """Tells which pictures look like what a provider sends in the place of one that it holds back."""
    flat = [frame.label for frame in view.frames if frame.image is not None and placeholders_among([frame.image])]
    return f"**Look at them:** {escape(sentence_on(flat))}." if flat else ""


def _navigation(campaign: str, album: Album, addresses: Mapping[int, str]) -> str:
    """Names all pages by their keys, with links to those that exist; the page itself stands out."""
    if album.pages == 1:
        return ""
    names = [
        f"**{key_of(campaign, page)}**"
        if page == album.page
        else link(key_of(campaign, page), addresses[page])
        if page in addresses
        else code(key_of(campaign, page))
        for page in range(1, album.pages + 1)
    ]
    return f"Page {album.page} of {album.pages}: {' · '.join(names)}"


def picture_table(pictures: tuple[Picture, ...]) -> str:
    """Puts pictures side by side, each above its number, its caption and its seed."""
    if not pictures:
        return ""
    return side_by_side([_cell(picture) for picture in pictures], COLUMNS)


def _cell(picture: Picture) -> str:
    # The UI does not break the lines of a table: three columns fit its page only if we do.
    caption = one_line(f"{picture.label} {picture.caption}", MAX_CAPTION)
    lines = textwrap.wrap(caption, CAPTION_WIDTH) or [picture.label]
    first = f"**{picture.label}** {escape(lines[0].removeprefix(picture.label).strip())}"
    seed = [] if picture.seed is None else [f"seed {picture.seed}"]
    return "<br>".join([frame(picture.label, picture.thumb), first, *(escape(line) for line in lines[1:]), *seed])
