from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr

from blocks.archive.block import ImageArchive
from blocks.errors import SetupError


class TestImageArchiveStandards(BlockStandardTestSuite):
    """Prefect's own standards for blocks."""

    @pytest.fixture
    def block(self) -> type[Block]:
        """The block under test."""
        return ImageArchive

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Not asked for: Prefect's test downloads the logo."""


async def test_a_block_works_without_being_saved(tmp_path: Path) -> None:
    """A script needs no Prefect server to have an archive."""
    async with ImageArchive(root=str(tmp_path / "root")).open() as archive:
        assert await archive.store.put_if_absent("objects/ab/x", b"bytes") is True
        assert await archive.catalogue.count() == 0


async def test_the_catalogue_url_is_used_and_never_shown(tmp_path: Path) -> None:
    """The URL holds a password: neither the block nor its errors show it."""
    block = ImageArchive(root=str(tmp_path), catalogue_url=SecretStr("mysql://user:hidden@host/name"))
    assert "hidden" not in repr(block)
    assert "hidden" not in block.model_dump_json()
    with pytest.raises(SetupError, match="cannot live in 'mysql'") as raised:
        async with block.open():
            pass
    assert "hidden" not in str(raised.value)


def test_the_block_type_is_a_public_name() -> None:
    """Deployments refer to `image-archive/name`: the slug stays."""
    assert ImageArchive.get_block_type_slug() == "image-archive"
    assert ImageArchive._block_type_name == "Image Archive"
