"""The page in a real browser, opened from disk as people do."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from blocks.archive.folder_store import FolderStore
from tasks.report import make_contact_sheet
from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import LABELS, opened

BROKEN_IN_VIEW = """() => [...document.images].filter((image) => {
    const box = image.getBoundingClientRect();
    const inView = image.checkVisibility() && box.height > 0 && box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    return inView && !(image.complete && image.naturalWidth > 0);
}).map((image) => image.outerHTML)"""

WIDTH = "(part) => part.getBoundingClientRect().width"
HEIGHT = "(part) => part.getBoundingClientRect().height"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


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

    for toggle, count in (("keepers", 30), ("duplicates", 9), ("edits", 5), ("rejected", 0), ("all", 39)):
        await page.locator(".show").get_by_text(toggle, exact=True).click()
        await expect(page.locator("#count")).to_have_text(f"{count} of 39")

    await page.locator("#filter").fill("no such picture")
    await expect(page.get_by_text("No picture matches.")).to_be_visible()
    await page.locator("#as-grid").click()
    await expect(page.get_by_text("No picture matches.")).to_be_visible()
    await expect(page.locator("#grid-cells")).to_be_hidden()
    await page.get_by_role("button", name="Show everything").click()
    await expect(page.locator("#count")).to_have_text("39 of 39")
    await expect(page.locator("#grid-cells")).to_be_visible()


async def test_lists_narrow_the_sheet_further(page: Page) -> None:
    """Provider, step and every axis of the prompts can be chosen, together; one button takes all of it back."""
    await page.get_by_text("Filters").click()
    await page.locator('select[data-axis="glaze"]').select_option("cobalt")
    await expect(page.locator("#count")).to_have_text("10 of 39")
    await page.locator('[data-filter="provider"]').select_option("sunra")
    await expect(page.locator("#count")).to_have_text("2 of 39")
    await page.locator('[data-filter="step"]').select_option("2")
    await expect(page.locator("#count")).to_have_text("1 of 39")
    await expect(page.locator("#chosen")).to_have_text("3")
    await page.keyboard.press("Escape")
    await expect(page.locator("#clear")).to_be_hidden()
    await expect(page.locator("#more > summary")).to_be_focused()
    await expect(page.locator("#count")).to_have_text("1 of 39")
    await page.keyboard.press("Enter")
    assert await page.locator(".strip .frame:not(.off)").evaluate_all(LABELS) == ["1B"]
    await page.locator("#clear").click()
    await expect(page.locator("#count")).to_have_text("39 of 39")


async def test_any_two_properties_span_a_grid(page: Page) -> None:
    """Axes of the prompts first; seed, step, reference and the others by choice; the filter holds here too."""
    await page.keyboard.press("g")
    await expect(page.locator("#grid-said")).to_have_text("5 × 4")
    heads = ["cobalt", "celadon", "oxblood", "tenmoku", "none"]
    assert await page.locator(".columnheader").all_text_contents() == heads
    assert await page.locator(".corner span").all_text_contents() == ["glaze →", "light ↓"]
    assert await page.locator(".rowheader").all_text_contents() == ["morning", "dusk", "neon", "none"]
    assert await page.locator("#sheet").is_hidden()
    await page.locator("#across").select_option("step")
    await page.locator("#down").select_option("reference")
    assert await page.locator(".rowheader").all_text_contents() == ["none", "product + style"]
    await page.locator(".show").get_by_text("edits", exact=True).click()
    await expect(page.locator("#grid-said")).to_have_text("2 × 1")
    assert await page.locator("#grid .frame").count() == 5
    await page.locator("#grid .open").first.click()
    await expect(page.locator("#place")).to_have_text("1 of 5")
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    assert await page.locator("#sheet").is_visible()


async def test_a_cell_of_the_grid_shows_more_when_asked(page: Page) -> None:
    """What has no room in a cell comes in its place, and can be marked and walked through."""
    await page.keyboard.press("g")
    cell = page.locator("#grid .cell").first
    await expect(cell.locator(".frame")).to_have_count(4)
    await cell.get_by_role("button", name="and 2 more").click()
    await expect(cell.locator(".frame")).to_have_count(6)
    await expect(cell.locator(".open").nth(4)).to_be_focused()
    await page.keyboard.press("5")
    await expect(cell.locator(".frame").nth(4)).to_have_attribute("data-stars", "5")
    assert await cell.get_by_role("button", name="more").count() == 0


async def test_each_view_is_come_back_to_where_it_was_left(page: Page) -> None:
    """The grid fills the window; whoever looks at it does not lose the place on the sheet."""
    await page.evaluate("scrollTo(0, 1700)")
    await page.keyboard.press("g")
    await expect(page.locator("#grid-cells")).to_be_in_viewport(ratio=0.9)
    await page.keyboard.press("g")
    await page.wait_for_function("Math.abs(scrollY - 1700) < 200")


async def test_a_long_prompt_leaves_its_pictures_in_view(browser: Browser, studio: Any, tmp_path: Path) -> None:
    """It is cut until somebody asks for it; what reads from right to left begins above its pictures all the same."""
    store = await FolderStore.open(tmp_path / "archive")
    prompts = ("word " * 400, "مدينة ساحلية عند الغروب")
    for prompt in (prompts[0], prompts[0], prompts[1], prompts[1]):
        studio.add(prompt)
    for key, data in studio.store.objects.items():
        await store.put_if_absent(key, data)
    made = await make_contact_sheet(studio.sheet(), store)

    async with opened(browser, store.path_of(made.html_key)) as page:
        heading, from_the_right = page.locator(".prompt > h2").first, page.locator(".prompt > h2").nth(1)
        assert await heading.text_content() == prompts[0]
        cut = await heading.evaluate(HEIGHT)
        await heading.click()
        whole = await heading.evaluate(HEIGHT)
        assert cut < 260 < whole
        await heading.click()
        assert await heading.evaluate(HEIGHT) == cut
        assert await from_the_right.evaluate(WIDTH) < 400


async def test_the_pictures_of_chains_follow_the_size(page: Page) -> None:
    """The slider makes them larger and smaller, as it does all others."""
    widths: list[list[float]] = []
    for size in ("8", "26"):
        await page.locator("#size").fill(size)
        widths.append([await page.locator(part).first.evaluate(WIDTH) for part in (".strip .frame", ".compare")])
    assert all(1.5 * small < large for small, large in zip(*widths, strict=True))


async def test_the_keys_are_explained(page: Page) -> None:
    """Whoever presses ? finds them, and other keys do nothing meanwhile."""
    await page.keyboard.press("?")
    await expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    assert await page.locator("#sheet").is_visible()


async def test_every_control_has_a_name(page: Page) -> None:
    """Screen readers say what each button, field and list is for."""
    unnamed = await page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, dialog, [role=group], [role=region]')]
            .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.closest('label')?.textContent.trim()
                || each.getAttribute('aria-labelledby')))
            .map((each) => each.outerHTML)"""
    )
    assert unnamed == []


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
