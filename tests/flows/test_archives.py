from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blocks.archive.block import ImageArchive
from blocks.errors import SetupError
from flows.archives import archive_for, existing_archive
from tasks.brief import Brief
from tests.flows.conftest import small_brief


@pytest.fixture
async def saved(tmp_path: Path) -> AsyncIterator[ImageArchive]:
    """The block that a person saved as `default`, and another one."""
    block = ImageArchive(root=str(tmp_path / "saved"))
    await block.asave("default", overwrite=True)
    await ImageArchive(root=str(tmp_path / "other")).asave("other", overwrite=True)
    yield block
    for name in ("default", "other"):
        await ImageArchive.adelete(name)


BRIEF = Brief.model_validate(small_brief())
BRIEF_WITH_ARCHIVE = Brief.model_validate(small_brief(archive="named-in-brief"))


async def test_what_is_named_comes_first(saved: ImageArchive, tmp_path: Path) -> None:
    """A block, a folder as path or text, a saved block by its slug: each means itself, whatever else there is."""
    block = ImageArchive(root="mine")

    assert (await archive_for(block, BRIEF_WITH_ARCHIVE)) == block
    assert (await archive_for(tmp_path, BRIEF_WITH_ARCHIVE)).root == str(tmp_path)
    assert (await archive_for("folder", BRIEF_WITH_ARCHIVE)).root == "folder"
    assert (await archive_for("image-archive/other", BRIEF_WITH_ARCHIVE)).root == str(tmp_path / "other")


async def test_then_the_brief_then_the_saved_block_then_a_folder(saved: ImageArchive) -> None:
    """All commands and flows follow the same order."""
    assert (await archive_for(None, BRIEF_WITH_ARCHIVE)).root == "named-in-brief"
    assert (await archive_for(None, BRIEF)).root == saved.root
    assert (await archive_for(None)).root == saved.root
    assert (await archive_for(None, BRIEF, may_be_saved=False)).root == "archive"


async def test_without_a_saved_block_it_is_a_folder(prefect_server: str) -> None:
    """Nobody has to save anything to begin."""
    assert (await archive_for(None, BRIEF)).root == "archive"


async def test_a_saved_block_that_does_not_exist_is_refused(prefect_server: str) -> None:
    """A misspelled name must not become an empty archive, in which everything would be bought again."""
    with pytest.raises(SetupError, match=r"There is no saved block 'image-archive/nowhere'"):
        await archive_for("image-archive/nowhere")


async def test_an_archive_that_has_to_exist_is_not_made(tmp_path: Path) -> None:
    """`show` and `reconcile` look into archives, and make none."""
    with pytest.raises(SetupError, match="There is no archive at"):
        await existing_archive(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
