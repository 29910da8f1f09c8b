"""The page in a real browser, opened from disk as people do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from blocks.archive.folder_store import FolderStore
from tasks.report import make_contact_sheet

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROKEN_IN_VIEW = """() => [...document.images].filter((image) => {
    const box = image.getBoundingClientRect();
    const inView = image.checkVisibility() && box.height > 0 && box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    return inView && !(image.complete && image.naturalWidth > 0);
}).map((image) => image.outerHTML)"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Debian's chromium at {CHROMIUM}"),
]


@pytest.fixture
async def sheet_file(furnished: Any, tmp_path: Path, hostile: str) -> Path:
    """A contact sheet of 39 pictures on disk."""
    store = await FolderStore.open(tmp_path / "archive")
    for key, data in furnished.store.objects.items():
        await store.put_if_absent(key, data)
    made = await make_contact_sheet(furnished.sheet(title=hostile), store)
    return store.path_of(made.html_key)


@pytest.fixture
async def page(sheet_file: Path) -> AsyncIterator[Page]:
    """The opened page; afterwards: no complaint in the console, no request but for files."""
    complaints: list[str] = []
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(sheet_file.as_uri())
        yield page
        await browser.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("file://")] == []


async def test_every_picture_in_view_is_there(page: Page) -> None:
    """Scrolling from top to end shows every picture, and nothing moves the page sideways."""
    height = await page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 600):
        await page.evaluate("(top) => scrollTo(0, top)", top)
        await page.wait_for_function(f"() => ({BROKEN_IN_VIEW})().length === 0", timeout=10_000)
    assert await page.evaluate("[...document.images].filter((image) => image.naturalWidth > 0).length") > 30
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_hostile_texts_are_read_as_texts(page: Page, hostile: str) -> None:
    """The prompt is shown letter by letter, and no script of its own has run."""
    assert await page.locator("h1").text_content() == hostile
    assert hostile in await page.locator(".solo h2").all_text_contents()
    assert await page.locator("img[src=x], [onload], [onerror]").count() == 0


async def test_the_slider_uncovers_the_edit(page: Page) -> None:
    """Keys move the cut, and the pair that is compared can be chosen."""
    comparing = page.locator(".comparing").first
    await comparing.locator("input").focus()
    await page.keyboard.press("Home")
    assert await _clip(comparing.locator(".after")) == "inset(0px 0px 0px 0%)"
    await page.keyboard.press("End")
    assert await _clip(comparing.locator(".after")) == "inset(0px 0px 0px 100%)"

    await comparing.get_by_role("button", name="1A → 1B").click()
    await expect(comparing.locator(".tag")).to_have_text(["1A", "1B"])
    await page.wait_for_function(
        "() => [...document.querySelector('.compare').children].every((part) => part.naturalWidth !== 0)"
    )


async def test_words_and_toggles_narrow_the_sheet(page: Page) -> None:
    """All words must occur; toggles show keepers, duplicates or edits; Escape brings everything back."""
    await page.keyboard.press("/")
    await page.keyboard.type("OXBLOOD dusk")
    await expect(page.locator("#count")).to_have_text("3 of 39")
    assert await page.locator("section:visible").count() == 1
    await page.keyboard.press("Escape")
    await expect(page.locator("#count")).to_have_text("39 of 39")

    for toggle, count in (("keepers", 30), ("duplicates", 9), ("edits", 7), ("all", 39)):
        await page.locator(".show").get_by_text(toggle, exact=True).click()
        await expect(page.locator("#count")).to_have_text(f"{count} of 39")

    await page.locator("#filter").fill("no such picture")
    await expect(page.get_by_text("No picture matches.")).to_be_visible()


async def test_the_lightbox_shows_originals_one_after_the_other(page: Page) -> None:
    """Arrows walk, B shows the picture before the edit, Escape closes; the address names the frame."""
    await page.get_by_role("button", name="Open frame 1A").click()
    lightbox = page.locator("#lightbox")
    await expect(lightbox.locator("#number")).to_have_text("1A")
    await _loaded(page)
    edited = await page.locator("#large").get_attribute("src")
    await page.keyboard.press("b")
    await _loaded(page)
    assert await page.locator("#large").get_attribute("src") not in {edited, None}
    await page.keyboard.press("ArrowRight")
    await expect(lightbox.locator("#number")).to_have_text("1B")
    await expect(lightbox.locator(".words")).to_have_text("Make it neon light from the left.")
    await _loaded(page)
    assert page.url.endswith("#1B")
    await page.keyboard.press("Escape")
    await expect(lightbox).to_be_hidden()


async def test_an_address_with_a_frame_opens_it(page: Page) -> None:
    """People send each other a link to one picture."""
    await page.goto(f"{page.url}#9B")
    await page.reload()

    await expect(page.locator("#number")).to_have_text("9B")


async def test_the_theme_can_be_chosen(page: Page) -> None:
    """It follows the system until somebody presses the button."""
    shades = []
    for _ in range(3):
        shades.append(await page.evaluate("getComputedStyle(document.documentElement).colorScheme"))
        await page.locator("#theme").click()

    assert shades == ["dark", "light", "dark"]


async def _clip(locator: Any) -> str:
    shape: str = await locator.evaluate("(image) => getComputedStyle(image).clipPath")
    return shape


async def _loaded(page: Page) -> None:
    await page.wait_for_function("() => document.querySelector('#large').naturalWidth > 300", timeout=10_000)
