"""Where an edit has changed its picture, shown in a real browser."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from blocks.archive.folder_store import FolderStore
from tasks.measured import Drift
from tasks.models import Flagged, ImageRecord
from tasks.report import make_contact_sheet
from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


@pytest.fixture
async def measured_sheet(studio: Any, tmp_path: Path) -> Path:
    """A sheet with a chain of two edits: the first changed a corner, the second the middle, where it is flagged."""
    store = await FolderStore.open(tmp_path / "archive")
    first = studio.add("a pot")
    corner = _drifted(studio.add("a pot", parent=first, instruction="Make it dusk."), {0: 255})
    middle = _drifted(studio.add("a pot", parent=corner, instruction="Add a cup."), {136: 255})
    for key, data in studio.store.objects.items():
        await store.put_if_absent(key, data)
    flagged = Flagged(sha256=middle.sha256, step=2, kind="too_much", outcome="kept", reason="changed 34 %")
    made = await make_contact_sheet(studio.sheet(images=(first, corner, middle), flagged=(flagged,)), store)
    return store.path_of(made.html_key)


def _drifted(image: ImageRecord, places: dict[int, int]) -> ImageRecord:
    levels = bytes(places.get(place, 0) for place in range(256))
    drift = Drift(changed_share=0.34, mean_change=0.1, color_shift=2.14, places=levels.hex())
    return image.model_copy(update={"drift": drift})


HEAT = """(canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const at = (x, y) => data[4 * (Math.floor(y * height) * width + Math.floor(x * width)) + 3] > 60;
    return [at(0.02, 0.02), at(0.53, 0.53), at(0.9, 0.2)];
}"""
"""Whether the map shows something at the first corner, in the middle, and at another place."""


async def test_the_slider_shows_where_an_edit_changed_its_picture(browser: Browser, measured_sheet: Path) -> None:
    """The map lies on the picture that came of it; that of a whole chain has all places of its steps."""
    async with opened(browser, measured_sheet) as page:
        comparing = page.locator(".comparing")
        where, heat = comparing.locator(".where"), comparing.locator(".heat")
        await expect(heat).to_have_count(0)
        await where.click()
        assert await heat.evaluate(HEAT) == [True, True, False]
        await comparing.get_by_role("button", name="1 → 1A").click()
        assert await heat.evaluate(HEAT) == [True, False, False]
        await comparing.get_by_role("button", name="1A → 1B").click()
        assert await heat.evaluate(HEAT) == [False, True, False]
        await where.click()
        await expect(heat).to_have_count(0)


async def test_the_large_view_shows_where_an_edit_changed_its_picture(browser: Browser, measured_sheet: Path) -> None:
    """W slides and draws the map; the facts have the figures, and what is flagged is found and says why."""
    async with opened(browser, measured_sheet) as page:
        await page.locator(".show").get_by_text("flagged", exact=True).click()
        await expect(page.locator("#count")).to_have_text("1 of 3")
        await page.get_by_role("button", name="Open frame 1B").click()
        lightbox = page.locator("#lightbox")
        await expect(lightbox.locator(".verdict.flag")).to_have_text("changed 34 %")
        await expect(lightbox.locator("#about")).to_contain_text("34 %, colour shift 2.1 ΔE")
        await page.keyboard.press("w")
        await expect(lightbox.locator("#where")).to_have_attribute("aria-pressed", "true")
        assert await lightbox.locator(".heat").evaluate(HEAT) == [False, True, False]
        await page.keyboard.press("c")
        await expect(lightbox.locator("#where")).to_have_attribute("aria-pressed", "false")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Open frame 1", exact=True).click()
        await expect(lightbox.locator("#where")).to_be_disabled()
