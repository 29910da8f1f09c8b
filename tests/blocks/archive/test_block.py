import errno
import os
from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr

from blocks.archive.block import ImageArchive
from blocks.errors import ArchiveError, SetupError


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


async def test_a_block_with_an_id_opens_that_archive_alone(tmp_path: Path) -> None:
    """A disk that is not mounted leaves an empty folder: a second archive there would buy everything once more."""
    root = tmp_path / "mounted"
    async with ImageArchive(root=str(root)).open() as archive:
        known = ImageArchive(root=str(root), archive_id=archive.id)
    for for_reading in (False, True):
        async with known.open(for_reading=for_reading) as archive:
            assert archive.id == known.archive_id == await known.id_there()
    assert await known.is_made()

    unmounted = tmp_path / "unmounted"
    unmounted.mkdir()
    moved = known.model_copy(update={"root": str(unmounted)})
    for refused in (moved.is_made, moved.open().__aenter__, moved.open(for_reading=True).__aenter__):
        with pytest.raises(SetupError, match=rf"{archive.id} is not at {unmounted} on \S+: is its disk mounted\?"):
            await refused()
    assert list(unmounted.iterdir()) == []
    assert await moved.id_there() is None


async def test_another_archive_in_its_place_is_refused(tmp_path: Path) -> None:
    """It has another ledger: what the one knows that was meant would be bought once more."""
    async with ImageArchive(root=str(tmp_path)).open() as archive:
        pass
    other = ImageArchive(root=str(tmp_path), archive_id="0" * 32)
    with pytest.raises(SetupError, match=f"is the archive {archive.id}, and not {'0' * 32}, which its block has"):
        async with other.open():
            pass


@pytest.mark.parametrize("typed", ["", " ", None])
async def test_a_field_that_was_cleared_is_no_id(typed: str | None, tmp_path: Path) -> None:
    """Then an archive is made where there is none."""
    async with ImageArchive(root=str(tmp_path), archive_id=typed).open() as archive:
        pass
    assert await ImageArchive(root=str(tmp_path), archive_id=f" {archive.id.upper()} ").is_made()


async def test_in_a_bucket_nobody_asks_for_a_disk() -> None:
    """What can be wrong there is its name."""
    block = ImageArchive(root="memory://unmounted", catalogue_url=SecretStr("sqlite:////c"), archive_id="0" * 32)
    with pytest.raises(SetupError, match=r"is not at memory://unmounted: are bucket and prefix right\?"):
        await block.is_made()


async def test_a_place_that_cannot_be_looked_at_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a network drive that has died: the error names the place, and nothing is taken for missing."""
    real = Path.stat

    def stale(path: Path, **options: bool) -> os.stat_result:
        if path.is_relative_to(tmp_path):
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stale)
    with pytest.raises(ArchiveError, match=r"Could not look at archive\.json in .*Stale file handle"):
        await ImageArchive(root=str(tmp_path)).is_made()


def test_the_block_type_is_a_public_name() -> None:
    """Deployments refer to `image-archive/name`: the slug stays."""
    assert ImageArchive.get_block_type_slug() == "image-archive"
    assert ImageArchive._block_type_name == "Image Archive"
