"""Finding near-duplicates among a million signatures, beside faiss, numpy, imagededup and imagehash.

`python -m tests.benchmarks near`, and `python -m tests.benchmarks ten-million` for ten times as many

Everything is processor time of one thread, in one run. What would take hours is measured on some queries and scaled,
which is right as brute force is linear in them; the table says "scaled". The codes are random, with 2 % near copies
among them; "as pictures have them" are put together from bands of real signatures (the sandbox's pictures), some
values of which are far more frequent than others. faiss compares 192 bits slower than 256, so both are measured, and
ratios are to the faster one.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from blocks.archive.archive import open_archive
from blocks.archive.catalogue import Catalogue, CatalogueEntry
from deployments.sandbox.pictures.drawing import draw
from deployments.sandbox.pictures.recipe import Recipe
from tasks.likeness import Alikeness, Candidates
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, Words, as_words, fingerprint
from tasks.near_index import NearIndex, each_pairs_within, pairs_within
from tasks.signature import PACKED, SIGNATURE_RULE, unpacked_each
from tests.benchmarks.brute_force import (
    all_by_faiss,
    all_by_imagededup,
    all_by_imagehash,
    all_by_numpy,
    as_bytes,
    flat_of,
    timed,
)
from tests.benchmarks.peers import installed, versions

CODES = 1_000_000
NEW = 1_000
RADIUS_BITS = THRESHOLD_BITS["normal"]
COPIES_SHARE = 0.02
ROUNDS = 3

_DRAWN = 1_200
_BATCH = 10_000
_PROMPTS = ("a blue teapot", "a city street at night", "a fern, botanical", "a poster", "rolling hills", "bauhaus")


class Joined(NamedTuple):
    """What finding all pairs cost."""

    seconds: float
    pairs: int
    peak_mb: float


def main() -> None:
    with installed() as folder:
        print(f"{CODES:,} signatures; processor seconds of one thread; {versions(folder)}\n")
        all_pairs()
        all_pairs_of_64_bits()
        new_ones()
    asyncio.run(opened())


def ten_million() -> None:
    """As many as no peer finishes in a day; half an hour or so."""
    joined = in_a_fresh_process(joined_of, 10 * CODES, 3, "random", RADIUS_BITS)
    print(
        f"{10 * CODES:,} signatures, all pairs within {RADIUS_BITS} bits: {joined.seconds:,.0f} CPU seconds, ", end=""
    )
    print(f"{joined.pairs:,} pairs, peak {joined.peak_mb:,.0f} MB")


def codes_of(count: int, words: int, kind: str = "random") -> Words:
    """Codes with some near copies among them, the same in each run. Shape (count, words)."""
    chance = np.random.default_rng(20)
    if kind == "real":
        bands = real_codes().astype(">u8").view(np.uint16)
        picked = [bands[chance.integers(0, len(bands), count), band] for band in range(bands.shape[1])]
        codes = np.stack(picked, axis=1).view(">u8").astype(np.uint64)
    else:
        codes = chance.integers(0, 1 << 64, (count, words), dtype=np.uint64)
    copies = chance.integers(0, count, round(count * COPIES_SHARE))
    near = np.packbits(chance.random((len(copies), 64 * codes.shape[1])) < 0.06, axis=1).view(">u8")
    codes[chance.integers(0, count, len(copies))] = codes[copies] ^ near.astype(np.uint64)
    return codes


def real_codes() -> Words:
    """Fingerprints of drawn pictures, of parts of them, turned and mirrored: so many that bands have many values.

    Shape (n, 3).
    """
    pictures = [draw(Recipe(_PROMPTS[seed % len(_PROMPTS)], seed, 192, 192)) for seed in range(_DRAWN)]
    parts = [each for picture in pictures for each in (picture, picture.crop((0, 0, 128, 128)))]
    return as_words([fingerprint(part.transpose(way)) for part in parts for way in Image.Transpose])


def all_pairs() -> None:
    heading(f"all pairs within {RADIUS_BITS} of {FINGERPRINT_BITS} bits")
    ours = in_a_fresh_process(joined_of, CODES, 3, "random", RADIUS_BITS)
    print(f"{'this index':44}{ours.seconds:>12.1f}            {ours.pairs:,} pairs, peak {ours.peak_mb:,.0f} MB")
    real = in_a_fresh_process(joined_of, CODES, 3, "real", RADIUS_BITS)
    print(f"{'  with codes as pictures have them':44}{real.seconds:>12.1f}            {real.pairs:,} pairs")
    codes = codes_of(CODES, 3)
    flat = min(
        beside(f"faiss IndexBinaryFlat, {bits} bits, scaled", all_by_faiss(codes, bits, RADIUS_BITS), ours.seconds)
        for bits in (192, 256)
    )
    beside("numpy, each pair once, scaled", all_by_numpy(codes, RADIUS_BITS), ours.seconds)
    print(f"aim: 50 times as fast as faiss flat; it is {flat / ours.seconds:.0f}\n")


def all_pairs_of_64_bits() -> None:
    heading("all pairs within 8 of 64 bits")
    ours = in_a_fresh_process(joined_of, CODES, 1, "random", 8)
    print(f"{'this index':44}{ours.seconds:>12.1f}            {ours.pairs:,} pairs, peak {ours.peak_mb:,.0f} MB")
    codes = codes_of(CODES, 1)
    beside("faiss IndexBinaryFlat, scaled", all_by_faiss(codes, 64, 8), ours.seconds)
    beside("imagededup, its default search, scaled", all_by_imagededup(codes), ours.seconds)
    beside("imagehash, `a - b` once a pair, scaled", all_by_imagehash(codes), ours.seconds)
    print()


def new_ones() -> None:
    heading(f"{NEW:,} new ones against {CODES:,} that are known")
    known, new = codes_of(CODES, 3), codes_of(CODES + NEW, 3)[-NEW:]
    built, index = timed(lambda: NearIndex.of(known))
    flats = {bits: flat_of(known, bits) for bits in (192, 256)}
    ways: dict[str, Callable[[], object]] = {"this index": partial(index.within, new, RADIUS_BITS)}
    for bits, flat in flats.items():
        ways[f"faiss IndexBinaryFlat, {bits} bits"] = partial(flat.range_search, as_bytes(new, bits), RADIUS_BITS + 1)
    rounds = [[timed(way)[0] for way in ways.values()] for _ in range(ROUNDS)]
    ours, *theirs = [statistics.median(each) for each in zip(*rounds, strict=True)]
    for name, seconds in zip(ways, (ours, *theirs), strict=True):
        beside(name, seconds, ours, digits=3)
    for name, seconds in (
        ("  building this index", built),
        ("  appending the new ones to it", timed(lambda: index.append(new))[0]),
        ("  asking for one of them", timed(lambda: [index.within(new[:1], RADIUS_BITS) for _ in range(100)])[0] / 100),
    ):
        print(f"{name:44}{seconds:>12.5f}")
    print(f"aim: at most 1/5 of faiss flat; it is 1/{min(theirs) / ours:.1f}\n")


async def opened() -> None:
    """From the catalogue's tables to an index that answers, with all views of all pictures and with the full ones."""
    heading("opening an archive of so many pictures, from the tables of its catalogue")
    with tempfile.TemporaryDirectory(prefix="kleinbild-near-") as folder:
        async with open_archive(folder) as archive:
            await fill(archive.catalogue, 0, CODES)
        async with open_archive(folder) as archive:
            begun = time.process_time()
            rows = await archive.catalogue.signatures()
            read = time.process_time()
            known = unpacked_each(row.signature for row in rows)
            unpacked = time.process_time()
            del rows
            print(f"{f'reading {CODES:,} rows':44}{read - begun:>12.2f}")
            print(f"{'  as one array':44}{unpacked - read:>12.2f}")
            built, candidates = timed(lambda: Candidates.of(known, Alikeness(RADIUS_BITS)))
            new = signatures_of(CODES, CODES + NEW)
            asked, _ = timed(lambda: candidates.within(new))
            appended, _ = timed(lambda: candidates.append(new))
            begun = time.process_time()
            await fill(archive.catalogue, CODES, CODES + NEW)
            stored = time.process_time() - begun
    print(f"{'index of all views: building it':44}{built:>12.2f}")
    print(f"{f'  {NEW:,} new ones, all their views':44}{asked:>12.2f}")
    print(f"{f'  appending {NEW:,}':44}{appended:>12.5f}")
    print(f"{f'  {NEW:,} rows into the catalogue, durably':44}{stored:>12.4f}")
    print(f"{'peak memory of all this, MB':44}{peak_mb():>12,.0f}\n")


