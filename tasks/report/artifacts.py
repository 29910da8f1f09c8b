"""The report inside Prefect: a page with figures and small pictures, and a table of all images.

The pictures travel inside the page as `data:` URIs: such a page needs no file server and outlives the machine.
"""

import asyncio
import base64
import re
import textwrap
from collections.abc import Iterable

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from pydantic import Field

from blocks.archive.layout import thumbnail_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.models import ImageRecord
from tasks.report.arrange import build_view
from tasks.report.sheet import Sheet
from tasks.report.thumbnails import shrink
from tasks.report.view import Frame, SheetView

THUMB_PX = 160
COLUMNS = 3
MAX_PICTURES = 100
"""On the page: Prefect stores every artifact twice, and 100 pictures are near 1 MB."""
MAX_CAPTION = 140
CAPTION_WIDTH = 26
"""Characters of a caption's line, under a thumbnail of 160 pixels."""

_MARKUP = re.compile(r"[&<>\"'`|\\*_\[\]~]|(?<=http):|(?<=https):|(?<=www)\.", re.IGNORECASE)


class Picture(Frozen):
    """A keeper as the page shows it."""

    label: str
    caption: str
    thumb: bytes | None = Field(repr=False, description="A small JPEG; None where it cannot be shown.")


class ImageRow(Frozen):
    """One image in the table."""

    frame: str
    verdict: str
    repeats: str
    distance_bits: int | None
    prompt: str
    seed: int
    provider: str
    size: str
    cost: str
    sha256: str


async def publish_artifacts(sheet: Sheet, store: Store, contact_sheet_path: str) -> None:
    """Creates the artifacts `contact-sheet` and `images` of the present flow or task run.

    Call it after `make_contact_sheet`, whose thumbnails it reuses.

    Args:
        sheet: What the contact sheet was made from.
        store: Where it lies.
        contact_sheet_path: Where a person finds it: a path or an address.
    """
    view = build_view(sheet)
    keepers = [frame for frame in view.frames if frame.state != "duplicate"]
    pictures = [await _picture(frame, store) for frame in keepers[:MAX_PICTURES]]
    page = summary_markdown(view, pictures, len(keepers) - len(pictures), contact_sheet_path)
    await acreate_markdown_artifact(page, key="contact-sheet", description=escape(sheet.title))
    rows = [row.model_dump() for row in image_rows(view)]
    await acreate_table_artifact(rows, key="images", description=f"Every image of {escape(sheet.campaign)}")


def summary_markdown(view: SheetView, pictures: Iterable[Picture], left_out: int, contact_sheet_path: str) -> str:
    """Writes the page: figures, keepers in three columns, failures.

    Args:
        view: The sheet.
        pictures: Keepers to show.
        left_out: How many more keepers there are.
        contact_sheet_path: Where a person finds the whole sheet.
    """
    sheet = view.sheet
    parts = [
        f"# {escape(sheet.title)}",
        f"{escape(sheet.campaign)}, edition {escape(sheet.edition)}. Contact sheet: {escape(contact_sheet_path)}",
        _figures(view),
        _money(view),
        _picture_table(tuple(pictures)),
        f"… and {left_out} more on the contact sheet." if left_out > 0 else "",
        _failures(view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def image_rows(view: SheetView) -> tuple[ImageRow, ...]:
    """Lists every image of the campaign, by frame number. Prefect renders Markdown in cells, so texts are escaped."""
    return tuple(_row(frame, frame.image) for frame in view.frames if frame.image is not None)


def escape(text: str) -> str:
    """Makes a text safe in a Markdown table: one line, no markup, no HTML, no link of its own."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _MARKUP.sub(lambda match: f"&#{ord(match.group())};", line)


def _row(frame: Frame, image: ImageRecord) -> ImageRow:
    verdict = frame.verdict if frame.state == "duplicate" else None
    return ImageRow(
        frame=frame.label,
        verdict=frame.state,
        repeats="" if verdict is None else frame.repeats or verdict.keeper_sha256[:8],
        distance_bits=None if verdict is None else verdict.distance_bits,
        prompt=escape(_shorten(image.request.prompt)),
        seed=image.request.seed,
        provider=f"{image.provider} (sandbox)" if image.sandbox else image.provider,
        size=f"{image.checks.width_px} × {image.checks.height_px}",
        cost=str(image.cost) if image.cost is not None else "",
        sha256=image.sha256,
    )


async def _picture(frame: Frame, store: Store) -> Picture:
    prompt = frame.image.request.prompt if frame.image is not None else ""
    try:
        data = await store.get(thumbnail_key(frame.sha256))
    except ArchiveError:
        data = b""  # no thumbnail, because the picture cannot be read
    thumb = await asyncio.to_thread(shrink, data, THUMB_PX, 78) if data else None
    return Picture(label=frame.label, caption=_shorten(prompt), thumb=thumb)


def _figures(view: SheetView) -> str:
    sheet = view.sheet
    figures = {
        "made": str(len(view.frames)),
        "keepers": str(view.count("keeper")),
        "duplicates": str(view.count("duplicate")),
        "failed": str(len(sheet.failures)),
        "bought": str(sheet.bought),
        "reused": str(sheet.reused),
        "spent": escape(str(sheet.cost)),
    }
    return "\n".join([_table_row(figures), _table_row(["---:"] * len(figures)), _table_row(figures.values())])


def _money(view: SheetView) -> str:
    """Shows what all runs of the edition cost, by unit."""
    if not view.sheet.balances:
        return ""
    names = [name for name, _ in view.sheet.balances[0].amounts()]
    rows = [
        _table_row([escape(balance.unit), *(amount for _, amount in balance.amounts())])
        for balance in view.sheet.balances
    ]
    return "\n".join([_table_row(["all runs", *names]), _table_row(["---:"] * (1 + len(names))), *rows])


def _picture_table(pictures: tuple[Picture, ...]) -> str:
    if not pictures:
        return ""
    cells = [_cell(picture) for picture in pictures]
    cells += [""] * (-len(cells) % COLUMNS)
    rows = [_table_row(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    return "\n".join([_table_row([" "] * COLUMNS), _table_row([":---"] * COLUMNS), *rows])


def _cell(picture: Picture) -> str:
    if picture.thumb is None:
        shown = "(cannot be read)"
    else:
        shown = f"![frame {picture.label}](data:image/jpeg;base64,{base64.b64encode(picture.thumb).decode()})"
    # The UI does not break the lines of a table: three columns fit its page only if we do.
    lines = textwrap.wrap(f"{picture.label} {picture.caption}", CAPTION_WIDTH)
    first = f"**{picture.label}** {escape(lines[0].removeprefix(picture.label).strip())}"
    return "<br>".join([shown, first, *(escape(line) for line in lines[1:])])


def _failures(view: SheetView) -> str:
    if not view.failures:
        return ""
    rows = [
        _table_row([escape(group.kind), escape(_shorten(failure.prompt)), escape(failure.message)])
        for group in view.failures
        for failure in group.failures[:MAX_PICTURES]
    ]
    return "\n".join(["## What failed", "", _table_row(["kind", "prompt", "why"]), _table_row([":---"] * 3), *rows])


def _table_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CAPTION else text[: MAX_CAPTION - 1].rstrip() + "…"
