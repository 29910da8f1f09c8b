import io
from typing import Any

import pytest
from PIL import Image

from blocks.archive.layout import object_key, thumbnail_key
from tasks.models import ReferenceUse
from tasks.provenance.source_type import AI_MARK
from tasks.provenance.splice import packet_of
from tasks.report import ContactSheet, make_contact_sheet
from tasks.report.sheet import sheet_folder

FOLDER = "sheets/teapots/2025-11"


async def test_a_contact_sheet_is_a_page_an_overview_and_thumbnails(furnished: Any) -> None:
    """The page and the overview lie under the keys that are handed back; every picture on it has a thumbnail."""
    made = await make_contact_sheet(furnished.sheet(), furnished.store)

    assert made == ContactSheet(html_key=f"{FOLDER}/index.html", overview_key=f"{FOLDER}/overview.png")
    shown = {image.sha256 for image in furnished.images} | {use.sha256 for use in furnished.references}
    written = {key for key in furnished.store.objects if key.startswith(("sheets/", "thumbnails/"))}
    assert written == {made.html_key, made.overview_key, *(thumbnail_key(sha256) for sha256 in shown)}


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
    assert thumbnail_key(lost.sha256) not in page
    assert thumbnail_key(lost.sha256) not in studio.store.objects


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


async def test_what_leaves_with_a_sheet_carries_the_ai_mark(furnished: Any) -> None:
    """Thumbnails and overview are saved and posted by themselves; a photograph that was only a reference is no AI's."""
    photograph = ReferenceUse(role="photograph", sha256=furnished.images[0].sha256[::-1])
    furnished.store.objects[object_key(photograph.sha256)] = furnished.store.objects[
        object_key(furnished.images[0].sha256)
    ]
    made = await make_contact_sheet(furnished.sheet(references=(photograph,)), furnished.store)

    marked = [thumbnail_key(image.sha256) for image in furnished.images] + [made.overview_key]
    assert [key for key in marked if AI_MARK not in furnished.store.objects[key]] == []
    assert packet_of(furnished.store.objects[thumbnail_key(photograph.sha256)]) is None
