import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blocks.archive.layout import object_key
from tasks.report import ContactSheet, make_contact_sheet
from tasks.report.sheet import sheet_folder
from tasks.report.thumbs import LONG_SIDE_PX, shrink

FOLDER = "sheets/teapots/2025-11"


async def test_a_contact_sheet_is_a_page_an_overview_and_thumbnails(furnished: Any) -> None:
    """Everything lies in the sheet's folder, under the keys that are handed back."""
    made = await make_contact_sheet(furnished.sheet(), furnished.store)

    assert made == ContactSheet(html_key=f"{FOLDER}/index.html", overview_key=f"{FOLDER}/overview.png")
    shown = {image.sha256 for image in furnished.images} | {use.sha256 for use in furnished.references}
    written = {key for key in furnished.store.objects if key.startswith("sheets/")}
    assert written == {made.html_key, made.overview_key, *(f"{FOLDER}/thumbs/{sha256}.jpg" for sha256 in shown)}


async def test_thumbnails_are_written_once_and_the_page_again(furnished: Any) -> None:
    """A second run makes only what is missing, and the same sheet gives the same bytes."""
    await make_contact_sheet(furnished.sheet(), furnished.store)
    before = dict(furnished.store.objects)
    await make_contact_sheet(furnished.sheet(), furnished.store)

    again = {key for key, count in furnished.store.writes.items() if count > 1}
    assert again == {f"{FOLDER}/index.html", f"{FOLDER}/overview.png"}
    assert furnished.store.objects == before


@pytest.mark.parametrize("damage", [b"", b"\x89PNG\r\n\x1a\nno picture", None], ids=["empty", "broken", "missing"])
async def test_a_lost_picture_gets_a_placeholder(studio: Any, damage: bytes | None) -> None:
    """Broken or missing bytes spoil one frame, not the sheet; no thumbnail hides the loss after a repair."""
    lost = studio.add("lost")
    studio.add("kept")
    key = object_key(lost.sha256)
    if damage is None:
        del studio.store.objects[key]
    else:
        studio.store.objects[key] = damage

    made = await make_contact_sheet(studio.sheet(), studio.store)

    page = studio.store.objects[made.html_key].decode()
    assert page.count("The bytes of this picture are missing or broken") == 1
    assert f"thumbs/{lost.sha256}.jpg" not in page
    assert f"{FOLDER}/thumbs/{lost.sha256}.jpg" not in studio.store.objects


async def test_a_campaign_without_pictures_still_has_a_sheet(studio: Any) -> None:
    """A run where everything failed is the one that people want to look at."""
    made = await make_contact_sheet(studio.sheet(), studio.store)

    assert Image.open(io.BytesIO(studio.store.objects[made.overview_key])).format == "PNG"


@pytest.mark.parametrize(
    ("campaign", "folder"),
    [
        ("teapots", "sheets/teapots/2025-11"),
        ("../../etc", "sheets/etc-74ccf3c5/2025-11"),
        ("a/b", "sheets/a-b-c14cddc0/2025-11"),
        ("..", "sheets/unnamed-5ec1f7e7/2025-11"),
    ],
)
def test_a_campaign_never_names_a_folder_outside_the_sheets(studio: Any, campaign: str, folder: str) -> None:
    """Names are people's texts: what is no plain name is replaced, and two names never share a folder."""
    assert sheet_folder(studio.sheet(campaign=campaign)) == folder


def test_a_thumbnail_is_a_jpeg_of_bounded_size(make_png: Callable[[int, int], bytes]) -> None:
    """The long side is bounded, the shape is kept, and small pictures are not blown up."""
    sizes = []
    for size_px in ((1600, 800), (800, 1600), (30, 20)):
        thumb = shrink(make_png(*size_px), LONG_SIDE_PX)
        assert thumb is not None
        with Image.open(io.BytesIO(thumb)) as picture:
            sizes.append((picture.format, picture.size))

    assert sizes == [("JPEG", (480, 240)), ("JPEG", (240, 480)), ("JPEG", (30, 20))]


def test_a_transparent_picture_gets_a_dark_ground() -> None:
    """JPEG has no transparency: what is clear shows the page's darkness, not garbage."""
    with io.BytesIO() as file:
        Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(file, "PNG")
        thumb = shrink(file.getvalue(), LONG_SIDE_PX)

    assert thumb is not None
    with Image.open(io.BytesIO(thumb)) as picture:
        assert np.asarray(picture).max() < 40
