import asyncio
import errno
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.archive import durable
from blocks.archive.folder_store import FolderStore
from blocks.archive.layout import check_key
from blocks.errors import ArchiveError, SetupError

StartProcess = Callable[..., subprocess.Popen[str]]
KEY = "objects/ab/" + "ab" * 32

PUT_THE_SAME_KEYS = """
import asyncio, sys
from pathlib import Path
from blocks.archive.folder_store import FolderStore

async def main(root, name):
    store = await FolderStore.open(Path(root))
    sys.stdin.readline()
    print([await store.put_if_absent(f"objects/{n:02}/x", name.encode() * 1000) for n in range(50)])

asyncio.run(main(*sys.argv[1:]))
"""

PUT_FOR_EVER = """
import asyncio, itertools, sys
from pathlib import Path
from blocks.archive.folder_store import FolderStore

async def main(root):
    store = await FolderStore.open(Path(root))
    for n in itertools.count():
        await store.put_if_absent(f"objects/{n % 4}/{n}", b"x" * 2_000_000)
        print(n, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def store(tmp_path: Path) -> FolderStore:
    return await FolderStore.open(tmp_path / "root")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def keys(store: FolderStore, prefix: str) -> list[str]:
    return [key async for key in store.list(prefix)]


async def test_objects_are_read_only_and_nothing_is_left_beside_them(store: FolderStore) -> None:
    """Masters cannot be changed by accident, and no half-written file stays."""
    await store.put_if_absent(KEY, b"bytes")
    assert stat.S_IMODE(store.path_of(KEY).stat().st_mode) == 0o444
    assert names_in(store.root / "tmp") == []
    assert names_in(store.path_of(KEY).parent) == [KEY.rpartition("/")[2]]


async def test_put_replaces_as_a_whole(store: FolderStore) -> None:
    """Derived files are replaced, also where a reader holds the old one."""
    await store.put("sheets/a.html", b"old")
    with store.path_of("sheets/a.html").open("rb") as reader:
        await store.put("sheets/a.html", b"new and longer")
        assert reader.read() == b"old"
    assert await store.get("sheets/a.html") == b"new and longer"
    assert names_in(store.root / "tmp") == []


async def test_reading_what_is_missing_names_it(store: FolderStore) -> None:
    """A missing object is an error of the archive that names the key."""
    with pytest.raises(ArchiveError, match=f"{KEY} is missing"):
        await store.get(KEY)
    assert await store.head("archive.json/below") is None


async def test_list_finds_keys_by_prefix_and_no_half_written_files(store: FolderStore) -> None:
    """A prefix is a string, as in an object store, not a folder; links are not followed."""
    for key in ("objects/ab/1", "objects/ab/2", "objects/ac/3", "records/ab/1.json", "archive.json"):
        await store.put_if_absent(key, b"")
    (store.root / "tmp" / "write-1").write_bytes(b"half")
    (store.root / "objects" / "ab" / "link").symlink_to("/etc/passwd")
    (store.root / "objects" / "loop").symlink_to(store.root)
    assert await keys(store, "objects/") == ["objects/ab/1", "objects/ab/2", "objects/ac/3"]
    assert await keys(store, "objects/a") == ["objects/ab/1", "objects/ab/2", "objects/ac/3"]
    assert await keys(store, "objects/ab/2") == ["objects/ab/2"]
    assert await keys(store, "obj") == ["objects/ab/1", "objects/ab/2", "objects/ac/3"]
    assert await keys(store, "nothing/here/") == []
    assert sorted(await keys(store, "")) == [
        "archive.json",
        "objects/ab/1",
        "objects/ab/2",
        "objects/ac/3",
        "records/ab/1.json",
    ]


@pytest.mark.parametrize("name", [b"Gr\xf6\xdfe", b"a\tb", b"a\\b"])
async def test_a_folder_of_any_name_keeps_nothing_else_from_being_listed(store: FolderStore, name: bytes) -> None:
    """As an old archive program or a copy from another system leaves it: what is ours can still be verified."""
    await store.put_if_absent(KEY, b"")
    strange = store.root / "objects" / os.fsdecode(name)
    durable.make_folder(store.root, strange)
    (strange / "file").write_bytes(b"")
    assert sorted(await keys(store, "objects/")) == sorted([KEY, f"objects/{os.fsdecode(name)}/file"])


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\nb",
        "a\x00b",
        "tmp/x",
        "a\u202eb",
        "x" * 513,
    ],
)
async def test_keys_that_could_leave_the_archive_are_refused(store: FolderStore, key: str) -> None:
    """No operation touches the disk for a key that is no plain relative path."""
    for operation in (store.get, store.head, store.delete):
        with pytest.raises(ArchiveError, match=r"[Kk]ey"):
            await operation(key)
    with pytest.raises(ArchiveError, match=r"[Kk]ey"):
        await store.put_if_absent(key, b"")
    with pytest.raises(ArchiveError, match=r"[Kk]ey"):
        await store.put(key, b"")


@given(st.text())
def test_every_key_that_is_taken_stays_inside(key: str) -> None:
    """Whatever the text: it is refused, or it names a file below the root, and not in the folder for temp files."""
    root = Path("/archive")
    try:
        check_key(key)
    except ArchiveError:
        return
    path = Path(os.path.normpath(FolderStore(root).path_of(key)))
    assert path.is_relative_to(root)
    assert path != root
    assert not path.is_relative_to(root / "tmp")
    assert path.relative_to(root).as_posix() == key


async def test_without_hard_links_one_still_wins(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without links, a rename under a lock keeps the promise."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    won = await asyncio.gather(*(store.put_if_absent(KEY, bytes([writer])) for writer in range(8)))
    assert won.count(True) == 1
    assert await store.get(KEY) == bytes([won.index(True)])


async def test_of_two_processes_one_wins_each_key(tmp_path: Path, start_process: StartProcess) -> None:
    """put_if_absent has exactly one winner per key among processes too, and the winner's bytes stay."""
    writers = {name: start_process(PUT_THE_SAME_KEYS, str(tmp_path / "root"), name) for name in ("a", "b")}
    for writer in writers.values():
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    won = {name: writer.communicate(timeout=30)[0].strip().strip("[]").split(", ") for name, writer in writers.items()}
    store = await FolderStore.open(tmp_path / "root")
    for n in range(50):
        assert {won["a"][n], won["b"][n]} == {"True", "False"}
        winner = "a" if won["a"][n] == "True" else "b"
        assert await store.get(f"objects/{n:02}/x") == winner.encode() * 1000


