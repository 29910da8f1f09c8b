"""Takes out of the archive what nothing names, in two steps: into the trash first, and for good after a grace period.

Garbage collection beside a writer is where archives lose data. So it never runs beside one, another sweep included: it
refuses while a run is at work or a shot is under way, looks again when it is done, and puts everything back if a run
has begun meanwhile, also one that has ended since. What lies in the trash and is named by then goes back to its place;
`repair` finds it there, too.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

from blocks.archive.archive import Archive
from blocks.archive.layout import object_key, sha256_of_key, trash_key
from blocks.archive.ledger import ShotState
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.care.named import named_among, named_in_records
from tasks.care.verify import Progress
from tasks.presence import at_work
from tasks.trash import forget, is_overdue, put_into_trash, take_out_of_trash

GRACE = timedelta(days=14)
"""As long as git keeps what nothing names (`gc.pruneExpire`)."""

RUNS_SHOWN = 3


class Swept(Frozen):
    """What was taken out, or, of a dry run, what would be: pictures by their SHA-256."""

    is_dry: bool
    trashed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """In the trash, until their grace period is over."""
    trashed_bytes: int = 0
    deleted_bytes: int = 0


class _Alone(NamedTuple):
    """By what a sweep knows that nobody has come beside it: its own name among the runs, and how many had begun."""

    run_id: str
    begun: int


async def sweep(
    archive: Archive,
    *,
    grace: timedelta = GRACE,
    is_dry: bool = True,
    on_progress: Progress = lambda done, due: None,
) -> Swept:
    """Looks through the trash, and takes out what nothing names.

    Never touched is what a record, the catalogue, an open shot, a decision or a reference names, what any shot has
    made, what lies in quarantine, and what is no picture by its name.

    Args:
        archive: The open archive.
        grace: How long pictures stay in the trash.
        is_dry: Whether to say only what would be done.
        on_progress: Called after each batch of records that was read.

    Raises:
        ArchiveError: Runs are at work, or a record cannot be read, so that nobody knows what it names.
    """
    run_id = f"gc-{uuid4().hex}"
    # Known as a run itself: of two sweeps, one could put back what the other is about to delete from its place.
    async with nullcontext() if is_dry else at_work(archive.ledger, run_id):
        alone = _Alone(run_id, await archive.ledger.runs_begun())
        await _refuse_beside_writers(archive, alone)
        swept, twice = await _plan(archive, grace, is_dry, on_progress)
        if not is_dry:
            await _carry_out(swept, twice, archive, alone)
    return swept


async def _plan(
    archive: Archive, grace: timedelta, is_dry: bool, on_progress: Progress
) -> tuple[Swept, frozenset[str]]:
    """Finds out what is to be done; and which pictures that are named lie in the trash as well as in their place."""
    present = await _pictures(archive.store, "objects/", object_key)
    in_trash = await _pictures(archive.store, "trash/", trash_key)
    named = await named_in_records(archive, on_progress) | await named_among(present | in_trash, archive)
    orphans = sorted(present - named)
    overdue = [each for each in sorted(in_trash - present - named) if await is_overdue(each, grace, archive.store)]
    swept = Swept(
        is_dry=is_dry,
        trashed=tuple(orphans),
        restored=tuple(sorted((in_trash & named) - present)),
        deleted=tuple(overdue),
        waiting=tuple(sorted(in_trash - present - named - set(overdue))),
        trashed_bytes=await _size_bytes(map(object_key, orphans), archive.store),
        deleted_bytes=await _size_bytes(map(trash_key, overdue), archive.store),
    )
    return swept, named & present & in_trash


async def _carry_out(swept: Swept, twice: frozenset[str], archive: Archive, alone: _Alone) -> None:
    left = await _take_out([*swept.restored, *sorted(twice)], archive.store)  # twice: of a move that was killed
    await _put_all_into_trash(swept.trashed, archive, alone)
    for sha256 in swept.deleted:
        await forget(sha256, archive.store)
    if left:
        raise ArchiveError(
            f"Pictures that something names could not be taken out of the trash ({len(left)}): {'; '.join(left)}. "
            "All else was done. Run `repair`."
        )


async def _take_out(sha256s: Iterable[str], store: Store) -> list[str]:
    """Puts what is named back in its place; returns what could not be, each with the reason."""
    left: list[str] = []
    for sha256 in sha256s:
        try:
            if not await take_out_of_trash(sha256, store):
                left.append(f"{sha256}, which is damaged there")
        except ArchiveError as error:  # one picture's trouble keeps nobody from the others
            left.append(f"{sha256}: {error}")
    return left


async def _put_all_into_trash(sha256s: Iterable[str], archive: Archive, alone: _Alone) -> None:
    """Moves all of them, or none: whatever comes in between, those that were moved are put back."""
    begun: list[str] = []
    try:
        for sha256 in sha256s:
            begun.append(sha256)
            await put_into_trash(sha256, archive.store)
    except ArchiveError as error:
        raise await _put_back(begun, "The store failed in the middle", error, archive.store) from error
    try:
        await _refuse_beside_writers(archive, alone)
    except ArchiveError as error:
        raise await _put_back(begun, "Meanwhile a run has begun", error, archive.store) from error


async def _put_back(sha256s: Iterable[str], what: str, why: ArchiveError, store: Store) -> ArchiveError:
    """Puts back what was to be moved; returns what is to be said of it."""
    left: list[str] = []
    for sha256 in sha256s:
        try:
            if not await take_out_of_trash(sha256, store) and await store.head(object_key(sha256)) is None:
                left.append(sha256)
        except ArchiveError:  # the store again: all others are tried nevertheless
            left.append(sha256)
    if not left:
        return ArchiveError(f"{what}, so everything was put back. {why}")
    return ArchiveError(
        f"{what}, and not everything could be put back. Still in the trash ({len(left)}): {', '.join(left)}. "
        f"Run `gc` again, or `repair`. {why}"
    )


async def _refuse_beside_writers(archive: Archive, alone: _Alone) -> None:
    """Makes sure that nobody is between bytes and record.

    A run that is frozen counts as gone after a while; its shot is under way all the same.
    """
    if runs := [run for run in await archive.ledger.runs_at_work() if run != alone.run_id]:
        shown = ", ".join(run[:8] for run in runs[:RUNS_SHOWN])
        raise ArchiveError(f"Runs are at work on this archive ({len(runs)}: {shown}): sweep it when they have ended.")
    if under_way := await archive.ledger.in_states(ShotState.SENDING, ShotState.RUNNING):
        raise ArchiveError(
            f"Shots are under way ({len(under_way)}), left by runs that are gone: run `reconcile` first, which "
            "collects their pictures."
        )
    if await archive.ledger.runs_begun() != alone.begun:
        raise ArchiveError("It has ended since: sweep again.")


async def _pictures(store: Store, prefix: str, key_of: Callable[[str], str]) -> frozenset[str]:
    listed = [(key, sha256_of_key(key)) async for key in store.list(prefix)]
    return frozenset(sha256 for key, sha256 in listed if sha256 is not None and key == key_of(sha256))


async def _size_bytes(keys: Iterable[str], store: Store) -> int:
    facts = [await store.head(key) for key in keys]
    return sum(each.size_bytes for each in facts if each is not None)
