"""What a look at a foreign folder has found, as files: a page to look at, JSON and CSV for programs.

The page links to the pictures where they lie and copies none. File names are strangers' texts: Jinja2 escapes them, and
a Content-Security-Policy lets the page show pictures and nothing else.
"""

import base64
import csv
import hashlib
import io
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.folder import FolderReport

PAGE, LIST, TABLE = "overview.html", "groups.json", "groups.csv"

MOST_GROUPS = 1000
MOST_MEMBERS = 24
"""On the page; the lists have all."""

COLUMNS = ("group", "is", "path", "distance_bits", "how", "reason", "sha256")

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(report: FolderReport, folder: Path, out: Path) -> Path:
    """Writes the page and the lists, in the place of those of an earlier look; returns where the page is.

    Args:
        report: What was found.
        folder: Where the pictures lie.
        out: The folder to write to; made where it is missing.

    Raises:
        OSError: It cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / LIST).write_text(f"{report.model_dump_json(indent=1)}\n", encoding="utf-8")
    (out / TABLE).write_text(_table(report), encoding="utf-8", newline="")
    page = out / PAGE
    page.write_text(render(report, os.path.relpath(folder, out)), encoding="utf-8")
    return page


def render(report: FolderReport, to_folder: str) -> str:
    """Renders the page.

    Args:
        report: What was found.
        to_folder: The way from the page to the folder of the pictures.
    """
    style = (_TEMPLATES / "folder.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("folder.html.j2")
        .render(
            report=report,
            groups=report.groups[:MOST_GROUPS],
            most_members=MOST_MEMBERS,
            style=style,
            policy=f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{digest}'; base-uri 'none'",
            address=lambda path: quote(f"{to_folder}/{path}"),
        )
    )


def _table(report: FolderReport) -> str:
    """One line for each picture of a group. Each path begins with `./`, no spreadsheet takes it for one of its own."""
    with io.StringIO() as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_lines(report))
        return file.getvalue()


def _lines(report: FolderReport) -> Iterator[tuple[str | int, ...]]:
    for number, group in enumerate(report.groups, start=1):
        keeper = group.keeper
        yield number, "keeper", f"./{keeper.path}", 0, "", "", keeper.sha256
        for each in group.members:
            what = "colour variant" if each.is_color_variant else "duplicate"
            why = "" if each.is_color_variant else f"keeper {each.because}"
            yield number, what, f"./{each.path}", each.distance_bits, each.how, why, each.sha256


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
