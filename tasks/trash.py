"""The trash of an archive: bytes that nothing named when they were put there, each with a note that says since when.

Every step is durable before the next one, in an order in which a kill leaves the bytes in at least one place. No copy
is deleted before the other one has been read, and is right; what is damaged in its place goes to quarantine.
"""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from blocks.archive.layout import object_key, quarantine_key, quarantine_reason_key, trash_key, trash_note_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.gate.quarantine import Quarantined
from tasks.models import sha256_of


class _Note(Frozen):
    since: datetime


async def put_into_trash(sha256: str, store: Store) -> None:
    """Moves a picture's bytes into the trash. A note of an earlier time there is renewed.

    Of two copies that differ the whole one stays in the trash; the other one goes to quarantine.

    Raises:
        ArchiveError: The store failed, or a copy cannot be read: the picture is where it was.
    """
    data = await store.get(object_key(sha256))
    await store.put(trash_note_key(sha256), _Note(since=datetime.now(UTC)).model_dump_json().encode())
    if sha256_of(data) != sha256 and await _is_right(trash_key(sha256), sha256, store):
        await set_aside(data, _damaged_at(object_key(sha256)), store)
    else:
        await put_in_place(trash_key(sha256), data, store)
    await store.delete(object_key(sha256))


async def take_out_of_trash(sha256: str, store: Store) -> bool:
    """Moves bytes back to their place; where they are there already, only the copy in the trash is deleted.

    Returns:
        Whether the picture is whole in its place now. If not, the trash has none, or a damaged one, which stays there.

    Raises:
        ArchiveError: The store failed, or a copy cannot be read: the copy in the trash is still there.
    """
    if await store.head(trash_key(sha256)) is None:
        return False
    data = await store.get(trash_key(sha256))
    if sha256_of(data) == sha256:
        await put_in_place(object_key(sha256), data, store)
    elif not await is_whole(sha256, store):
        return False
    await forget(sha256, store)
    return True


async def is_whole(sha256: str, store: Store) -> bool:
    """Tells whether a picture's bytes are in their place, and those of their name.

    Raises:
        ArchiveError: Something is there, and cannot be read.
    """
    return await _is_right(object_key(sha256), sha256, store)


async def keep_bytes(sha256: str, data: bytes, store: Store) -> None:
    """Puts a picture's bytes in their place; where that is taken, makes sure that it is by these very bytes.

    Raises:
        ArchiveError: The store failed, or what has their name cannot be read.
    """
    if not await store.put_if_absent(object_key(sha256), data):
        await put_in_place(object_key(sha256), data, store)


async def put_in_place(key: str, data: bytes, store: Store) -> None:
    """Puts what is right where something is wrong, or nothing; what was wrong is kept in quarantine.

    Raises:
        ArchiveError: What is there cannot be read, so that it cannot be kept, and it stays; or the store did not write.
    """
    if not await store.put_if_absent(key, data):
        damaged = await store.get(key)
        if damaged == data:
            return
        await set_aside(damaged, _damaged_at(key), store)
        await store.put(key, data)  # at once: a kill must not leave nothing here
    if await store.get(key) != data:
        raise ArchiveError(f"What was just written at {key} reads otherwise: look after the disk, or the bucket.")


async def set_aside(data: bytes, reason: str, store: Store) -> None:
    """Keeps in quarantine what gives way to something else.

    Raises:
        ArchiveError: The store did not write.
    """
    why = Quarantined(shot_key="", job_id="", reason=reason, declared_type=None)
    await store.put_if_absent(quarantine_key(sha256_of(data)), data)
    await store.put_if_absent(quarantine_reason_key(sha256_of(data)), why.model_dump_json().encode())


def _damaged_at(key: str) -> str:
    return f"It lay at {key}, and was damaged there."


async def _is_right(key: str, sha256: str, store: Store) -> bool:
    return await store.head(key) is not None and sha256_of(await store.get(key)) == sha256


async def forget(sha256: str, store: Store) -> None:
    """Deletes from the trash, for good. The note goes last: without it nobody would look for the bytes."""
    await store.delete(trash_key(sha256))
    await store.delete(trash_note_key(sha256))


async def is_overdue(sha256: str, grace: timedelta, store: Store) -> bool:
    """Tells whether bytes have been in the trash for longer than this; not, where their note cannot be read."""
    try:
        note = _Note.model_validate_json(await store.get(trash_note_key(sha256)))
    except (ArchiveError, ValidationError):
        return False
    return datetime.now(UTC) - note.since > grace
