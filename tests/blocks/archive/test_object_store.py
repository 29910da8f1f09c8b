"""What can go wrong between us and a bucket."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blocks.archive.bucket import Bucket, Patience
from blocks.archive.object_store import ObjectStore
from blocks.errors import ArchiveError, SetupError
from deployments.sandbox.server import served
from tests.blocks.archive.faulty_s3 import HANG_SECONDS, Fault, FaultyS3, Lie
from tests.blocks.archive.servers import BUCKET, KEY, KEY_ID, keys_to, rclone
from tests.ports import held_port

PLACE = Bucket(scheme="s3", name=BUCKET, prefix="pre/fix")
QUICK = Patience(timeout_seconds=HANG_SECONDS / 4, connect_timeout_seconds=2, retry_seconds=5, retries=2)
OBJECT = "objects/ab/x"
PATH = f"/{BUCKET}/pre/fix/{OBJECT}"

Serve = Callable[[FaultyS3], ObjectStore]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a faulty S3, and connects to it."""
    with ExitStack() as stack:

        def start(faulty: FaultyS3) -> ObjectStore:
            origin = stack.enter_context(served(faulty.app()))
            return ObjectStore.at(PLACE, keys_to(origin), QUICK)

        yield start


async def test_a_faithful_server_passes_and_is_left_clean(serve: Serve) -> None:
    """The stand-in itself is a good store when it is told nothing else."""
    faulty = FaultyS3()
    await serve(faulty).probe()
    assert faulty.objects == {}


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("overwrites", r"overwrites what is put only if absent: two runs .* Choose another root"),
        ("says taken", r"says that a new key was taken"),
        ("forgets", r"does not give back what was just written"),
        ("garbles", r"does not give back what was just written"),
        ("ignores ranges", r"cannot read a part of an object"),
        ("hides from lists", r"does not list what was just written"),
    ],
)
async def test_a_store_that_lies_is_refused(serve: Serve, lie: Lie, message: str) -> None:
    """A lie is found before anything is bought, named, and nothing of the probe stays."""
    faulty = FaultyS3(lie=lie)
    with pytest.raises(SetupError, match=rf"The store s3://{BUCKET}/pre/fix {message}"):
        await serve(faulty).probe()
    assert faulty.objects == {}


