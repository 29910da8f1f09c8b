"""Keeps what did not pass the gate: paid bytes are never thrown away, and the reason lies beside them."""

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import Field, ValidationError

from blocks.archive.layout import quarantine_key, quarantine_reason_key, quarantine_repeat_key, sha256_of_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError, BadPicture
from blocks.http import clean_text, redact_url
from blocks.provider import DownloadedPicture, Frozen, Money, RemotePicture
from tasks.models import Shot, sha256_of

_NOTE = ".json"


class Bought(Frozen):
    """For what refused bytes were paid: what a record would say of them."""

    shot: Shot
    campaign: str
    edition: str
    cost: Money | None
    received_at: datetime


class Quarantined(Frozen):
    """Why paid bytes lie in quarantine. The fields with a default came later."""

    shot_key: str
    job_id: str
    reason: str
    declared_type: str | None
    refusal: str | None = Field(default=None, description="A `Refusal`, for programs.")
    output_index: int | None = None
    url: str | None = Field(default=None, description="Where they came from, without the query, which may be a key.")
    bought: Bought | None = Field(default=None, description="None also for what was damaged in the archive itself.")


async def quarantine(
    picture: DownloadedPicture, remote: RemotePicture, bought: Bought, job_id: str, error: BadPicture, store: Store
) -> str:
    """Stores refused bytes and the reason; returns their SHA-256, by which they lie in `quarantine/`."""
    sha256 = sha256_of(picture.data)
    why = Quarantined(
        shot_key=bought.shot.key,
        job_id=job_id,
        reason=str(error),
        declared_type=None if picture.media_type is None else clean_text(picture.media_type),
        refusal=error.reason,
        output_index=remote.index,
        url=redact_url(remote.url),
        bought=bought,
    )
    await store.put_if_absent(quarantine_key(sha256), picture.data)
    said = why.model_dump_json(indent=1).encode()
    if not await store.put_if_absent(quarantine_reason_key(sha256), said):  # another shot's, or this one's from before
        await store.put_if_absent(quarantine_repeat_key(sha256, why.shot_key, remote.index), said)
    return sha256


async def paid_in(store: Store) -> AsyncIterator[tuple[Quarantined, Bought]]:
    """Lists for what bytes in quarantine were paid, for each shot that got them; unreadable notes are left out."""
    async for key in store.list("quarantine/"):
        if key.endswith(_NOTE):
            note = await _note_at(key, store)
            if note is not None and note.bought is not None:
                yield note, note.bought


async def notes_in(store: Store) -> AsyncIterator[tuple[str, Quarantined | None]]:
    """Lists what lies in quarantine: each SHA-256, and why; None where the note is gone or cannot be read."""
    async for key in store.list("quarantine/"):
        sha256 = sha256_of_key(key)
        if sha256 is not None and key == quarantine_key(sha256):
            yield sha256, await note_on(sha256, store)


async def note_on(sha256: str, store: Store) -> Quarantined | None:
    """Reads why bytes lie in quarantine; None where nothing says so any more."""
    return await _note_at(quarantine_reason_key(sha256), store)


async def _note_at(key: str, store: Store) -> Quarantined | None:
    try:
        return Quarantined.model_validate_json(await store.get(key))
    except (ArchiveError, ValidationError):
        return None
