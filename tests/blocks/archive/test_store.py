"""What every store promises, held against each of them: a folder, memory, moto and SeaweedFS."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from blocks.archive.bucket import Bucket
from blocks.archive.folder_store import FolderStore
from blocks.archive.object_store import ObjectStore
from blocks.archive.store import Store, StoredObject
from blocks.archive.store_keys import AmazonKeys
from blocks.errors import ArchiveError
from tests.blocks.archive.servers import BUCKET, moto, seaweedfs

KEY = "objects/ab/" + "ab" * 32
RACERS = 24


def _session_server(
    server: Callable[[Path], AbstractContextManager[AmazonKeys]],
) -> Callable[[pytest.TempPathFactory], Iterator[AmazonKeys]]:
    def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmazonKeys]:
        with server(tmp_path_factory.mktemp("server")) as keys:
            yield keys

    return running


moto_keys = pytest.fixture(scope="session", name="moto")(_session_server(moto))
seaweedfs_keys = pytest.fixture(scope="session", name="seaweedfs")(_session_server(seaweedfs))


class Opener:
    """Opens stores of one kind, each empty, or the same again."""

    def __init__(self, folder: Path, kind: str, keys: AmazonKeys | None) -> None:
        self._folder, self._kind, self._keys = folder, kind, keys

    async def open(self, name: str) -> Store:
        """Opens the store of this name."""
        if self._kind == "folder":
            return await FolderStore.open(self._folder / name)
        if self._keys is None:
            return await ObjectStore.open(Bucket(scheme="memory", name=f"{self._folder.name}-{name}"))
        return await ObjectStore.open(Bucket(scheme="s3", name=BUCKET, prefix=f"tests/{name}"), self._keys)


@pytest.fixture(params=["folder", "memory", "moto", "seaweedfs"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens stores of each kind."""
    kind: str = request.param
    keys = request.getfixturevalue(kind) if kind in {"moto", "seaweedfs"} else None
    return Opener(tmp_path, kind, keys)


@pytest.fixture
async def store(opener: Opener) -> Store:
    """An empty store of each kind."""
    return await opener.open(uuid.uuid4().hex)


async def keys_of(store: Store, prefix: str) -> list[str]:
    return sorted([key async for key in store.list(prefix)])


async def test_an_object_is_put_once_and_read_back(store: Store) -> None:
    """The first put wins; a second one says so and changes nothing."""
    assert await store.put_if_absent(KEY, b"first") is True
    assert await store.put_if_absent(KEY, b"second") is False
    assert await store.put_if_absent(KEY, b"first") is False
    assert await store.get(KEY) == b"first"
    assert await store.head(KEY) == StoredObject(key=KEY, size_bytes=5)