async def fill(catalogue: Catalogue, first: int, end: int) -> None:
    for start in range(first, end, _BATCH):
        signatures = signatures_of(start, min(start + _BATCH, end))
        await catalogue.add([row_of(start + place, signature.tobytes()) for place, signature in enumerate(signatures)])


def signatures_of(first: int, end: int) -> Any:
    """Whole signatures of random codes, none of them plain."""
    chance = np.random.default_rng(first)
    made = np.frombuffer(chance.bytes(PACKED.itemsize * (end - first)), dtype=PACKED).copy()
    made["detail"], made["gradient"] = 100, 100
    return made


def row_of(number: int, signature: bytes) -> CatalogueEntry:
    return CatalogueEntry(
        sha256=f"{number:064x}",
        size_bytes=1_500_000,
        media_type="image/png",
        width_px=1024,
        height_px=1024,
        shot_key=f"{number:064x}",
        provider="scenario",
        model="klein",
        prompt="",
        seed=number,
        campaign="bench",
        edition="1",
        step=0,
        made_at=datetime.fromtimestamp(1_700_000_000 + number, UTC),
        record_json="{}",
        signature_rule=SIGNATURE_RULE,
        signature=signature,
    )


def joined_of(count: int, words: int, kind: str, radius_bits: int) -> Joined:
    """Finds all pairs; of so many codes that their pairs may not fit, part by part."""
    codes = codes_of(count, words, kind)
    if count > CODES:
        seconds, pairs = timed(lambda: sum(len(part.query) for part in each_pairs_within(codes, radius_bits)))
    else:
        seconds, pairs = timed(lambda: len(pairs_within(codes, radius_bits).query))
    return Joined(seconds, pairs, peak_mb())


def in_a_fresh_process(function: Callable[..., Joined], *arguments: object) -> Joined:
    """So that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_mb() -> float:
    """Of this process itself; `getrusage` would say what the one that started it had."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def heading(text: str) -> None:
    print(f"{text}\n{'':44}{'CPU seconds':>12}{'ratio':>12}")


def beside(name: str, seconds: float, ours: float, *, digits: int = 1) -> float:
    print(f"{name:44}{seconds:>12,.{digits}f}{seconds / ours:>12,.1f}")
    return seconds
