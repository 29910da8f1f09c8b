"""Gives Scenario a picture, whatever its size: small ones inline, large ones in parts."""

import math
from base64 import b64encode
from collections.abc import Iterator

import anyio

from blocks.errors import ProviderUnavailable, RequestRejected, UnexpectedAnswer
from blocks.http import clean_text
from blocks.scenario.client import PROVIDER, ScenarioClient
from blocks.scenario.wire_assets import AssetRequest, Upload, UploadRequest

MAX_INLINE_SIZE_BYTES = 3_500_000
"""Above this, Base64 comes too near to the gateway's limit for a body (Scenario's Blender add-on uses the same)."""

MAX_PART_SIZE_BYTES = 32 * 1024 * 1024
"""Parts are to be 5 to 32 MB (Scenario's Blender add-on); equal parts of at most this are never below 16 MB."""


async def upload_asset(
    client: ScenarioClient,
    data: bytes,
    media_type: str,
    file_name: str,
    *,
    deadline_seconds: float,
    poll_interval_seconds: float = 1.0,
) -> str:
    """Uploads a picture; costs nothing.

    Args:
        client: Where to.
        data: The file.
        media_type: Such as `image/png`.
        file_name: For people; Scenario shows it.
        deadline_seconds: For a large picture, until Scenario has imported it.
        poll_interval_seconds: Between two looks at that.

    Returns:
        The asset id.

    Raises:
        RequestRejected: Scenario does not take this picture.
        ProviderUnavailable: For now; repeat from the start.
    """
    name = clean_text(file_name, limit=200) or "picture"
    if len(data) <= MAX_INLINE_SIZE_BYTES:
        image = f"data:{media_type};base64,{b64encode(data).decode('ascii')}"
        return (await client.create_asset(AssetRequest(name=name, image=image))).id
    try:
        with anyio.fail_after(deadline_seconds):
            upload = await _send_in_parts(client, data, media_type, name)
            return await _imported(client, upload, poll_interval_seconds)
    except TimeoutError as error:
        raise ProviderUnavailable(
            f"Scenario did not import {name} within {deadline_seconds:g} s.", provider=PROVIDER
        ) from error


async def _send_in_parts(client: ScenarioClient, data: bytes, media_type: str, name: str) -> Upload:
    chunks = tuple(_equal_parts(data))
    request = UploadRequest(file_name=name, file_size=len(data), content_type=media_type, parts=len(chunks))
    upload = await client.create_upload(request)
    parts = sorted(upload.parts, key=lambda part: part.number)
    if len(parts) != len(chunks):
        raise UnexpectedAnswer(
            f"Scenario was told of {len(chunks)} parts and named places for {len(parts)}.", provider=PROVIDER
        )
    for part, chunk in zip(parts, chunks, strict=True):
        await client.put_part(part, chunk, media_type)
    return await client.complete_upload(upload.id)


def _equal_parts(data: bytes) -> Iterator[bytes]:
    count = math.ceil(len(data) / MAX_PART_SIZE_BYTES)
    size_bytes = math.ceil(len(data) / count)
    return (data[start : start + size_bytes] for start in range(0, len(data), size_bytes))


async def _imported(client: ScenarioClient, upload: Upload, poll_interval_seconds: float) -> str:
    """Waits until an upload has become an asset; the caller sets the deadline."""
    while upload.status != "imported":
        if upload.status == "failed":
            reason = clean_text(upload.error_message or "no reason given")
            raise RequestRejected(f"Scenario could not import the picture: {reason}.", provider=PROVIDER)
        await anyio.sleep(poll_interval_seconds)
        upload = await client.upload(upload.id)
    if upload.entity_id:
        return upload.entity_id
    # The asset may be named in the upload's job instead (Scenario's Blender add-on looks there, too).
    metadata = (await client.job(upload.job_id)).metadata if upload.job_id else None
    if metadata and metadata.output and metadata.output.entity_id:
        return metadata.output.entity_id
    raise UnexpectedAnswer(f"Scenario imported upload {upload.id!r} and names no asset.", provider=PROVIDER)
