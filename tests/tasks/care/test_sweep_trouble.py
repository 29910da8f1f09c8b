from collections.abc import Sequence
from datetime import timedelta

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import object_key, quarantine_key, trash_key
from blocks.errors import ArchiveError
from tasks.care import sweep as module
from tasks.care.sweep import Swept, sweep
from tasks.models import ImageRecord, sha256_of
from tasks.trash import put_into_trash
from tests.tasks.care.trash_trouble import failing
from tests.tasks.care.upkeep import ORPHAN, OTHER, ImageOf, bought, keep, keys, overwrite
from tests.tasks.gate.files import encoded, scene

LAST = sha256_of(b"g")  # sorted after ORPHAN
NO_GRACE = timedelta(0)

pytestmark = pytest.mark.usefixtures("orphan")


async def test_a_move_that_was_killed_is_gone_on_with(
    archive: Archive, images: Sequence[ImageRecord], image_of: ImageOf
) -> None:
    """Bytes in both places: moved again where nothing names them, out of the trash where something does by now."""
    await archive.store.put_if_absent(trash_key(ORPHAN), OTHER)
    assert await sweep(archive, is_dry=False) == Swept(is_dry=False, trashed=(ORPHAN,), trashed_bytes=len(OTHER))
    assert (await sweep(archive)).waiting == (ORPHAN,)

    data = encoded(scene().rotate(45), "PNG")
    await keep(archive, bought(image_of(sha256=sha256_of(data))), data)
    await archive.store.put_if_absent(trash_key(sha256_of(data)), data)
    await sweep(archive, is_dry=False)
    assert await archive.store.get(object_key(sha256_of(data))) == data
    assert trash_key(sha256_of(data)) not in await keys(archive)


async def test_bytes_in_both_places_are_compared_before_one_goes(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """Named by now, and what lies in its place is damaged: the copy in the trash is the last good one."""
    sha256 = images[0].sha256
    good = await archive.store.get(object_key(sha256))
    await archive.store.put_if_absent(trash_key(sha256), good)
    overwrite(archive, object_key(sha256), b"damaged")
    await sweep(archive, is_dry=False)

    assert await archive.store.get(object_key(sha256)) == good
    assert await archive.store.get(quarantine_key(sha256_of(b"damaged"))) == b"damaged"
    assert trash_key(sha256) not in await keys(archive)


async def test_a_damaged_copy_goes_where_the_picture_is_whole(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """In the trash of a picture that is in its place and named: nothing is lost with it."""
    sha256 = images[0].sha256
    good = await archive.store.get(object_key(sha256))
    await archive.store.put_if_absent(trash_key(sha256), b"damaged")
    await sweep(archive, is_dry=False)

    assert await archive.store.get(object_key(sha256)) == good
    assert trash_key(sha256) not in await keys(archive)


async def test_damaged_bytes_in_the_trash_are_replaced(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Whole bytes are not deleted because something else has their name in the trash."""
    await archive.store.put_if_absent(trash_key(ORPHAN), b"damaged")
    await put_into_trash(ORPHAN, archive.store)

    assert await archive.store.get(trash_key(ORPHAN)) == OTHER
    assert await archive.store.get(quarantine_key(sha256_of(b"damaged"))) == b"damaged"
    assert object_key(ORPHAN) not in await keys(archive)


async def test_damaged_bytes_replace_no_whole_ones_in_the_trash(
    archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """The other way round: the whole copy stays, the damaged one is kept in quarantine."""
    await archive.store.put_if_absent(trash_key(ORPHAN), OTHER)
    overwrite(archive, object_key(ORPHAN), b"damaged")
    await put_into_trash(ORPHAN, archive.store)

    assert await archive.store.get(trash_key(ORPHAN)) == OTHER
    assert await archive.store.get(quarantine_key(sha256_of(b"damaged"))) == b"damaged"
    assert object_key(ORPHAN) not in await keys(archive)


async def test_what_is_named_and_damaged_in_the_trash_is_told(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """It is not in its place, whatever was planned; all else is done."""
    sha256 = images[0].sha256
    await put_into_trash(sha256, archive.store)
    overwrite(archive, trash_key(sha256), b"damaged")
    with pytest.raises(ArchiveError, match=rf"could not be taken out of the trash \(1\): {sha256}, which is damaged"):
        await sweep(archive, is_dry=False)

    assert await archive.store.get(trash_key(sha256)) == b"damaged"
    assert trash_key(ORPHAN) in await keys(archive)


async def test_what_cannot_be_put_back_is_named(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has begun meanwhile, and the copy in the trash is damaged: nobody is told that all is well."""
    real = put_into_trash

    async def meanwhile(sha256: str, store: object) -> None:
        await archive.ledger.begin_run("new")
        await real(sha256, store)  # type: ignore[arg-type]  # handed on
        overwrite(archive, trash_key(sha256), b"damaged")

    monkeypatch.setattr(module, "put_into_trash", meanwhile)
    with pytest.raises(ArchiveError, match=rf"not everything could be put back. Still in the trash \(1\): {ORPHAN}\."):
        await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await archive.store.get(trash_key(ORPHAN)) == b"damaged"


async def test_a_store_that_fails_in_the_middle_gets_everything_back(
    archive: Archive, images: Sequence[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the one whose move was begun; the overdue stay, too."""
    await archive.store.put_if_absent(object_key(LAST), b"g")
    before = await keys(archive)
    with monkeypatch.context() as patched:
        failing(patched, archive, "delete", lambda key: key == object_key(LAST))
        with pytest.raises(ArchiveError, match="The store failed in the middle, so everything was put back"):
            await sweep(archive, is_dry=False, grace=NO_GRACE)
    assert await keys(archive) == before
