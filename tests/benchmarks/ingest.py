"""What it costs to take pictures into an archive, beside `cp`, `sync` and `sha256sum` on the same files.

`python -m tests.benchmarks ingest`

Each round runs the peer and ours in turn on the same pictures (the sandbox's, 1024x1024, with as much grain as makes
PNGs of the 1.4 MB that klein's have), into new folders of the same disk. All of ours work with two threads. *sealed*:
read, hashed, put durably, and a row in the catalogue. *through the gate*: besides, the structure, a full decode, the
hash of the pixels, the signature and the quality. *whole ingest*: besides, content credentials, a thumbnail and a
record, both put durably, as everything that was paid for goes through it.
"""

import asyncio
import hashlib
import io
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from blocks.archive.archive import Archive, open_archive
from blocks.archive.catalogue import CatalogueEntry
from blocks.archive.layout import object_key, record_key, thumbnail_key
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import render
from tasks.checks import Examined, decode_and_check
from tasks.gate.admit import Expected, admit
from tasks.gate.structure import structure_of
from tasks.models import ImageRecord
from tasks.provenance.noting import with_credentials
from tasks.provenance.views import marked_thumbnail
from tasks.records import catalogue_entry
from tests.images import image_record

PICTURES = 64
PAIRS = 5
SIDE_PX = 1024
GRAIN_LEVELS = 1.2
THREADS = 2

PEER = "cp + sync + sha256sum"

Ingest = Callable[[list[Path], Archive], Awaitable[None]]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kleinbild-ingest-") as folder:
        pictures = drawn(Path(folder) / "pictures")
        seconds: dict[str, list[float]] = {name: [] for name in (PEER, *INGESTS)}
        for number in range(PAIRS):
            place = Path(folder) / str(number)
            place.mkdir()
            subprocess.run(["sync"], check=True)
            seconds[PEER].append(copied(pictures, place / "copies"))
            for name, ingest in INGESTS.items():
                seconds[name].append(asyncio.run(timed(ingest, pictures, place / name.replace(" ", "-"))))
            shutil.rmtree(place)
        report(pictures, seconds)


def drawn(folder: Path) -> list[Path]:
    """Pictures of the sandbox, with the grain of real ones: smooth ones would be a third of their size."""
    folder.mkdir()
    grain = np.random.default_rng(0)
    paths = []
    for seed in range(PICTURES):
        recipe = Recipe(prompt="a blue teapot on a wooden table", seed=seed, width_px=SIDE_PX, height_px=SIDE_PX)
        path = folder / f"{seed:04}.png"
        pixels = np.asarray(Image.open(io.BytesIO(render(recipe, []))), dtype=np.float32)
        grained = pixels + grain.normal(0, GRAIN_LEVELS, pixels.shape)
        Image.fromarray(grained.clip(0, 255).astype(np.uint8)).save(path, compress_level=6)
        paths.append(path)
    return paths


def copied(pictures: list[Path], folder: Path) -> float:
    """The peer: what a careful person does by hand, in three commands for all files."""
    folder.mkdir()
    begun = time.perf_counter()
    subprocess.run(["cp", *pictures, folder], check=True)
    subprocess.run(["sync", "--file-system", folder], check=True)
    subprocess.run(["sha256sum", *sorted(folder.iterdir())], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


async def timed(ingest: Ingest, pictures: list[Path], root: Path) -> float:
    async with open_archive(str(root)) as archive:
        begun = time.perf_counter()
        await ingest(pictures, archive)
        seconds = time.perf_counter() - begun
        if (count := await archive.catalogue.count()) != len(pictures):
            raise SystemExit(f"{count} of {len(pictures)} pictures are in the catalogue.")
    return seconds


async def seal(pictures: list[Path], archive: Archive) -> None:
    await put_all(pictures, archive, read_and_hash)


async def put_all(pictures: list[Path], archive: Archive, look: Callable[[Path], tuple[bytes, str]]) -> None:
    working = asyncio.Semaphore(THREADS)

    async def let_in(path: Path) -> CatalogueEntry:
        async with working:
            data, sha256 = await asyncio.to_thread(look, path)
        await archive.store.put_if_absent(object_key(sha256), data)
        return row_of(sha256, len(data))

    await archive.catalogue.add(await asyncio.gather(*(let_in(path) for path in pictures)))


def read_and_hash(path: Path) -> tuple[bytes, str]:
    data = path.read_bytes()
    return data, hashlib.sha256(data).hexdigest()


def row_of(sha256: str, size_bytes: int) -> CatalogueEntry:
    """A row of what is known without looking at the picture."""
    return CatalogueEntry(
        sha256=sha256,
        size_bytes=size_bytes,
        media_type="image/png",
        width_px=SIDE_PX,
        height_px=SIDE_PX,
        shot_key=sha256,
        provider="scenario",
        model="klein",
        prompt="",
        seed=None,
        campaign="bench",
        edition="1",
        step=0,
        made_at=datetime.now(UTC),
        record_json="{}",
    )


async def pass_gate(pictures: list[Path], archive: Archive) -> None:
    await put_all(pictures, archive, look_through)


def look_through(path: Path) -> tuple[bytes, str]:
    data, sha256 = read_and_hash(path)
    structure_of(data)
    decode_and_check(data, "The picture")
    return data, sha256


async def take_in(pictures: list[Path], archive: Archive) -> None:
    decoding = asyncio.Semaphore(THREADS)

    async def bring_in(path: Path) -> ImageRecord:
        async with decoding:
            data = path.read_bytes()
            examined = await asyncio.to_thread(examine_paid, data)
        record = record_of(data, examined)
        await archive.store.put_if_absent(object_key(record.sha256), data)
        await archive.store.put_if_absent(record_key(record.sha256), record.model_dump_json(indent=1).encode())
        await archive.store.put_if_absent(thumbnail_key(record.sha256), marked_thumbnail(examined.thumbnail, record))
        return record

    records = await asyncio.gather(*(bring_in(path) for path in pictures))
    await archive.catalogue.add([catalogue_entry(record) for record in records])


def examine_paid(data: bytes) -> Examined:
    expected = Expected(declared_type="image/png", width_px=SIDE_PX, height_px=SIDE_PX)
    examined = admit(data, expected, "The picture")
    return examined._replace(checks=with_credentials(examined.checks, data))


def record_of(data: bytes, examined: Examined) -> ImageRecord:
    sha256 = hashlib.sha256(data).hexdigest()
    return image_record(sha256=sha256, shot_key=sha256, checks=examined.checks)


INGESTS: dict[str, Ingest] = {"sealed": seal, "through the gate": pass_gate, "whole ingest": take_in}


def report(pictures: list[Path], seconds: dict[str, list[float]]) -> None:
    size_mb = sum(path.stat().st_size for path in pictures) / len(pictures) / 1e6
    print(f"{len(pictures)} PNGs of {SIDE_PX}x{SIDE_PX}, {size_mb:.2f} MB each; {PAIRS} rounds, each in turn")
    print(f"{'':24}{'pictures/s':>12}{'ratio, median':>16}{'min':>8}{'max':>8}")
    peer = seconds[PEER]
    for name, each in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(peer, each, strict=True)]
        speed = len(pictures) / statistics.median(each)
        print(f"{name:24}{speed:>12.1f}{statistics.median(ratios):>16.2f}{min(ratios):>8.2f}{max(ratios):>8.2f}")


if __name__ == "__main__":
    main()
