"""Scratch: equal bytes, db lost."""
import io
import pytest
from flows.stages import make_pictures
from tasks import ingest as im
from tasks.archive import read_record
from tests.tasks.test_restore import buy, lose, rebuild_at
from tests.tasks.buying import state_of
from tasks.purchase import Purchase
from tasks.generate import collect, submit
from tasks.attempts import attempt_after
from blocks.errors import KleinbildError

pytestmark = pytest.mark.usefixtures("impatient")

async def test_equal_bytes(studio_with, shot_of, sandbox, tmp_path, monkeypatch):
    real = im.fetch
    first = {}
    async def same(*a):
        p = await real(*a)
        first.setdefault("d", p.data)
        return p.model_copy(update={"data": first["d"]})
    monkeypatch.setattr(im, "fetch", same)
    shots = [shot_of("a"), shot_of("b"), shot_of("c", outputs=2)]
    async with studio_with() as studio:
        for s in shots: await buy(s, studio)
    n = len(sandbox.jobs())
    lose(tmp_path)
    print("REBUILT", await rebuild_at(tmp_path))
    async with studio_with() as studio:
        print("KNOWN", [ (await studio.archive.ledger.get(s.key)) is not None for s in shots])
        for s in shots:
            e = await studio.archive.ledger.get(s.key)
            if e is None:
                await buy(s, studio)
    print("JOBS", n, len(sandbox.jobs()))

async def test_multi_same_then_gone(studio_with, shot_of, sandbox, tmp_path, monkeypatch):
    real = im.fetch
    first = {}
    async def same(*a):
        p = await real(*a)
        first.setdefault("d", p.data)
        return p.model_copy(update={"data": first["d"]})
    monkeypatch.setattr(im, "fetch", same)
    s = shot_of("c", outputs=2)
    async with studio_with() as studio:
        e = await buy(s, studio)
        print("BEFORE", e.state, e.images)
    lose(tmp_path)
    print("REBUILT", await rebuild_at(tmp_path))
    async with studio_with() as studio:
        e = await state_of(studio, s)
        print("AFTER", e.state, e.images, e.reserved, e.billed)
