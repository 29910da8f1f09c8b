"""The page in a real browser, opened from disk as people do."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from blocks.archive.folder_store import FolderStore
from tasks.decision_file import Mark, read_decision_file
from tasks.measured import Drift
from tasks.models import Flagged, ImageRecord
from tasks.report import make_contact_sheet
from tasks.report.arrange import build_view
from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import opened

BROKEN_IN_VIEW = """() => [...document.images].filter((image) => {
    const box = image.getBoundingClientRect();
    const inView = image.checkVisibility() && box.height > 0 && box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    return inView && !(image.complete && image.naturalWidth > 0);
}).map((image) => image.outerHTML)"""

LABELS = "(figures) => figures.map((figure) => figure.querySelector('.edge b').textContent)"

WIDTH = "(part) => part.getBoundingClientRect().width"
HEIGHT = "(part) => part.getBoundingClientRect().height"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, sheet_file: Path) -> AsyncIterator[Page]:
    """The opened page."""
    async with opened(browser, sheet_file) as page:
        yield page


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


async def test_marks_are_made_with_keys_and_kept(page: Page) -> None:
    """Arrows walk from picture to picture; stars, reject and keep are there after the page is opened again."""
    for key in ("ArrowRight", "ArrowRight", "3", "ArrowRight", "x", "ArrowDown", "k"):
        await page.keyboard.press(key)
    await expect(page.locator("#marked")).to_have_text("3 marked")
    await page.reload()
    await expect(page.locator("#marked")).to_have_text("3 marked")

    assert await page.locator("#sheet .frame[data-stars='3']").evaluate_all(LABELS) == ["1A"]
    assert await page.locator("#sheet .frame.rejected").evaluate_all(LABELS) == ["1B"]
    assert await page.locator("#sheet .frame[data-kept]").count() == 1
    for toggle, count in (("rejected", 1), ("starred", 1), ("keepers", 29)):
        await page.locator(".show").get_by_text(toggle, exact=True).click()
        await expect(page.locator("#count")).to_have_text(f"{count} of 39")


async def test_marks_said_twice_are_taken_back(page: Page) -> None:
    """The same star again, 0, X and K again: nothing is left to be saved."""
    await page.keyboard.press("ArrowRight")
    for keys in ("55", "40", "xx", "kk"):
        await page.keyboard.press(keys[0])
        await expect(page.locator("#marked")).to_have_text("1 marked")
        await page.keyboard.press(keys[1])
        await expect(page.locator("#marked")).to_have_text("Marks")


async def test_marks_are_saved_as_a_file_that_the_archive_takes_in(page: Page, tmp_path: Path, furnished: Any) -> None:
    """Buttons do what keys do; the file holds what was marked, for this archive, campaign and edition."""
    await page.get_by_role("button", name="Open frame 1A").click()
    await page.get_by_role("button", name="4 stars").click()
    await page.keyboard.press("ArrowRight")
    await page.get_by_role("button", name="Reject").click()
    await page.keyboard.press("Escape")
    await page.keyboard.press("s")
    await expect(page.locator("#marks-said")).to_have_text(
        "2 pictures marked: 1 with stars, 1 rejected. Not saved to a file yet."
    )
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save decisions file").click()
    saved = tmp_path / (await download.value).suggested_filename
    await (await download.value).save_as(saved)

    file = read_decision_file(saved.read_bytes(), saved.name)
    by_label = {frame.label: frame.sha256 for frame in build_view(furnished.sheet()).frames}
    assert (file.archive, file.campaign, file.edition) == ("0123456789abcdef" * 2, "teapots", "2025-11")
    assert abs((datetime.now(UTC) - file.saved_at).total_seconds()) < 600
    assert file.marks == (Mark(sha256=by_label["1A"], stars=4), Mark(sha256=by_label["1B"], verdict="reject"))
    await expect(page.locator("#marks-said")).to_contain_text("Saved to a file.")
    command = f"python -m flows decide {saved.name} --archive '{tmp_path / 'archive'}'"
    await expect(page.locator("#command")).to_have_text(command)


async def test_what_others_wrote_into_the_browsers_memory_is_checked(page: Page, furnished: Any) -> None:
    """Pages from disk share one memory: marks of strangers, of no kind and on no picture of ours are passed over."""
    name = f"kleinbild-marks/{'0123456789abcdef' * 2}/teapots/2025-11"
    good, other = furnished.images[0].sha256, furnished.images[3].sha256
    marks = {good: {"stars": 2, "verdict": "delete"}, other: {"stars": 99}, "<b>": {"stars": 1}, "d" * 64: {"stars": 1}}
    for text, shown in ((json.dumps({"marks": marks}), "1 marked"), ("{", "Marks"), ('{"marks": 7}', "Marks")):
        await page.evaluate("([name, text]) => localStorage.setItem(name, text)", [name, text])
        await page.reload()
        await expect(page.locator("#marked")).to_have_text(shown)


async def test_a_browser_without_memory_says_so(browser: Browser, sheet_file: Path) -> None:
    """Marks work, can be saved, and nobody finds out too late that they are not kept."""
    async with opened(browser, sheet_file) as page:
        await page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full') }")
        await page.reload()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("5")
        await expect(page.locator("#marks-trouble")).to_be_visible()
        await expect(page.locator("#marks-said")).to_contain_text("1 picture marked")


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
