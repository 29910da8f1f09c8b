"""The archive's catalogue at size: a rebuild of 100,000 records, and the lineage of one image among 1,000,000.

`python -m tests.benchmarks.archive [rebuild|lineage …]`

The rebuild's peer is the plainest that there is: reading all record files and parsing their JSON, in one thread. Its
answers are held against those of the catalogue before it was lost. The lineage's peer is DuckDB over Parquet, asked the
same question with a recursive query, in turn with ours; it is installed for that, and thrown away.
"""

import asyncio
import hashlib
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow
import pyarrow.parquet

from blocks.archive.archive import Archive, open_archive
from blocks.archive.catalogue import Catalogue
from blocks.archive.layout import CATALOGUE_FILE, record_key
from blocks.provider import PictureRequest
from tasks.care.rebuild import rebuild
from tasks.measured import Checks, Quality
from tasks.models import ImageRecord, Prompt
from tasks.records import catalogue_entry
from tasks.replay import shot_of
from tests.benchmarks.peers import installed

RECORDS = 100_000
ROWS = 1_000_000
CHAIN = 48
"""Pictures in each line: 47 ancestors for the last one, as in the notes on archives."""

ROUNDS = 30
QUERIES_OF_PEER = 5
"""They take seconds each."""

BATCH = 5_000

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_UPWARDS = """
    WITH RECURSIVE way(sha256, steps) AS (
        SELECT parent_sha256, 1 FROM images WHERE sha256 = ?
        UNION ALL SELECT images.parent_sha256, steps + 1 FROM images JOIN way ON images.sha256 = way.sha256)
    SELECT images.sha256 FROM images JOIN way ON images.sha256 = way.sha256 ORDER BY steps DESC"""


