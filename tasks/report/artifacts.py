"""The report inside Prefect: pages with figures and small pictures, and a table of all images, as artifacts."""

from collections.abc import Sequence

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from blocks.archive.store import Store
from blocks.provider import Frozen
from tasks.models import ImageRecord
from tasks.report.arrange import build_view
from tasks.report.markdown import escape
from tasks.report.pages import MAX_CAPTION, Album, Picture, key_of, page_markdown
from tasks.report.sheet import Sheet
from tasks.report.thumbnails import small_copy
from tasks.report.view import Frame, SheetView
from tasks.shown import one_line

THUMB_PX = 160
THUMB_QUALITY = 78
PICTURES_PER_PAGE = 100
"""Prefect stores every artifact twice, and 100 pictures are near 1 MB."""
MAX_PAGES = 10

_ADDRESS_OF_ARTIFACT = "/artifacts/artifact/{}"
"""Where Prefect's UI shows an artifact, on whatever host people have opened it."""


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


async def publish_artifacts(sheet: Sheet, store: Store, contact_sheet: str) -> None:
    """Creates the artifacts `teapots-contact-sheet`, …`-2`, … and `teapots-images` of the present flow or task run.

    Call it after `make_contact_sheet`, whose thumbnails it reuses.

    Args:
        sheet: What the contact sheet was made from.
        store: Where it lies.
        contact_sheet: Where a person finds it: a path or an address.
    """
    view = build_view(sheet)
    await _publish_pages(view, store, contact_sheet)
    rows = [row.model_dump() for row in image_rows(view)]
    await acreate_table_artifact(
        rows, key=f"{sheet.campaign}-images", description=f"Every image of {escape(sheet.campaign)}"
    )


async def _publish_pages(view: SheetView, store: Store, contact_sheet: str) -> None:
    keepers = [frame for frame in view.frames if frame.state in {"keeper", "unjudged"}]
    pages = min(MAX_PAGES, max(1, -(-len(keepers) // PICTURES_PER_PAGE)))
    addresses: dict[int, str] = {}
    for page in range(pages, 0, -1):  # the last one first: a page can link to those that exist
        album = Album(
            page=page,
            pages=pages,
            pictures=await _pictures(keepers[(page - 1) * PICTURES_PER_PAGE : page * PICTURES_PER_PAGE], store),
            left_out=max(0, len(keepers) - pages * PICTURES_PER_PAGE) if page == pages else 0,
        )
        markdown = page_markdown(view, album, contact_sheet, addresses)
        made = await acreate_markdown_artifact(
            markdown, key=key_of(view.sheet.campaign, page), description=escape(view.sheet.title)
        )
        addresses[page] = _ADDRESS_OF_ARTIFACT.format(made)


def image_rows(view: SheetView) -> tuple[ImageRow, ...]:
    """Lists every image of the campaign, by frame number. Prefect renders Markdown in cells, so texts are escaped."""
    return tuple(_row(frame, frame.image) for frame in view.frames if frame.image is not None)


def _row(frame: Frame, image: ImageRecord) -> ImageRow:
    verdict = frame.verdict if frame.state == "duplicate" else None
    return ImageRow(
        frame=frame.label,
        verdict=frame.state,
        repeats="" if verdict is None else frame.repeats or verdict.keeper_sha256[:8],
        distance_bits=None if verdict is None else verdict.distance_bits,
        prompt=escape(one_line(image.request.prompt, MAX_CAPTION)),
        seed=image.request.seed,
        provider=f"{image.provider} (sandbox)" if image.sandbox else image.provider,
        size=f"{image.checks.width_px} × {image.checks.height_px}",
        cost=str(image.cost) if image.cost is not None else "",
        sha256=image.sha256,
    )


async def _pictures(frames: Sequence[Frame], store: Store) -> tuple[Picture, ...]:
    return tuple([await _picture(frame, store) for frame in frames])


async def _picture(frame: Frame, store: Store) -> Picture:
    request = None if frame.image is None else frame.image.request
    return Picture(
        label=frame.label,
        caption="" if request is None else request.prompt,
        seed=None if request is None else request.seed,
        thumb=await small_copy(store, frame.sha256, THUMB_PX, THUMB_QUALITY),
    )
