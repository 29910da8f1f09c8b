"""Finds the contact sheets of an archive, newest first, for the page that lists them."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from deployments.sheets.files import find_file

MOST_SHEETS = 1000
"""More than this on one page helps nobody; the newest are shown."""

_HEAD_BYTES = 8192
_TITLE = re.compile(r"<title>(.{1,400}?)( · contact sheet)?</title>", re.DOTALL)


class ListedSheet(NamedTuple):
    """One edition of a campaign."""

    title: str
    campaign: str
    edition: str
    address: str
    overview: str | None
    made_at: datetime


def list_sheets(root: Path) -> tuple[ListedSheet, ...]:
    """Lists the sheets of an archive, newest first; an archive that is not there yet has none.

    Raises:
        OSError: The folder is there and cannot be read.
    """
    found = sorted(_sheets(root), key=lambda sheet: sheet.made_at, reverse=True)
    return tuple(found[:MOST_SHEETS])


def _sheets(root: Path) -> Iterator[ListedSheet]:
    for page in root.glob("sheets/*/*/index.html"):
        campaign, edition = page.parts[-3:-1]
        folder = f"sheets/{campaign}/{edition}"
        served = find_file(root, f"{folder}/index.html")
        if served is None:  # a name that is not ours, or a link
            continue
        overview = f"{folder}/overview.png"
        yield ListedSheet(
            title=_title_of(served.path) or campaign,
            campaign=campaign,
            edition=edition,
            address=f"/{folder}/index.html",
            overview=f"/{overview}" if find_file(root, overview) else None,
            made_at=datetime.fromtimestamp(served.stat.st_mtime, UTC),
        )


def _title_of(page: Path) -> str | None:
    """Reads the title that the page was given; it is a person's text."""
    with page.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode(errors="replace")
    match = _TITLE.search(head)
    return html.unescape(match[1]).strip() if match else None
