"""A page of 5,000 pictures in a real browser: everything works, and little of it is made before it is looked at."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page, expect

from blocks.archive.layout import object_key, thumbnail_key
from tasks.models import Binding, ImageRecord, Prompt, Verdict
from tasks.report.arrange import build_view
from tasks.report.page import render_page
from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import opened

PICTURES = 5000
SEEDS = 10
GLAZES = tuple(f"glaze-{letter}" for letter in ascii_lowercase[:25])
LIGHTS = tuple(f"light-{letter}" for letter in ascii_lowercase[:20])
EDITED_EVERY = 50

MOST_ELEMENTS_PER_PICTURE = 10
MOST_PICTURES_LOADED = 400
MOST_IN_GRID_LOADED = 1000

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


def variants(image: ImageRecord, edit: ImageRecord) -> tuple[ImageRecord, ...]:
    """Every glaze in every light with ten seeds; each fiftieth picture is an edit of the one before."""
    made: list[ImageRecord] = []
    for number in range(PICTURES):
        glaze, light = GLAZES[number // SEEDS // len(LIGHTS)], LIGHTS[number // SEEDS % len(LIGHTS)]
        text = f"A pot with {glaze} in {light}"
        bindings = (Binding(name="glaze", value=glaze), Binding(name="light", value=light))
        prompt = Prompt(text=text, template="A pot with {glaze} in {light}", bindings=bindings)
        is_edit = number % EDITED_EVERY == EDITED_EVERY - 1
        source, parent = (edit, made[-1].sha256) if is_edit else (image, None)
        request = source.request.model_copy(update={"seed": number % SEEDS, **({} if is_edit else {"prompt": text})})
        changes = {"sha256": f"{number:064x}", "prompt": prompt, "request": request, "parent_sha256": parent}
        made.append(source.model_copy(update={**changes, "position": number}))
    return tuple(made)


@pytest.fixture
def sheet_of_thousands(studio: Any, tmp_path: Path) -> Path:
    """The page with its thumbnails on disk; every hundredth picture repeats the one before."""
    first = studio.add("a pot")
    images = variants(first, studio.add("a pot", parent=first, instruction="Make it dusk."))
    verdicts = tuple(
        Verdict(
            sha256=image.sha256,
            kind="duplicate" if number % 100 == 7 else "keeper",
            keeper_sha256=images[number - 1].sha256 if number % 100 == 7 else image.sha256,
            distance_bits=2 if number % 100 == 7 else 0,
            reason="",
        )
        for number, image in enumerate(images)
    )
    picture = tmp_path / "picture.jpg"
    Image.new("RGB", (48, 32), "teal").save(picture)
    for key in (key_of(image.sha256) for image in images for key_of in (thumbnail_key, object_key)):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).hardlink_to(picture)
    page = tmp_path / "sheets" / "teapots" / "1" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(render_page(build_view(studio.sheet(images=images, verdicts=verdicts))), encoding="utf-8")
    return page


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, sheet_of_thousands: Path) -> AsyncIterator[Page]:
    """The opened page."""
    async with opened(browser, sheet_of_thousands) as page:
        yield page


async def loaded(page: Page, selector: str = "img") -> int:
    count: int = await page.locator(selector).evaluate_all(
        "(images) => images.filter((image) => image.naturalWidth > 0).length"
    )
    return count


async def test_five_thousand_pictures_can_be_worked_with(page: Page) -> None:
    """Filter, lists, grid, large view, keys and marks do what they do on a small sheet."""
    count = page.locator("#count")
    await expect(count).to_have_text("5000 of 5000")
    assert await page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS_PER_PICTURE * PICTURES
    assert 0 < await loaded(page) < MOST_PICTURES_LOADED

    steps: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: page.locator("#filter").fill("glaze-h"), "200 of 5000"),
        (lambda: page.locator("#filter").fill("glaze-h light-l"), "10 of 5000"),
        (lambda: page.locator("#filter").fill(""), "5000 of 5000"),
        (lambda: page.locator("[value=duplicates]").check(force=True), "50 of 5000"),
        (lambda: page.locator("[value=edits]").check(force=True), "100 of 5000"),
        (lambda: page.locator("[value=all]").check(force=True), "5000 of 5000"),
    )
    for do, shown in steps:
        await do()
        await expect(count).to_have_text(shown)

    await page.keyboard.press("g")
    await expect(page.locator("#grid-said")).to_have_text("25 × 20")
    assert await page.locator("#grid .cell").count() == 25 * 20
    await page.wait_for_function("() => document.querySelector('#grid img').naturalWidth > 0")
    await page.wait_for_load_state("networkidle")
    assert await page.locator("#grid img").count() == 4 * 25 * 20
    assert await loaded(page, "#grid img") < MOST_IN_GRID_LOADED
    await page.locator("#down").select_option("prompt")
    await expect(page.locator("#grid-said")).to_have_text("25 × 500, 260 rows not shown: narrow the filter")
    await page.keyboard.press("Escape")
    await page.locator("#as-sheet").click()

    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("5")
    await expect(page.locator("#marked")).to_have_text("1 marked")
    await page.keyboard.press("Enter")
    await expect(page.locator("#place")).to_contain_text("of 4950")  # folded duplicates are not walked through


async def test_no_picture_moves_when_it_comes(page: Page) -> None:
    """All boxes have the same height before anything is loaded into them; far down, pictures load as they are seen."""
    await page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    in_view = ".solo .open, .frames .open"
    await page.wait_for_function(
        "() => [...document.images].filter((image) => image.naturalWidth > 0).length > 60", timeout=20_000
    )
    heights = await page.locator(in_view).evaluate_all(
        """(boxes) => boxes.map((box) => box.getBoundingClientRect())
            .filter((box) => box.bottom > 0 && box.top < innerHeight).map((box) => Math.round(box.height))"""
    )
    assert len(heights) > 3
    assert len(set(heights)) == 1
    assert await loaded(page) < MOST_PICTURES_LOADED
