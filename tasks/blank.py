"""Refuses to buy where the archive has pictures whose shots its ledger does not know: they would be bought again."""

from collections.abc import Iterable

from blocks.archive.archive import Archive
from blocks.errors import ArchiveError
from tasks.gate.quarantine import paid_in

_REBUILD = (
    "run `python -m flows rebuild` first, with the same --archive. It buys nothing; without it, pictures that are here "
    "would be bought again."
)


async def refuse_lost_catalogue(archive: Archive) -> None:
    """Makes sure that the database of an archive is not a new one beside the records of a lost one.

    Costs one question to the database, and a look into the store only where no shot is known.

    Raises:
        ArchiveError: It is.
    """
    ledger = archive.ledger
    if not await ledger.is_blank() or not await _has_records(archive):
        return
    if await ledger.is_blank():  # asked again: another run may just have begun with the first shots
        raise ArchiveError(f"The archive at {archive.root} has records but its catalogue is empty: {_REBUILD}")


async def refuse_known_pictures(shot_keys: Iterable[str], archive: Archive) -> None:
    """Makes sure that the archive has no pictures of shots that the ledger does not know.

    Raises:
        ArchiveError: It has: a rebuild was stopped in the middle.
    """
    pictured = (await archive.ledger.images_of(sorted(shot_keys))).keys()
    unknown = pictured - (await archive.ledger.find(pictured)).keys()  # asked last: another run may have begun with one
    if unknown:
        raise ArchiveError(
            f"The archive at {archive.root} has the pictures of {len(unknown)} of these shots, and its ledger does not "
            f"know them: {_REBUILD}"
        )


async def _has_records(archive: Archive) -> bool:
    """Says whether anything here was paid: it has a record, or a note in quarantine."""
    async for _ in archive.store.list("records/"):
        return True
    async for _ in paid_in(archive.store):
        return True
    return False
