import base64
import io
import re
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from tasks.report import artifacts, make_contact_sheet, publish_artifacts
from tasks.report.arrange import build_view
from tasks.report.artifacts import image_rows

Sent = dict[str, dict[str, Any]]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What was sent to Prefect, by key, in the order of sending."""
    sent: Sent = {}

    async def keep_markdown(markdown: str, key: str, description: str) -> UUID:
        sent[key] = {"markdown": markdown, "description": description}
        return UUID(int=len(sent))

    async def keep_table(table: list[dict[str, Any]], key: str, description: str) -> UUID:
        sent[key] = {"table": table, "description": description}
        return UUID(int=len(sent))

    monkeypatch.setattr(artifacts, "acreate_markdown_artifact", keep_markdown)
    monkeypatch.setattr(artifacts, "acreate_table_artifact", keep_table)
    return sent


async def test_the_report_is_a_page_and_a_table(furnished: Any, published: Sent) -> None:
    """The page shows every keeper as a small JPEG inside the text; the table lists every image."""
    await make_contact_sheet(furnished.sheet(), furnished.store)
    await publish_artifacts(furnished.sheet(), furnished.store, "sheets/teapots/2025-11/index.html")

    assert list(published) == ["teapots-contact-sheet", "teapots-images"]
    pictures = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)", published["teapots-contact-sheet"]["markdown"])
    sizes = [Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in pictures]
    assert sizes == [(160, 160)] * 30
    assert published["teapots-images"]["table"] == [
        row.model_dump() for row in image_rows(build_view(furnished.sheet()))
    ]
    assert len(published["teapots-images"]["table"]) == 39


async def test_many_keepers_fill_several_pages(studio: Any, published: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page has its share; the last one is sent first, so that the first page links to all; the rest is counted."""
    monkeypatch.setattr(artifacts, "PICTURES_PER_PAGE", 2)
    monkeypatch.setattr(artifacts, "MAX_PAGES", 3)
    for number in range(9):
        studio.add(f"pot {number}")
    await make_contact_sheet(studio.sheet(), studio.store)
    await publish_artifacts(studio.sheet(), studio.store, "index.html")

    assert list(published) == [
        "teapots-contact-sheet-3",
        "teapots-contact-sheet-2",
        "teapots-contact-sheet",
        "teapots-images",
    ]
    pages = [
        published[key]["markdown"]
        for key in ("teapots-contact-sheet", "teapots-contact-sheet-2", "teapots-contact-sheet-3")
    ]
    assert [re.findall(r"\*\*\d\*\* pot (\d)", page) for page in pages] == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert (
        "Page 1 of 3: **teapots-contact-sheet** · "
        f"[teapots-contact-sheet-2](/artifacts/artifact/{UUID(int=2)}) · "
        f"[teapots-contact-sheet-3](/artifacts/artifact/{UUID(int=1)})\n"
    ) in pages[0]
    assert ["… and 3 more on the full contact sheet." in page for page in pages] == [False, False, True]


async def test_a_campaign_without_pictures_has_a_page(studio: Any, published: Sent) -> None:
    """What failed and what it cost is told even where nothing was made."""
    await publish_artifacts(studio.sheet(), studio.store, "index.html")

    assert list(published) == ["teapots-contact-sheet", "teapots-images"]
    assert "| 0 | 0 | 0 | 0 | 0 | 0 | nothing |" in published["teapots-contact-sheet"]["markdown"]


async def test_rejected_pictures_are_not_on_the_pages(studio: Any, published: Sent) -> None:
    """The pages show what is kept: neither repeats nor what a person has put aside."""
    kept, _ = studio.add("kept pot"), studio.add("unloved pot")
    studio.add("kept pot", repeats=kept)
    verdicts = [studio.verdicts[0], studio.verdicts[1].model_copy(update={"kind": "rejected"}), studio.verdicts[2]]
    sheet = studio.sheet(verdicts=tuple(verdicts))
    await publish_artifacts(sheet, studio.store, "index.html")

    assert re.findall(r"(\w+) pot", published["teapots-contact-sheet"]["markdown"]) == ["kept"]


def test_a_row_says_what_an_image_is(studio: Any) -> None:
    """A duplicate names its keeper and the distance; the prompt is what was sent."""
    first = studio.add("a pot")
    studio.add("a <b>pot", repeats=first, distance_bits=4, sandbox=True)
    _, row = image_rows(build_view(studio.sheet()))

    image = studio.images[1]
    assert row.model_dump() == {
        "frame": "2",
        "verdict": "duplicate",
        "repeats": "1",
        "distance_bits": 4,
        "prompt": r"a \<b\>pot",
        "seed": image.request.seed,
        "provider": "scenario (sandbox)",
        "size": "48 × 32",
        "cost": "5 CU",
        "sha256": image.sha256,
    }
