"""Pages from disk in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.chromium import CHROMIUM, FLAGS


@asynccontextmanager
async def opened(file: Path, **options: Any) -> AsyncIterator[Page]:
    """Opens a page from disk; afterwards: no complaint in the console, no request but for files."""
    complaints: list[str] = []
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark", **options}
        page = await browser.new_page(**settings)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri())
        yield page
        await browser.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file://", "blob:"))] == []