@pytest.mark.parametrize("size_bytes", [0, 1, 12_000_000])
async def test_bytes_come_back_as_they_were(store: Store, size_bytes: int) -> None:
    """Nothing, and more than the library would send in one part."""
    data = bytes(range(256)) * (size_bytes // 256) + b"x" * (size_bytes % 256)
    assert await store.put_if_absent(KEY, data) is True
    await store.put("sheets/large.html", data)
    assert await store.get(KEY) == data
    assert await store.get("sheets/large.html") == data
    assert await store.head(KEY) == StoredObject(key=KEY, size_bytes=size_bytes)


async def test_put_replaces(store: Store) -> None:
    """Derived files are replaced."""
    await store.put("sheets/a.html", b"old")
    await store.put("sheets/a.html", b"new and longer")
    assert await store.get("sheets/a.html") == b"new and longer"


async def test_delete_removes_and_forgives(store: Store) -> None:
    """Deleting what is not there is no error, and frees the key."""
    await store.put_if_absent(KEY, b"bytes")
    await store.delete(KEY)
    await store.delete(KEY)
    assert await store.head(KEY) is None
    assert await keys_of(store, "") == []
    assert await store.put_if_absent(KEY, b"again") is True


async def test_reading_what_is_missing_names_it(store: Store) -> None:
    """A missing object is an error of the archive that names the key."""
    with pytest.raises(ArchiveError, match=f"{KEY} is missing"):
        await store.get(KEY)
    assert await store.head(KEY) is None


async def test_list_finds_keys_by_prefix(store: Store) -> None:
    """A prefix is a string, not a folder."""
    kept = ["archive.json", "objects/ab/1", "objects/ab/2", "objects/ac/3", "records/ab/1.json"]
    for key in kept:
        await store.put_if_absent(key, b"")
    assert await keys_of(store, "objects/") == kept[1:4]
    assert await keys_of(store, "objects/a") == kept[1:4]
    assert await keys_of(store, "objects/ab/2") == ["objects/ab/2"]
    assert await keys_of(store, "obj") == kept[1:4]
    assert await keys_of(store, "nothing/here/") == []
    assert await keys_of(store, "") == kept


async def test_a_long_list_is_complete(store: Store) -> None:
    """S3 answers a thousand keys at a time."""
    kept = [f"objects/{n % 16:02x}/{n:04}" for n in range(1200)]
    limit = asyncio.Semaphore(16)

    async def put(key: str) -> None:
        async with limit:
            await store.put_if_absent(key, b"")

    await asyncio.gather(*(put(key) for key in kept))
    assert await keys_of(store, "objects/") == sorted(kept)


@pytest.mark.parametrize("key", ["a b/ü.json", "a%20b", "a%2Fb", "a+b&c=d", "a#b?c", "a~*'()b", "日本/x", "[a]{b}|c^"])
async def test_any_key_comes_back_as_it_was(store: Store, key: str) -> None:
    """Names of campaigns are people's own: no store reads them as part of an address."""
    assert await store.put_if_absent(key, b"bytes") is True
    assert await store.put_if_absent(key, b"other") is False
    assert await store.get(key) == b"bytes"
    assert await keys_of(store, "") == [key]
    await store.delete(key)
    assert await keys_of(store, "") == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a\nb", "tmp/x", "x" * 513])
async def test_keys_that_could_leave_the_archive_are_refused(store: Store, key: str) -> None:
    """A key is refused before the store is asked."""
    for operation in (store.get, store.head, store.delete):
        with pytest.raises(ArchiveError, match=r"[Kk]ey"):
            await operation(key)
    for put in (store.put_if_absent, store.put):
        with pytest.raises(ArchiveError, match=r"[Kk]ey"):
            await put(key, b"")


async def test_of_many_racers_one_wins(opener: Opener) -> None:
    """Of 24 writers of one key, through stores opened on their own, one wins, and its bytes stay."""
    name = uuid.uuid4().hex
    stores = [await opener.open(name) for _ in range(4)]
    for n in range(3):
        key = f"objects/{n}/x"
        puts = [stores[writer % 4].put_if_absent(key, bytes([writer]) * 1000) for writer in range(RACERS)]
        won = await asyncio.gather(*puts)
        assert won.count(True) == 1
        assert await stores[0].get(key) == bytes([won.index(True)]) * 1000


async def test_a_probe_leaves_nothing_behind(opener: Opener) -> None:
    """A good store passes, also while others probe it, and what it holds is as it was."""
    name = uuid.uuid4().hex
    store = await opener.open(name)
    await store.put_if_absent(KEY, b"bytes")
    await asyncio.gather(*(opener.open(name) for _ in range(8)))
    assert await keys_of(store, "") == [KEY]
    assert await store.get(KEY) == b"bytes"


class Model(RuleBasedStateMachine):
    """A store beside a dict: whatever is done to both, they say the same."""

    opener: Opener
    runner: asyncio.Runner
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.store = self.runner.run(self.opener.open(uuid.uuid4().hex))
        self.dict: dict[str, bytes] = {}

    @rule(target=keys, folder=st.sampled_from(["objects/aa", "objects/ab", "sheets"]), name=st.integers(0, 4))
    def key(self, folder: str, name: int) -> str:
        """Few keys, so that rules meet."""
        return f"{folder}/{name}"

    @rule(key=keys, data=st.binary(max_size=40))
    def put_if_absent(self, key: str, data: bytes) -> None:
        """True where the dict has no such key."""
        assert self.runner.run(self.store.put_if_absent(key, data)) is (key not in self.dict)
        self.dict.setdefault(key, data)

    @rule(key=keys, data=st.binary(max_size=40))
    def put(self, key: str, data: bytes) -> None:
        """Replaces."""
        self.runner.run(self.store.put(key, data))
        self.dict[key] = data

    @rule(key=keys)
    def delete(self, key: str) -> None:
        """Removes."""
        self.runner.run(self.store.delete(key))
        self.dict.pop(key, None)

    @rule(key=keys)
    def get_and_head(self, key: str) -> None:
        """The same bytes, or none."""
        facts = self.runner.run(self.store.head(key))
        if key in self.dict:
            assert self.runner.run(self.store.get(key)) == self.dict[key]
            assert facts == StoredObject(key=key, size_bytes=len(self.dict[key]))
        else:
            assert facts is None
            with pytest.raises(ArchiveError, match="is missing"):
                self.runner.run(self.store.get(key))

    @rule(prefix=st.sampled_from(["", "objects/", "objects/a", "objects/aa/", "sheets/1", "none"]))
    def list_some(self, prefix: str) -> None:
        """The same keys under each prefix."""
        listed = self.runner.run(keys_of(self.store, prefix))
        assert listed == sorted(key for key in self.dict if key.startswith(prefix))

    @invariant()
    def nothing_else(self) -> None:
        """The same keys altogether."""
        assert self.runner.run(keys_of(self.store, "")) == sorted(self.dict)


def test_a_store_behaves_as_a_dict(opener: Opener) -> None:
    """Any sequence of operations, and the same answers."""
    quick = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    with asyncio.Runner() as runner:
        machine = type("Model", (Model,), {"opener": opener, "runner": runner})
        run_state_machine_as_test(machine, settings=quick)
