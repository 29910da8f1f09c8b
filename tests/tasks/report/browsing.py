"""Pages from disk in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.chromium import CHROMIUM, FLAGS

LABELS = "(figures) => figures.map((figure) => figure.querySelector('.edge b').textContent)"
"""What stands on the edges of pictures, for `evaluate_all`."""


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Runs a browser, for as many pages as one likes: to start it costs more than to look at most pages."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(browser: Browser, file: Path, **options: Any) -> AsyncIterator[Page]:
    """Opens a page from disk, with a memory of its own; afterwards: no complaint, no request but for files."""
    complaints: list[str] = []
    asked: list[str] = []
    settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark", **options}
    async with await browser.new_context(**settings) as context:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri())
        yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file://", "blob:"))] == []
