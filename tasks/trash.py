"""The trash of an archive: bytes that nothing named when they were put there, each with a note that says since when.

Every step is durable before the next one, in an order in which a kill leaves the bytes in at least one place.
"""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from blocks.archive.layout import object_key, trash_key, trash_note_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.models import sha256_of


class _Note(Frozen):
    since: datetime


async def put_into_trash(sha256: str, store: Store) -> None:
    """Moves a picture's bytes into the trash. A note of an earlier time there is renewed."""
    data = await store.get(object_key(sha256))
    await store.put(trash_note_key(sha256), _Note(since=datetime.now(UTC)).model_dump_json().encode())
    await store.put_if_absent(trash_key(sha256), data)
    await store.delete(object_key(sha256))


async def take_out_of_trash(sha256: str, store: Store) -> bytes | None:
    """Moves bytes back to their place, and returns them; None where there are none, or they are damaged."""
    if await store.head(trash_key(sha256)) is None:
        return None
    data = await store.get(trash_key(sha256))
    if sha256_of(data) != sha256:
        return None
    await store.put_if_absent(object_key(sha256), data)
    await forget(sha256, store)
    return data


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
