"""Records -> ledger: the shots that a lost database knew are put back, so that nothing that is here is bought again.

A shot is done where the records hold all pictures of its job. Where some are missing, or lie in quarantine, its job is
known all the same: a later run collects it once more, which buys nothing. What failed or was lost left no record, nor
did jobs that were under way: they cannot be known. Equal bytes have one record, of the shot that made them first; what
the others made lies in `repeats/`.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence

from blocks.archive.archive import Archive
from blocks.archive.ledger import RestoredShot, ShotState
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen, Money
from tasks.archive import read_record
from tasks.care.findings import parse_record
from tasks.gate.quarantine import paid_in
from tasks.models import ImageRecord, Shot

AT_ONCE = 256
"""Shots that are put back together."""


class Restored(Frozen):
    """How many shots were put back: as done, and as jobs whose pictures are still to be collected."""

    done: int = 0
    running: int = 0


async def restore_ledger(archive: Archive) -> Restored:
    """Puts back every shot that the ledger does not know and the catalogue has pictures of, and those in quarantine.

    The rows of all images have to be there already. Each shot is put back as a whole; it may be stopped and repeated.
    What the catalogue has no pictures of comes first, and at once: while the ledger is blank nobody buys, and
    afterwards rows alone tell a run that a shot is still to be put back (`tasks/blank.py`).

    Raises:
        ArchiveError: The database cannot be written.
    """
    counts = dict.fromkeys((ShotState.DONE, ShotState.RUNNING), 0)
    async for batch in _batches(archive):
        for shot in await archive.ledger.restore(sorted(batch, key=lambda each: each.state is not ShotState.DONE)):
            counts[shot.state] += 1
    return Restored(done=counts[ShotState.DONE], running=counts[ShotState.RUNNING])


async def _batches(archive: Archive) -> AsyncIterator[list[RestoredShot]]:
    repeats = await _repeats(archive.store)
    refused = [shot async for shot in _of_quarantine(archive.store)]
    pictured = await archive.ledger.images_of([*repeats, *(shot.shot_key for shot in refused)])
    alone = [repeat for shot_key in repeats.keys() - pictured.keys() for repeat in repeats[shot_key]]
    yield [*restored_shots(alone), *(shot for shot in refused if shot.shot_key not in pictured)]
    after = ""
    while unknown := await archive.ledger.unknown_shots(after, AT_ONCE):
        rows = await archive.catalogue.entries(sha256 for sha256s in unknown.values() for sha256 in sha256s)
        records = [parse_record(row.sha256, row.record_json.encode()) for row in rows]
        records += [repeat for shot_key in unknown for repeat in repeats.get(shot_key, ())]
        yield restored_shots(record for record in records if isinstance(record, ImageRecord))
        after = max(unknown)


async def _repeats(store: Store) -> dict[str, list[ImageRecord]]:
    """Reads what shots have made whose bytes another one had made before, by shot key; few ever do."""
    repeats: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    async for key in store.list("repeats/"):
        try:
            record = read_record((await store.get(key)).decode())
        except (ArchiveError, ValueError):  # cannot be read, or is no record: then that shot is not known
            continue
        repeats[record.shot_key].append(record)
    return repeats


def restored_shots(records: Iterable[ImageRecord]) -> list[RestoredShot]:
    """Makes the ledger's view of shots out of all records that there are of them."""
    by_shot: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        by_shot[record.shot_key].append(record)
    return [_restored(each) for each in by_shot.values()]


def _restored(records: Sequence[ImageRecord]) -> RestoredShot:
    """Goes by the job that made most: a shot has several where an attempt was given up and bought anew."""
    jobs: defaultdict[str, dict[int, ImageRecord]] = defaultdict(dict)
    for record in sorted(records, key=lambda each: (each.made_at, each.sha256)):
        jobs[record.job_id].setdefault(record.output_index, record)  # what came first is what the ledger knew
    job = max(jobs.values(), key=lambda each: (len(each), max(record.made_at for record in each.values())))
    images = [job[index] for index in sorted(job)]
    first = images[0]
    is_whole = len(images) >= first.request.outputs
    paid = [record for of_job in jobs.values() for record in of_job.values()]
    return RestoredShot(
        shot_key=first.shot_key,
        provider=first.provider,
        sandbox=first.sandbox,
        request_json=_shot_of(first).model_dump_json(exclude_none=True),
        campaign=first.campaign,
        edition=first.edition,
        state=ShotState.DONE if is_whole else ShotState.RUNNING,
        job_id=first.job_id,
        images=tuple(image.sha256 for image in images) if is_whole else (),
        price=_price(paid) if is_whole else _times(first.cost, first.request.outputs),
        made_at=max(image.made_at for image in images),
    )


def _shot_of(record: ImageRecord) -> Shot:
    return Shot.model_validate(record.model_dump(include=set(Shot.model_fields)))


def _price(records: Sequence[ImageRecord]) -> Money | None:
    """Adds up what all pictures of a shot cost; None where nobody says, or in more than one unit."""
    costs = [record.cost for record in records if record.cost is not None]
    if len({cost.unit for cost in costs}) != 1:
        return None
    return Money(amount=sum((cost.amount for cost in costs[1:]), costs[0].amount), unit=costs[0].unit)


def _times(cost: Money | None, number: int) -> Money | None:
    return None if cost is None else Money(amount=cost.amount * number, unit=cost.unit)


async def _of_quarantine(store: Store) -> AsyncIterator[RestoredShot]:
    async for note, bought in paid_in(store):
        shot = bought.shot
        yield RestoredShot(
            shot_key=note.shot_key,
            provider=shot.provider,
            sandbox=shot.sandbox,
            request_json=shot.model_dump_json(exclude_none=True),
            campaign=bought.campaign,
            edition=bought.edition,
            state=ShotState.RUNNING,
            job_id=note.job_id,
            images=(),
            price=_times(bought.cost, shot.request.outputs),
            made_at=bought.received_at,
        )