def sha256_of_number(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def record_of(number: int) -> ImageRecord:
    """A record as a campaign makes them; each 48th begins a line of edits."""
    step, sha256 = number % CHAIN, sha256_of_number(number)
    text = f"a still life, number {number}, with a {'red' if number % 2 else 'blue'} teapot, morning light"
    record = ImageRecord(
        sha256=sha256,
        shot_key="",
        provider="sunra" if step else "scenario",
        sandbox=False,
        job_id=f"job_{number}",
        output_index=0,
        request=PictureRequest(model="flux-2-klein-4b", prompt=text, seed=number, width_px=1024, height_px=1024),
        prompt=Prompt(text=text, template="a still life, number ${number}, with a {red|blue} teapot"),
        step=step,
        parent_sha256=sha256_of_number(number - 1) if step else None,
        references=(),
        campaign=f"campaign-{number // 5000}",
        edition="1",
        position=number,
        cost=None,
        checks=Checks(
            media_type="image/png",
            width_px=1024,
            height_px=1024,
            size_bytes=1_500_000,
            fingerprint=sha256[:48],
            pixels_blake3=sha256,
            quality=Quality(sharpness=120.5, contrast=0.2, clipped_share=0.01, entropy_bits=7.2),
            content_credentials="none",
        ),
        made_at=_BEGUN + timedelta(seconds=number),
    )
    return record.model_copy(update={"shot_key": shot_of(record).key})


def batches(count: int) -> Iterator[list[ImageRecord]]:
    for start in range(0, count, BATCH):
        yield [record_of(number) for number in range(start, min(start + BATCH, count))]


async def fill(archive: Archive, count: int) -> None:
    """What a campaign leaves, without the pictures; plain files, because no power is cut here."""
    root = Path(archive.root)
    for records in batches(count):
        await archive.catalogue.add([catalogue_entry(record) for record in records])
        for record in records:
            path = root / record_key(record.sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(record.model_dump_json(indent=1), encoding="utf-8")
        members = [(record.shot_key, record.position, record.step) for record in records]
        await archive.catalogue.add_members(records[0].campaign, records[0].edition, members)


async def answers(catalogue: Catalogue) -> str:
    """A digest of every row, every fingerprint and a sample of all other answers."""
    digest = hashlib.sha256()

    def take(answer: object) -> None:
        digest.update(repr(answer).encode())

    take(await catalogue.count())
    take(await catalogue.signatures())
    take(await catalogue.signatures(exclude_campaign="campaign-3", exclude_edition="1"))
    for records in batches(RECORDS):
        entries = await catalogue.entries(record.sha256 for record in records)
        take([entry.model_dump() for entry in entries])
        take([entry.sha256 for entry in await catalogue.images_of(records[0].campaign, records[0].edition)])
        take(await catalogue.members_of(records[0].campaign, records[0].edition))
        for record in records[::500]:
            take([entry.sha256 for entry in await catalogue.ancestors_of(record.sha256)])
            take([entry.sha256 for entry in await catalogue.descendants_of(record.sha256)])
            take([entry.sha256 for entry in await catalogue.children_of(record.sha256)])
            take([entry.sha256 for entry in await catalogue.find_prefix(record.sha256[:4])])
    return digest.hexdigest()


async def bench_rebuild() -> None:
    with tempfile.TemporaryDirectory(prefix="kleinbild-bench-") as folder:
        async with open_archive(folder) as archive:
            await fill(archive, RECORDS)
            before = await answers(archive.catalogue)
        for file in Path(folder).glob(f"{CATALOGUE_FILE}*"):
            file.unlink()
        begun = time.perf_counter()
        for path in Path(folder, "records").rglob("*.json"):
            json.loads(path.read_bytes())
        peer_seconds = time.perf_counter() - begun
        async with open_archive(folder) as archive:
            lost_seconds, rebuilt = await timed(archive)
            is_same = await answers(archive.catalogue) == before
            sound_seconds, again = await timed(archive)
    print(f"rebuild of {RECORDS:,} records, catalogue lost: {lost_seconds:.1f} s ({RECORDS / lost_seconds:,.0f}/s)")
    print(f"  {rebuilt}; answers identical: {is_same}")
    print(
        f"  reading the files and parsing their JSON alone: {peer_seconds:.1f} s; {lost_seconds / peer_seconds:.1f} x"
    )
    print(f"  a second one, nothing to do: {sound_seconds:.1f} s; {again}")
    if not is_same:
        raise SystemExit("The rebuilt catalogue answers otherwise.")


async def timed(archive: Archive) -> tuple[float, str]:
    begun = time.perf_counter()
    rebuilt = await rebuild(archive)
    return time.perf_counter() - begun, f"{rebuilt.added:,} rows added, {rebuilt.corrected:,} corrected"


async def bench_lineage() -> None:
    with installed("duckdb"), tempfile.TemporaryDirectory(prefix="kleinbild-bench-") as folder:
        async with open_archive(folder) as archive:
            writer = parquet_writer(Path(folder, "images.parquet"))
            for records in batches(ROWS):
                entries = [catalogue_entry(record) for record in records]
                await archive.catalogue.add(entries)
                writer([entry.model_dump() for entry in entries])
            writer(None)
            images = [sha256_of_number(line * CHAIN + CHAIN - 1) for line in range(0, ROWS // CHAIN, 613)][:ROUNDS]
            ask_duckdb = duckdb_over(Path(folder, "images.parquet"))
            ours, theirs, down = [], [], []
            for number, image in enumerate(images):
                begun = time.perf_counter()
                found = [entry.sha256 for entry in await archive.catalogue.ancestors_of(image)]
                ours.append(time.perf_counter() - begun)
                assert len(found) == CHAIN - 1
                begun = time.perf_counter()
                assert len(await archive.catalogue.descendants_of(found[0])) == CHAIN - 1
                down.append(time.perf_counter() - begun)
                if number < QUERIES_OF_PEER:
                    begun = time.perf_counter()
                    assert ask_duckdb(image) == found
                    theirs.append(time.perf_counter() - begun)
    print(f"lineage of one image among {ROWS:,}, {CHAIN - 1} ancestors, as whole records; {len(ours)} images")
    print(f"  upwards    median {ms(ours)} ms, worst {1000 * max(ours):.1f} ms")
    print(f"  downwards  median {ms(down)} ms, worst {1000 * max(down):.1f} ms")
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"  DuckDB over Parquet, digests alone: median {ms(theirs)} ms: {ratio:,.0f} x as long")


def ms(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.2f}"


def parquet_writer(path: Path) -> Callable[[list[dict] | None], None]:
    opened: list = []

    def write(rows: list[dict] | None) -> None:
        if rows is None:
            opened[0].close()
            return
        table = pyarrow.Table.from_pylist(rows)
        if not opened:
            opened.extend([pyarrow.parquet.ParquetWriter(path, table.schema), table.schema])
        opened[0].write_table(table.cast(opened[1]))

    return write


def duckdb_over(path: Path) -> Callable[[str], list[str]]:
    connection = importlib.import_module("duckdb").connect()
    connection.execute(f"CREATE VIEW images AS SELECT * FROM read_parquet('{path}')")
    return lambda sha256: [row[0] for row in connection.execute(_UPWARDS, [sha256]).fetchall()]


BENCHMARKS = {"rebuild": bench_rebuild, "lineage": bench_lineage}


def main() -> None:
    """Runs both, or those that are named."""
    for name in sys.argv[1:] if __name__ == "__main__" and sys.argv[1:] else BENCHMARKS:
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main()
