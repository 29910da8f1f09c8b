"""One picture large, in a real browser."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


async def test_the_large_view_shows_originals_one_after_the_other(page: Page) -> None:
    """Arrows walk, B shows the picture before the edit, C slides, Escape closes; the address names the frame."""
    await page.get_by_role("button", name="Open frame 1A").click()
    lightbox = page.locator("#lightbox")
    await expect(lightbox.locator("#number")).to_have_text("1A")
    await _loaded(page)
    edited = await page.locator("#large").get_attribute("src")
    await page.keyboard.press("b")
    await _loaded(page)
    assert await page.locator("#large").get_attribute("src") not in {edited, None}
    await page.keyboard.press("c")
    await expect(lightbox.locator(".compare .tag")).to_have_text(["1", "1A"])
    await page.keyboard.press("c")
    await page.keyboard.press("ArrowRight")
    await expect(lightbox.locator("#number")).to_have_text("1B")
    await expect(lightbox.locator(".words")).to_have_text("Make it neon light from the left.")
    await expect(page.locator("#large")).to_have_attribute("alt", "Frame 1B: Make it neon light from the left.")
    await _loaded(page)
    assert page.url.endswith("#1B")
    await page.keyboard.press("Escape")
    await expect(lightbox).to_be_hidden()


async def test_the_large_view_shows_where_a_picture_comes_from(page: Page) -> None:
    """Parents on the left, references above, children on the right; each of them is one click away."""
    await page.get_by_role("button", name="Open frame 1A").click()
    lineage = page.locator("#lineage")
    for place, labels in (("parents", ["1"]), ("given", ["product", "style"]), ("this", ["1A"]), ("children", ["1B"])):
        await expect(lineage.locator(f".{place} .miniature")).to_have_text(labels)
    await lineage.get_by_role("button", name="Show frame product").click()
    await expect(page.locator("#about .words")).to_have_text("Reference: product")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#number")).to_have_text("1A")


async def test_a_duplicate_leads_to_its_keeper(page: Page) -> None:
    """The large view says how far they are apart, and which one is kept; the keeper shows its duplicates."""
    await page.locator(".show").get_by_text("duplicates", exact=True).click()
    duplicate = page.locator(".folded .duplicate").first
    said = await duplicate.locator(".verdict b").text_content() or ""
    await duplicate.locator(".open").click()
    await expect(page.locator("#about .verdict b")).to_have_text(said)
    label = await page.locator("#number").text_content()
    await page.locator("#about .verdict .link").click()
    assert label in await page.locator("#about .row .miniature").all_text_contents()


async def test_a_finger_turns_the_page(browser: Browser, sheet_file: Path) -> None:
    """On a phone the large view is wiped through, and nothing is wider than the screen."""
    async with opened(
        browser, sheet_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as page:
        await page.get_by_role("button", name="Open frame 1A").tap()
        await expect(page.locator("#number")).to_have_text("1A")
        await page.evaluate(
            """() => {
                const box = document.querySelector('.window');
                const at = (x) => [new Touch({ identifier: 1, target: box, clientX: x, clientY: 200 })];
                box.dispatchEvent(new TouchEvent('touchstart', { touches: at(300), changedTouches: at(300) }));
                box.dispatchEvent(new TouchEvent('touchend', { touches: [], changedTouches: at(100) }));
            }"""
        )
        await expect(page.locator("#number")).to_have_text("1B")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_the_large_view_is_large_on_a_low_screen_too(browser: Browser, sheet_file: Path) -> None:
    """At 200 % on a laptop, or on a phone on its side, the facts stand beside the picture."""
    async with opened(browser, sheet_file, viewport={"width": 720, "height": 450}) as page:
        await page.get_by_role("button", name="Open frame 1", exact=True).click()
        box = await page.locator(".window").bounding_box()
        facts = await page.locator("#lightbox aside").bounding_box()
        assert box is not None
        assert facts is not None
        assert box["height"] > 300
        assert box["x"] + box["width"] <= facts["x"]


async def test_an_address_with_a_frame_opens_it(page: Page) -> None:
    """People send each other a link to one picture."""
    await page.goto(f"{page.url}#9B")
    await page.reload()

    await expect(page.locator("#number")).to_have_text("9B")


async def _loaded(page: Page) -> None:
    await page.wait_for_function("() => document.querySelector('#large').naturalWidth > 300", timeout=10_000)
