import hashlib
import multiprocessing
import random
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from blocks.archive.folder_store import FolderStore
from tests.chaos.killed_writer import SHEET_KEY, SHEET_LINES, write_until_killed

KILLS = 120
AT_ONCE = 3
WAIT_SECONDS = 30.0
LONGEST_LIFE_SECONDS = 0.02


@pytest.fixture
def nursery() -> ForkServerContext:
    """Forks processes that have imported the store already: a hundred of them take seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.chaos.killed_writer"])
    return context


@pytest.mark.timeout(240)
async def test_killed_writers_leave_no_half_object(nursery: ForkServerContext, tmp_path: Path) -> None:
    """SIGKILL at 120 random moments: what has its final name is whole, and what was acknowledged is there.

    Three writers at a time go for the same keys. Half-written files lie apart, under names that a later opening knows
    as ours.
    """
    source = random.Random(7)
    kept: set[str] = set()
    for number in range(KILLS // AT_ONCE):
        kept |= _kill_some(nursery, tmp_path, number, source)
    store = await FolderStore.open(tmp_path)
    found = {key async for key in store.list("objects/")}
    assert kept <= found
    for key in found:
        assert hashlib.sha256(await store.get(key)).hexdigest() == key.rpartition("/")[2]
    sheet = (await store.get(SHEET_KEY)).splitlines()
    assert (len(sheet), len(set(sheet))) == (SHEET_LINES, 1)
    halves = [path.name for path in (tmp_path / "tmp").iterdir()]
    assert halves, "no writer was killed in the middle of a write"
    assert all(name.startswith("write-") for name in halves)


def _kill_some(nursery: ForkServerContext, root: Path, seed: int, source: random.Random) -> set[str]:
    """Kills some writers, each some time after it has written its first object; the keys that they said are kept."""
    writers = [_start(nursery, root, seed) for _ in range(AT_ONCE)]
    kept: set[str] = set()
    for writer, hears in writers:
        assert hears.poll(WAIT_SECONDS), "the writer does not write"
        time.sleep(source.uniform(0, LONGEST_LIFE_SECONDS))
        writer.kill()
        writer.join(WAIT_SECONDS)
        assert writer.exitcode == -signal.SIGKILL
        with hears:
            kept |= set(_said(hears))
    return kept


def _start(nursery: ForkServerContext, root: Path, seed: int) -> tuple[BaseProcess, Connection]:
    hears, says = nursery.Pipe(duplex=False)
    writer = nursery.Process(target=write_until_killed, args=(root, says, seed))
    writer.start()
    says.close()
    return writer, hears


def _said(hears: Connection) -> list[str]:
    said = []
    while True:
        try:
            said.append(hears.recv_bytes().decode())
        except EOFError:
            return said