async def test_rclone_is_refused(tmp_path: Path) -> None:
    """Rclone's S3 server answers 200 to every one of two writers."""
    with rclone(tmp_path) as keys, pytest.raises(SetupError, match="overwrites what is put only if absent"):
        await ObjectStore.open(PLACE, keys)
    assert [path for path in (tmp_path / BUCKET).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("fault", ["answer lost", "written and 500"])
async def test_a_put_whose_answer_was_lost_is_known_again(serve: Serve, fault: Fault) -> None:
    """The second attempt is told "already there" of what the first one wrote: that is a success."""
    faulty = FaultyS3(faults=[fault])
    assert await serve(faulty).put_if_absent(OBJECT, b"mine") is True
    assert faulty.objects == {PATH: b"mine"}
    assert faulty.sent["PUT"] == 2


async def test_a_lost_answer_does_not_make_anothers_bytes_ours(serve: Serve) -> None:
    """Where another's bytes are there, this put has not won."""
    faulty = FaultyS3(faults=["500"], objects={PATH: b"another's"})
    assert await serve(faulty).put_if_absent(OBJECT, b"mine") is False
    assert faulty.objects == {PATH: b"another's"}


@pytest.mark.parametrize("fault", ["500", "503", "409"])
async def test_troubles_that_pass_are_waited_for(serve: Serve, fault: Fault) -> None:
    """Nothing was written, and the same put is sent again."""
    faulty = FaultyS3(faults=[fault])
    assert await serve(faulty).put_if_absent(OBJECT, b"mine") is True
    assert (faulty.objects, faulty.sent["PUT"]) == ({PATH: b"mine"}, 2)


async def test_a_refused_rival_is_not_asked_about(serve: Serve) -> None:
    """S3's 409 says that two writers met: not that the key is there, and not that this put may have written."""
    faulty = FaultyS3(faults=["409"], objects={PATH: b"the same"})
    assert await serve(faulty).put_if_absent(OBJECT, b"the same") is False


@pytest.mark.parametrize(
    ("fault", "sent", "message"),
    [
        ("500", 3, "The store said 500 InternalError. Look whether the store can be reached, then run again"),
        (
            "403",
            1,
            "The store said 403 SignatureDoesNotMatch. The keys must be allowed to read, write, list and delete",
        ),
        ("no such bucket", 1, "The store said 404 NoSuchBucket. There is no such bucket: make it first"),
        ("moved", 1, "The bucket is in another region"),
    ],
)
async def test_errors_say_what_to_do_and_show_no_keys(serve: Serve, fault: Fault, sent: int, message: str) -> None:
    """What the store answers may hold keys and signatures: none is in the error, or in what it was raised from."""
    faulty = FaultyS3(faults=[fault] * 3)
    store = serve(faulty)
    with pytest.raises(ArchiveError) as raised:
        await store.put_if_absent(OBJECT, b"bytes")
    assert str(raised.value).startswith(f"Could not write {OBJECT} in s3://{BUCKET}/pre/fix: {message}")
    assert faulty.sent["PUT"] == sent
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ is True
    for secret in (KEY_ID, KEY, "Signature="):
        assert secret not in str(raised.value)
        assert secret not in repr(store)


async def test_a_store_that_nobody_serves_is_a_matter_of_setup() -> None:
    """At the opening every trouble is one of the set-up: nothing was bought."""
    port = held_port()
    with pytest.raises(SetupError, match=r"write a trial object in \S+ Look whether the store can be reached"):
        await ObjectStore.open(PLACE, keys_to(f"http://127.0.0.1:{port}"), QUICK)


async def test_what_killed_probes_left_is_swept(serve: Serve) -> None:
    """Only probes, and only old ones: the stand-in's objects are all of one day, long ago by its own clock."""
    stray, kept = f"/{BUCKET}/pre/fix/tmp/probe-1", f"/{BUCKET}/pre/fix/tmp/other"
    faulty = FaultyS3(objects={stray: b"the first of two", kept: b"x"})
    await serve(faulty).probe()
    assert set(faulty.objects) == {kept}


async def test_a_cut_probe_removes_what_it_wrote(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the run is stopped in the middle of it."""
    faulty = FaultyS3()
    store = serve(faulty)
    reading = asyncio.Event()

    async def never(_: str) -> bytes:
        reading.set()
        await asyncio.sleep(60)
        return b""

    monkeypatch.setattr(store, "_read", never)
    probing = asyncio.create_task(store.probe())
    await asyncio.wait_for(reading.wait(), 10)
    assert len(faulty.objects) == 1
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert faulty.objects == {}


async def test_lists_pass_over_probes(serve: Serve) -> None:
    """Another's probe is no part of the archive."""
    faulty = FaultyS3(objects={f"/{BUCKET}/pre/fix/tmp/probe-1": b"", PATH: b""})
    assert [key async for key in serve(faulty).list("")] == [OBJECT]


async def test_a_name_that_no_archive_gives_is_told_from_a_store_that_is_away(serve: Serve) -> None:
    """Other programs write what they like into a bucket; the library lists nothing beside such a name."""
    faulty = FaultyS3(objects={f"/{BUCKET}/pre/fix/objects/a//b": b"", PATH: b""})
    with pytest.raises(ArchiveError, match="has a name that no archive gives"):
        assert [key async for key in serve(faulty).list("objects/")]


async def test_a_browser_can_show_what_is_a_page(serve: Serve) -> None:
    """A contact sheet opens from the bucket; of a master only the bytes are known."""
    faulty = FaultyS3()
    store = serve(faulty)
    await store.put("sheets/a/index.html", b"<p>")
    await store.put_if_absent("thumbnails/ab/x.jpg", b"")
    await store.put_if_absent(OBJECT, b"")
    assert faulty.media_types == {
        f"/{BUCKET}/pre/fix/sheets/a/index.html": "text/html; charset=utf-8",
        f"/{BUCKET}/pre/fix/thumbnails/ab/x.jpg": "image/jpeg",
        PATH: "application/octet-stream",
    }
