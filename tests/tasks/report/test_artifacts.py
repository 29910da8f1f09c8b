import base64
import io
import re
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image

from tasks.models import Balance
from tasks.report import artifacts, make_contact_sheet, publish_artifacts
from tasks.report.arrange import build_view
from tasks.report.artifacts import MAX_PICTURES, Picture, escape, image_rows, summary_markdown


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What was sent to Prefect, by key."""
    sent: dict[str, dict[str, Any]] = {}

    async def keep_markdown(markdown: str, key: str, description: str) -> UUID:
        sent[key] = {"markdown": markdown, "description": description}
        return uuid4()

    async def keep_table(table: list[dict[str, Any]], key: str, description: str) -> UUID:
        sent[key] = {"table": table, "description": description}
        return uuid4()

    monkeypatch.setattr(artifacts, "acreate_markdown_artifact", keep_markdown)
    monkeypatch.setattr(artifacts, "acreate_table_artifact", keep_table)
    return sent


async def test_the_report_is_a_page_and_a_table(furnished: Any, published: dict[str, dict[str, Any]]) -> None:
    """The page shows every keeper as a small JPEG inside the text; the table lists every image."""
    await make_contact_sheet(furnished.sheet(), furnished.store)
    await publish_artifacts(furnished.sheet(), furnished.store, "sheets/teapots/2025-11/index.html")

    assert set(published) == {"contact-sheet", "images"}
    pictures = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)", published["contact-sheet"]["markdown"])
    sizes = [Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in pictures]
    assert sizes == [(160, 160)] * 30
    assert published["images"]["table"] == [row.model_dump() for row in image_rows(build_view(furnished.sheet()))]
    assert len(published["images"]["table"]) == 39


async def test_a_page_never_holds_more_than_a_hundred_pictures(
    studio: Any, published: dict[str, dict[str, Any]]
) -> None:
    """Prefect stores artifacts twice: what is left out is counted."""
    for number in range(MAX_PICTURES + 2):
        studio.add(f"pot {number}")
    await make_contact_sheet(studio.sheet(), studio.store)
    await publish_artifacts(studio.sheet(), studio.store, "index.html")

    page = published["contact-sheet"]["markdown"]
    assert page.count("data:image/jpeg") == MAX_PICTURES
    assert "… and 2 more on the contact sheet." in page


def test_the_page_has_figures_and_three_columns(studio: Any) -> None:
    """The whole page, word by word."""
    first = studio.add("a pot")
    studio.add("a pot", repeats=first)
    pictures = [Picture(label=label, caption="a pot", thumb=thumb) for label, thumb in (("1", b"jpeg"), ("2", None))]

    page = summary_markdown(build_view(studio.sheet()), pictures, 0, "sheets/index.html")

    assert page == (
        "# Teapots for a small shop\n"
        "\n"
        "teapots, edition 2025-11. Contact sheet: sheets/index.html\n"
        "\n"
        "| made | keepers | duplicates | failed | bought | reused | spent |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| 2 | 1 | 1 | 0 | 2 | 0 | 10 CU |\n"
        "\n"
        "|   |   |   |\n"
        "| :--- | :--- | :--- |\n"
        "| ![frame 1](data:image/jpeg;base64,anBlZw==)<br>**1** a pot | (cannot be read)<br>**2** a pot |  |\n"
    )


def test_the_money_of_all_runs_is_told(studio: Any) -> None:
    """What is open or perhaps lost is no less spent than what is paid: a person sees it beside."""
    balance = Balance(
        unit="CU", estimated=Decimal("12.50"), reserved=Decimal(2), billed=Decimal(10), lost=Decimal("0.5")
    )

    page = summary_markdown(build_view(studio.sheet(balances=(balance,))), [], 0, "index.html")

    assert (
        "| all runs | estimated | paid | open | perhaps lost |\n"
        "| ---: | ---: | ---: | ---: | ---: |\n"
        "| CU | 12.5 | 10 | 2 | 0.5 |\n"
    ) in page


def test_captions_are_broken_into_lines(studio: Any) -> None:
    """Prefect's page does not break the lines of a table: a long caption would push the other columns out of it."""
    pictures = [Picture(label="1A", caption="Set the cup of image 2 into the <foreground>", thumb=b"jpeg")]

    page = summary_markdown(build_view(studio.sheet()), pictures, 0, "index.html")

    assert "<br>**1A** Set the cup of image 2<br>into the &#60;foreground&#62; |" in page


def test_failures_are_told_on_the_page(furnished: Any) -> None:
    """Kind, prompt and message, each failure on one line however its message looks."""
    page = summary_markdown(build_view(furnished.sheet()), [], 0, "index.html")

    lines = page.partition("## What failed")[2].strip().splitlines()
    assert lines[2] == "| JobFailed | A teapot | The safety filter stopped it. |"
    assert lines[3].startswith("| JobTimedOut | A teapot | &#60;/script&#62;&#60;img src=x onerror=alert(1)&#62; ")
    assert len(lines) == 4


def test_hostile_texts_are_harmless_in_markdown(hostile: str) -> None:
    """No pipe ends a cell, no tag starts, no link or picture of somebody else appears."""
    assert escape("a|b `c` <img> [x](y)\nz") == "a&#124;b &#96;c&#96; &#60;img&#62; &#91;x&#93;(y) z"
    assert escape("see https://evil.example and www.evil.example") == (
        "see https&#58;//evil.example and www&#46;evil.example"
    )
    assert escape("5 o'clock: #FF5733, 50%") == "5 o&#39;clock: #FF5733, 50%"
    assert not set(escape(hostile)) & set("<>|`\n\"'*[]")


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
        "prompt": "a &#60;b&#62;pot",
        "seed": image.request.seed,
        "provider": "scenario (sandbox)",
        "size": "48 × 32",
        "cost": "5 CU",
        "sha256": image.sha256,
    }
