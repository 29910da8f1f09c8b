"""A studio with a campaign in it, its contact sheet on disk, and a browser that opens it."""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page

from blocks.archive.folder_store import FolderStore
from tasks.report import make_contact_sheet
from tests.tasks.report.browsing import opened, running_browser
from tests.tasks.report.studio import HOSTILE, Studio, furnish, png


@pytest.fixture(scope="session")
def new_studio() -> type[Studio]:
    """Opens empty studios."""
    return Studio


@pytest.fixture
def studio() -> Studio:
    """An empty studio with an empty store."""
    return Studio()


@pytest.fixture(scope="session")
def _furnished() -> Studio:
    studio = Studio()
    furnish(studio)
    return studio


@pytest.fixture
def furnished(_furnished: Studio) -> Studio:
    """A studio with a whole campaign in it, which was drawn once for all tests."""
    return copy.deepcopy(_furnished)


@pytest.fixture(scope="session")
def _archived(_furnished: Studio, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("furnished") / "archive"
    return root, asyncio.run(_archive(_furnished, root))


async def _archive(studio: Studio, root: Path) -> str:
    """Writes pictures and contact sheet into an archive; returns the key of the page."""
    store = await FolderStore.open(root)
    for key, data in studio.store.objects.items():
        await store.put_if_absent(key, data)
    return (await make_contact_sheet(studio.sheet(title=HOSTILE), store)).html_key


@pytest.fixture
def sheet_file(_archived: tuple[Path, str], tmp_path: Path) -> Path:
    """A contact sheet of 39 pictures on disk, in an archive of this test's own; its title is hostile."""
    root, key = _archived
    return Path(shutil.copytree(root, tmp_path / "archive")) / key


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests of a file, which share its event loop."""
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, sheet_file: Path) -> AsyncIterator[Page]:
    """The contact sheet, opened."""
    async with opened(browser, sheet_file) as page:
        yield page


@pytest.fixture
def hostile() -> str:
    """A text that tries to break out of HTML, attributes and Markdown."""
    return HOSTILE


@pytest.fixture
def make_png() -> Callable[[int, int], bytes]:
    """Makes a plain picture of a size in pixels."""
    return lambda width_px, height_px: png(Image.new("RGB", (width_px, height_px), (120, 90, 60)))
