"""Holds the three books against each other: what the sandbox sold, what the ledger says, what lies in the archive."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from blocks.archive.archive import Archive, open_archive
from blocks.archive.layout import TEMP_FOLDER, object_key, record_key
from blocks.archive.ledger import LedgerEntry, ShotState
from blocks.provider import Frozen, Money
from tasks.models import ImageRecord, Shot

CLOSED = {ShotState.DONE, ShotState.LOST}


class Work(NamedTuple):
    """What tells one shot from the others in the words of both sides."""

    provider: str
    prompt: str
    seed: int


class Books(Frozen):
    """What was found, in figures. Everything that must not be was refused before.

    Attributes:
        lost_and_bought: Labels of shots whose answer was lost and cannot be found again: the API has no list.
        lost_unsent: How many were given up although they had not been sent: nobody can tell.
        ledger: What the ledger says was billed, and may have been billed for lost shots that were sent, by unit.
        sandbox: What the sandbox charged, by unit.
    """

    shots: int
    submits: int
    lost_and_bought: tuple[str, ...]
    lost_unsent: int
    pictures: int
    ledger: dict[str, Decimal]
    sandbox: dict[str, Decimal]

    @property
    def lost(self) -> int:
        """How many shots were given up."""
        return len(self.lost_and_bought) + self.lost_unsent


async def audit(root: Path, jobs: Iterable[dict[str, Any]]) -> Books:
    """Checks every promise that a campaign which was killed, and has ended now, has to keep.

    Args:
        root: The archive.
        jobs: `GET /sandbox/jobs`: nothing but what was bought for this archive.
    """
    sold: defaultdict[Work, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        sold[work_of_job(job)].append(job)
    async with open_archive(str(root)) as archive:
        entries = await archive.ledger.in_states(*ShotState)
        known = {work_of_entry(entry): entry for entry in entries}
        assert len(known) == len(entries)
        assert set(sold) <= set(known), "a job that the ledger does not know"
        for work, entry in known.items():
            await _check_shot(entry, sold.get(work, []), archive)
        pictures = await _check_folder(archive)
        totals = await archive.ledger.totals()
    books = _figures(known, sold, pictures)
    assert books.ledger == books.sandbox, f"{books.ledger} is not {books.sandbox}"
    unsent = [entry.reserved for work, entry in known.items() if entry.state is ShotState.LOST and work not in sold]
    assert _sums([*totals.billed, *totals.lost]) == _sums([*_as_money(books.ledger), *unsent])
    return books


async def _check_shot(entry: LedgerEntry, jobs: list[dict[str, Any]], archive: Archive) -> None:
    """Bought once, and brought home; or lost, which only Sunra's jobs may be after they were bought."""
    shown = f"{_label(entry)} is {entry.state}, bought {len(jobs)} times"
    assert entry.state in CLOSED, shown
    if entry.state is ShotState.LOST:
        assert len(jobs) == 0 or (len(jobs) == 1 and entry.provider == "sunra"), shown
        assert entry.reserved is not None, shown
        return
    assert [job["job_id"] for job in jobs] == [entry.job_id], shown
    assert entry.images, shown
    for sha256 in entry.images:
        await _check_image(sha256, entry, archive)


async def _check_image(sha256: str, entry: LedgerEntry, archive: Archive) -> None:
    data = await archive.store.get(object_key(sha256))
    assert hashlib.sha256(data).hexdigest() == sha256
    record = ImageRecord.model_validate_json(await archive.store.get(record_key(sha256)))
    assert (record.sha256, record.shot_key, record.job_id) == (sha256, entry.shot_key, entry.job_id)
    row = await archive.catalogue.get(sha256)
    assert row is not None
    in_row = ImageRecord.model_validate_json(row.record_json)
    # A record that was stored before the row is kept; the row is of the run that came after, and was made later.
    assert in_row.model_copy(update={"made_at": record.made_at}) == record


async def _check_folder(archive: Archive) -> int:
    """No file has a final name and is not whole; returns how many pictures there are."""
    pictures = 0
    async for key in archive.store.list("objects/"):
        assert hashlib.sha256(await archive.store.get(key)).hexdigest() == key.rpartition("/")[2], key
        pictures += 1
    async for key in archive.store.list("records/"):
        ImageRecord.model_validate_json(await archive.store.get(key))
    assert await asyncio.to_thread(_strays, Path(archive.root)) == []
    return pictures


def _strays(root: Path) -> list[Path]:
    """Finds half-written files where none may be."""
    return [path for path in root.rglob("write-*") if path.relative_to(root).parts[0] != TEMP_FOLDER]


def _figures(known: dict[Work, LedgerEntry], sold: dict[Work, list[dict[str, Any]]], pictures: int) -> Books:
    lost = {work: entry for work, entry in known.items() if entry.state is ShotState.LOST}
    bought_and_lost = {work: entry for work, entry in lost.items() if work in sold}
    billed = [entry.billed for entry in known.values() if entry.state is ShotState.DONE]
    jobs = [job for each in sold.values() for job in each]
    return Books(
        shots=len(known),
        submits=len(jobs),
        lost_and_bought=tuple(sorted(_label(entry) for entry in bought_and_lost.values())),
        lost_unsent=len(lost) - len(bought_and_lost),
        pictures=pictures,
        ledger=_sums([*billed, *(entry.reserved for entry in bought_and_lost.values())]),
        sandbox=_sums(Money(amount=Decimal(str(job["charged"])), unit=job["cost_unit"]) for job in jobs),
    )


def work_of_job(job: dict[str, Any]) -> Work:
    return Work(job["provider"], job["request"]["prompt"], int(job["request"]["seed"]))


def work_of_entry(entry: LedgerEntry) -> Work:
    request = Shot.model_validate_json(entry.request_json).request
    return Work(entry.provider, request.prompt, request.seed)


def _label(entry: LedgerEntry) -> str:
    return f"{entry.provider}: {Shot.model_validate_json(entry.request_json).label}"


def _as_money(sums: dict[str, Decimal]) -> list[Money]:
    return [Money(amount=amount, unit=unit) for unit, amount in sums.items()]


def _sums(amounts: Iterable[Money | None]) -> dict[str, Decimal]:
    sums: Counter[str] = Counter()
    for money in amounts:
        if money is not None and money.amount:
            sums[money.unit] += money.amount  # type: ignore[assignment]  # counters of decimals work as those of numbers
    return {unit: Decimal(amount) for unit, amount in sums.items()}
