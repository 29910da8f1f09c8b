"""Stars and rejects, in a real browser."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tasks.decision_file import Mark, read_decision_file
from tasks.report.arrange import build_view
from tests.chromium import NEEDS_CHROMIUM
from tests.tasks.report.browsing import LABELS, opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # the browser's
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


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
