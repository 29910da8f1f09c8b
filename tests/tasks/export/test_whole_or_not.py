"""An export is there whole or not at all, and the same twice."""

import asyncio
import errno
import fcntl
import os
import shutil
import signal
import sys
import tarfile
import time
from pathlib import Path

import pytest

from blocks.archive.layout import object_key
from blocks.errors import ArchiveError, BriefError, SetupError
from tasks.export import draft
from tasks.export.draft import SWEPT_AFTER_SECONDS
from tasks.export.export import export_pictures
from tasks.export.manifest import MANIFEST
from tasks.export.shards import Shards
from tasks.export.terms import ExportFormat, Terms, Wanted
from tasks.models import ImageRecord, sha256_of
from tests.tasks.export.conftest import Shelf, left_in

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", ["webdataset", "zip", "parquet", "imagefolder", "kohya"])
async def test_the_same_pictures_make_the_same_bytes(
    kind: ExportFormat, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Two exports at different times, by whomever, have the same SHA-256 in each file."""

    async def export(name: str) -> dict[str, str]:
        await export_pictures(shelf.archive, Terms(format=kind), tmp_path / name)
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file() and path.name != MANIFEST]
        return {path.relative_to(tmp_path / name).as_posix(): sha256_of(path.read_bytes()) for path in files}

    first = await export("one")
    assert await export("two") == first
    assert mixed
    assert first


async def test_shards_are_plain_tar_files(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """USTAR, sorted, with no time and no owner in them; the system's own tar lists the same."""
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")
    path = tmp_path / "out" / "webp-000000.tar"
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    webp = [each.sha256 for each in mixed if each.checks.media_type == "image/webp"]

    assert names == [f"{sha256}.{suffix}" for sha256 in webp for suffix in ("json", "txt", "webp")]
    assert {(each.mtime, each.uid, each.gid, each.uname, each.mode) for each in members} == {(0, 0, 0, "", 0o644)}
    assert path.read_bytes()[257:265] == b"ustar\x0000"
    assert path.stat().st_size % tarfile.RECORDSIZE == 0
    listing = await asyncio.create_subprocess_exec("tar", "-tf", str(path), stdout=asyncio.subprocess.PIPE)
    listed, _ = await asyncio.wait_for(listing.communicate(), 60)
    assert listed.decode().split() == names


async def test_a_full_shard_is_followed_by_another(
    shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No picture is cut in two, and none is in two of them."""
    monkeypatch.setattr(Shards.__init__, "__kwdefaults__", {"shard_size_bytes": 1})
    await export_pictures(shelf.archive, Terms(format="webdataset"), tmp_path / "out")

    keys: list[str] = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as tar:
            assert len({name.partition(".")[0] for name in tar.getnames()}) == 1
            keys += {name.partition(".")[0] for name in tar.getnames()}
    assert sorted(keys) == [record.sha256 for record in mixed]
    assert len(left_in(tmp_path / "out")) == len(mixed) + 2


async def test_the_same_export_again_does_nothing(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """What a trainer has put beside the files stays; nothing is written."""
    out = tmp_path / "out"
    first = await export_pictures(shelf.archive, Terms(), out)
    (out / "latents.npz").write_bytes(b"of somebody else")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = await export_pictures(shelf.archive, Terms(), out)

    assert (first.is_new, again.is_new) == (True, False)
    assert again == first.model_copy(update={"is_new": False})
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert mixed


async def test_an_export_of_old_is_known_again(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """Its manifest was not hidden then."""
    out = tmp_path / "out"
    await export_pictures(shelf.archive, Terms(), out)
    (out / MANIFEST).rename(out / "export.json")

    assert not (await export_pictures(shelf.archive, Terms(), out)).is_new
    assert mixed


async def test_nothing_else_is_ever_replaced(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """Other pictures, other terms, foreign files, a file in the folder's place, an export that was changed."""
    out, filled, file = tmp_path / "out", tmp_path / "filled", tmp_path / "file"
    await export_pictures(shelf.archive, Terms(), out)
    filled.mkdir()
    (filled / "letter.txt").write_text("mine", encoding="utf-8")
    file.write_text("mine", encoding="utf-8")
    for target, terms, says in (
        (out, Terms(provenance="keep"), "holds another export, of 4 pictures"),
        (filled, Terms(), "no export of ours"),
        (file, Terms(), "no export of ours"),
    ):
        with pytest.raises(BriefError, match=says):
            await export_pictures(shelf.archive, terms, target)
    await shelf.add("one more")
    with pytest.raises(BriefError, match="holds another export, of 4 pictures"):
        await export_pictures(shelf.archive, Terms(), out)
    assert mixed
    assert left_in(filled) == {"letter.txt"}


async def test_a_damaged_export_is_said_to_be_damaged(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """An export that is there is read before it counts as there."""
    out = tmp_path / "out"
    await export_pictures(shelf.archive, Terms(), out)
    path = next(each for each in (out / "images").iterdir() if each.stem == mixed[0].sha256)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(BriefError, match=f"{path.name} is no more as it was written"):
        await export_pictures(shelf.archive, Terms(), out)


async def test_an_empty_folder_may_be_filled(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """Folders between are made."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    exported = await export_pictures(shelf.archive, Terms(), tmp_path / "a" / "b")
    deeper = await export_pictures(shelf.archive, Terms(), tmp_path / "c" / "d")

    assert exported.pictures == deeper.pictures == len(mixed)
    assert left_in(tmp_path / "a") == {"b"}


@pytest.mark.parametrize("harm", ["missing", "changed"])
@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "zip", "parquet", "kohya"])
async def test_a_damaged_picture_ends_the_export(
    kind: ExportFormat, harm: str, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Nothing is left under the final name, and nothing beside it."""
    path = tmp_path / "archive" / object_key(mixed[-1].sha256)
    data = path.read_bytes()
    path.unlink()
    if harm == "changed":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ArchiveError, match="is missing" if harm == "missing" else "no more what was received"):
        await export_pictures(shelf.archive, Terms(format=kind), tmp_path / "out")
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("done", [1, 2, 4])
async def test_a_cancelled_export_leaves_nothing(
    done: int, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Ctrl-C in the middle, or just before the end."""

    def stop(number: int, total: int) -> None:
        assert total == len(mixed)
        if number == done:
            task.cancel()

    task = asyncio.create_task(export_pictures(shelf.archive, Terms(format="zip"), tmp_path / "out", on_progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(tmp_path) == set()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from blocks.archive.archive import open_archive
from tasks.export.export import export_pictures
from tasks.export.terms import Terms
async def main():
    async with open_archive(sys.argv[1]) as archive:
        def killed(done, total):
            if done == int(sys.argv[3]):
                os.kill(os.getpid(), signal.SIGKILL)
        await export_pictures(archive, Terms(format=sys.argv[4]), Path(sys.argv[2]), on_progress=killed)
asyncio.run(main())
"""


@pytest.mark.parametrize(("done", "kind"), [(1, "imagefolder"), (2, "webdataset"), (4, "zip")])
async def test_a_killed_export_leaves_no_final_name_and_is_swept(
    done: int, kind: str, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """What it left is under a name of its own; an export some time later removes it, and no other's."""
    target = tmp_path / "exports" / "out"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "archive"), str(target), str(done), kind]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGKILL
    (stray,) = (tmp_path / "exports").iterdir()
    assert stray.name.startswith(draft.PREFIX)

    at_work = tmp_path / "exports" / f"{draft.PREFIX}at-work"
    at_work.mkdir()
    descriptor = os.open(at_work, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    long_ago = time.time() - 2 * SWEPT_AFTER_SECONDS
    for folder in (stray, at_work):
        os.utime(folder, (long_ago, long_ago))
    await export_pictures(shelf.archive, Terms(), target)
    os.close(descriptor)

    assert {path.name for path in (tmp_path / "exports").iterdir()} == {"out", at_work.name}
    assert mixed


async def test_what_another_user_left_is_in_nobodys_way(
    shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that people share, one cannot remove what another one's killed export has left."""
    stray = tmp_path / f"{draft.PREFIX}of-another-user"
    stray.mkdir()
    long_ago = time.time() - 2 * SWEPT_AFTER_SECONDS
    os.utime(stray, (long_ago, long_ago))
    real = shutil.rmtree

    def refusing(path: Path) -> None:
        if path == stray:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path)

    monkeypatch.setattr(shutil, "rmtree", refusing)
    assert (await export_pictures(shelf.archive, Terms(), tmp_path / "out")).pictures == len(mixed)
    assert left_in(tmp_path) == {"out", stray.name}


async def test_two_at_once_make_one(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """The one that comes second is told, and has broken nothing."""
    outcomes = await asyncio.gather(
        *(export_pictures(shelf.archive, Terms(), tmp_path / "out") for _ in range(2)), return_exceptions=True
    )
    made = [each for each in outcomes if not isinstance(each, BaseException)]
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert [type(each) for each in refused] == [BriefError]
    assert len(made) == 1
    assert (await export_pictures(shelf.archive, Terms(), tmp_path / "out")).is_new is False
    assert left_in(tmp_path) == {"out"}
    assert mixed


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "zip", "parquet", "kohya"])
async def test_a_folder_that_cannot_be_written_is_said_plainly(
    kind: ExportFormat, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle: one message, and nothing left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SetupError, match="No space left on device"):
        await export_pictures(shelf.archive, Terms(format=kind), tmp_path / "out")
    monkeypatch.undo()
    assert left_in(tmp_path) == set()
    assert mixed


async def test_nothing_to_export_is_an_error(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """An empty dataset is more often a mistake in the filter than a wish; the message repeats the filter."""
    with pytest.raises(BriefError, match="campaign 'posters', verdict 'keeper'"):
        await export_pictures(shelf.archive, Terms(filter=Wanted(campaign="posters")), tmp_path / "out")
    assert left_in(tmp_path) == set()
    assert mixed