async def test_a_killed_writer_leaves_no_half_object(tmp_path: Path, start_process: StartProcess) -> None:
    """After kill -9 every object under a final name is whole; what is left over is swept when it is old."""
    root = tmp_path / "root"
    for delay_writes in range(3):
        writer = start_process(PUT_FOR_EVER, str(root))
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(3 + 4 * delay_writes)]
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=30)
        store = await FolderStore.open(root)
        found = {key: await store.head(key) for key in await keys(store, "objects/")}
        assert {facts and facts.size_bytes for facts in found.values()} == {2_000_000}
        assert {f"objects/{n % 4}/{n}" for n in acknowledged} <= set(found)


async def test_only_old_leftovers_are_swept(tmp_path: Path) -> None:
    """A temp file may belong to a writer that lives: only those older than an hour go, and nothing that is not ours."""
    temp = tmp_path / "tmp"
    temp.mkdir()
    old, young = f"write-1-{'0' * 32}", f"write-2-{'0' * 32}"
    for name, age_seconds in ((old, 3700.0), (young, 3500.0), ("lock", 9999.0), ("write-mine", 9999.0)):
        (temp / name).write_bytes(b"half")
        moment = time.time() - age_seconds
        os.utime(temp / name, (moment, moment))
    await FolderStore.open(tmp_path)
    assert names_in(temp) == sorted(["lock", "write-mine", young])


async def test_bytes_name_and_folder_are_synced_in_this_order(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut loses nothing acknowledged: the bytes are on the disk before the name, the name before the answer."""
    steps: list[str] = []
    sync, link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        steps.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name.partition("-")[0])
        sync(descriptor)

    def linked(source: Path, target: Path) -> None:
        steps.append("name")
        link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", linked)
    await store.put_if_absent("objects/ab/1", b"x")
    assert steps == ["sync objects", "sync root", "sync write", "name", "sync ab"]
    steps.clear()
    assert await store.put_if_absent("objects/ab/1", b"x") is False
    assert steps == ["sync write", "name", "sync ab"]  # the other writer may not have come to its last sync


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "Give this user the right"), (errno.EROFS, "mounted read-only")],
)
async def test_errors_of_the_disk_say_what_to_do(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    """A full or closed disk is an ArchiveError with advice, and leaves neither object nor temp file."""

    def fails(_: int) -> None:
        raise OSError(code, os.strerror(code))

    await store.put_if_absent("objects/ab/first", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(ArchiveError, match=f"Could not write {KEY} in .*{os.strerror(code)}.*{advice}"):
            await store.put_if_absent(KEY, b"bytes")
    assert await store.head(KEY) is None
    assert names_in(store.root / "tmp") == []


async def test_a_root_that_cannot_be_an_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, and a folder that cannot be written, are refused before anything is bought."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SetupError, match="is a file: name a folder"):
        await FolderStore.open(tmp_path / "file")
    with pytest.raises(SetupError, match="cannot be written: Not a directory"):
        await FolderStore.open(tmp_path / "file" / "below")

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(durable, "create_once", read_only)
    with pytest.raises(SetupError, match="cannot be written: Read-only file system"):
        await FolderStore.open(tmp_path / "folder")


def test_make_folder_syncs_every_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new folder's name is durable in its parent, up to the root."""
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", lambda folder: synced.append(folder.relative_to(tmp_path).as_posix()))
    durable.make_folder(tmp_path, tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert synced == ["a/b", "a", "."]
