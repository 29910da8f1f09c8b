"""Keeps what did not pass the gate: paid bytes are never thrown away, and the reason lies beside them."""

from pydantic import Field

from blocks.archive.layout import quarantine_key, quarantine_reason_key
from blocks.archive.store import Store
from blocks.errors import BadPicture
from blocks.http import clean_text, redact_url
from blocks.provider import DownloadedPicture, Frozen, RemotePicture
from tasks.models import Shot, sha256_of


class Quarantined(Frozen):
    """Why paid bytes lie in quarantine. The fields with a default came later."""

    shot_key: str
    job_id: str
    reason: str
    declared_type: str | None
    refusal: str | None = Field(default=None, description="A `Refusal`, for programs.")
    output_index: int | None = None
    url: str | None = Field(default=None, description="Where they came from, without the query, which may be a key.")


async def quarantine(
    picture: DownloadedPicture, remote: RemotePicture, shot: Shot, job_id: str, error: BadPicture, store: Store
) -> str:
    """Stores refused bytes and the reason; returns their SHA-256, by which they lie in `quarantine/`."""
    sha256 = sha256_of(picture.data)
    why = Quarantined(
        shot_key=shot.key,
        job_id=job_id,
        reason=str(error),
        declared_type=None if picture.media_type is None else clean_text(picture.media_type),
        refusal=error.reason,
        output_index=remote.index,
        url=redact_url(remote.url),
    )
    await store.put_if_absent(quarantine_key(sha256), picture.data)
    await store.put_if_absent(quarantine_reason_key(sha256), why.model_dump_json(indent=1).encode())
    return sha256
