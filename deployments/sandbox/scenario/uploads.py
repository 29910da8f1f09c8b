"""Scenario's multipart uploads: announce, put the parts, complete, and wait until the picture is imported."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.replies import json_body
from deployments.sandbox.scenario import prices
from deployments.sandbox.scenario.access import iso_time, refusal
from deployments.sandbox.scenario.troubles import read_trouble
from deployments.sandbox.signing import access_denied
from deployments.sandbox.uploads import Upload
from deployments.sandbox.world import World, world_of

_KINDS = ("3d", "asset", "audio", "avatar", "image", "model", "text", "video")
_PART_LIFE_SECONDS = 3600.0


def _record(world: World, upload: Upload) -> dict[str, Any]:
    now = world.clock()
    state = upload.status(now)
    expires = upload.created + _PART_LIFE_SECONDS
    optional = {
        "jobId": upload.job_id,
        "entityId": upload.entity_id if state == "imported" else None,
        "errorMessage": upload.error if state == "failed" else None,
        "assetOptions": upload.facts.get("assetOptions"),
        "fileSize": upload.facts.get("fileSize"),
        "contentType": upload.facts.get("contentType"),
        "url": upload.facts.get("url"),
    }
    return {
        "id": upload.upload_id,
        "status": state,
        "kind": upload.facts["kind"],
        "fileName": upload.facts.get("fileName", "picture"),
        "source": "url" if upload.facts.get("url") else "multipart",
        "parts": [
            {
                "number": number,
                "url": f"{upload.origin}/upload-parts/{upload.upload_id}/{number}",
                "expires": iso_time(expires),
            }
            for number in range(1, upload.parts_count + 1)
        ],
        "partsCount": upload.parts_count,
        "authorId": "sandbox-author",
        "ownerId": "sandbox-project",
        "createdAt": iso_time(upload.created),
        "updatedAt": iso_time(now),
    } | {name: value for name, value in optional.items() if value is not None}


async def create_upload(request: Request) -> Response:
    """``POST /v1/uploads``: announce a file in parts, or name the URL to take it from."""
    world = world_of(request)
    body = await json_body(request)
    wrong = _wrong_announcement(body)
    if body is None or wrong:
        return refusal(400, wrong or "Invalid request body")
    _, reply = await read_trouble(world, "upload", str(body.get("fileName", body.get("url", ""))))
    if reply is not None:
        return reply
    if request.query_params.get("dryRun") in ("true", "api"):
        return JSONResponse(prices.cost_fields(0.0, "upload") | {"costDetails": {}}, status_code=269)
    upload = Upload(
        upload_id="upload_" + secrets.token_hex(12),
        facts=body,
        parts_count=0 if body.get("url") else int(body["parts"]),
        created=world.clock(),
        duration_seconds=world.settings.latency_seconds,
        origin=world.origin(request),
    )
    world_of(request).uploads[upload.upload_id] = upload
    if body.get("url"):
        source = world.asset_behind(str(body["url"]), upload.origin)
        payload = b"" if source is None else await world.studio.bytes_of(source)
        _import(world, upload, payload, "The file could not be downloaded" if source is None else None)
    return JSONResponse({"upload": _record(world, upload)})


def _wrong_announcement(body: dict[str, Any] | None) -> str | None:
    if body is None:
        return "Invalid request body"
    if body.get("kind") not in _KINDS:
        return f"Input kind must be one of: {', '.join(_KINDS)}"
    if body.get("url"):
        return None
    for name in ("fileName", "fileSize", "contentType", "parts"):
        if not body.get(name):
            return f"Input {name} is required"
    whole = all(isinstance(body[name], int | float) and body[name] == int(body[name]) for name in ("fileSize", "parts"))
    return None if whole and 1 <= body["parts"] <= 10_000 else "Input parts must be at least 1"


async def put_part(request: Request) -> Response:
    """``PUT /upload-parts/{upload_id}/{number}``: raw bytes, no credentials."""
    upload = world_of(request).uploads.get(request.path_params["upload_id"])
    number = request.path_params["number"]
    world = world_of(request)
    if upload is None or not 1 <= number <= upload.parts_count:
        return access_denied()
    _, reply = await read_trouble(world, "upload", str(upload.facts.get("fileName", "")))
    if reply is not None:
        return reply
    if world.clock() > upload.created + _PART_LIFE_SECONDS:
        return access_denied()
    upload.received[number] = await request.body()
    return Response(status_code=200, headers={"ETag": f'"{upload.upload_id}-{number}"'})


async def act_on_upload(request: Request) -> Response:
    """``POST /v1/uploads/{upload_id}/action`` with ``complete``."""
    upload = world_of(request).uploads.get(request.path_params["upload_id"])
    if upload is None:
        return refusal(404, f"Upload {request.path_params['upload_id']} not found")
    body = await json_body(request)
    if body is None or body.get("action") != "complete":
        return refusal(400, "Invalid action")
    if upload.completed is None:
        if len(upload.received) < upload.parts_count:
            return refusal(400, "Some parts are missing")
        payload = b"".join(upload.received[number] for number in sorted(upload.received))
        size_is_right = len(payload) == upload.facts["fileSize"]
        _import(world_of(request), upload, payload, None if size_is_right else "The file size does not match")
    return JSONResponse({"upload": _record(world_of(request), upload)})


def _import(world: World, upload: Upload, payload: bytes, error: str | None) -> None:
    name = str(upload.facts.get("fileName", "picture"))
    fault = world.faults.take("import", "scenario", name)
    options = upload.facts.get("assetOptions") or {}
    asset = None if error or fault else world.storage.add_upload("scenario", name, payload, **options)
    upload.completed = world.clock()
    upload.received.clear()
    upload.error = error or (None if asset else "The file is not a valid image")
    upload.entity_id = asset.asset_id if asset else None
    job = world.jobs.open(
        "scenario",
        "upload",
        prefix="job_",
        duration_seconds=upload.duration_seconds,
        model="",
        body=upload.facts,
        accepted={"fileName": name},
        prompt="",
        cost=0.0,
        cost_unit="CU",
        error=upload.error,
        details={"entityId": upload.entity_id} if asset else {},
    )
    upload.job_id = job.job_id


async def get_upload(request: Request) -> Response:
    """``GET /v1/uploads/{upload_id}``."""
    upload = world_of(request).uploads.get(request.path_params["upload_id"])
    if upload is None:
        return refusal(404, f"Upload {request.path_params['upload_id']} not found")
    return JSONResponse({"upload": _record(world_of(request), upload)})
