"""Scenario's assets: their records, the inline upload, downloads, and the CDN that serves the bytes."""

import asyncio
import io
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.files import serve_bytes
from deployments.sandbox.replies import json_body
from deployments.sandbox.scenario.access import iso_time, page_of, refusal
from deployments.sandbox.scenario.jobs import state_of
from deployments.sandbox.scenario.troubles import read_trouble
from deployments.sandbox.signing import access_denied
from deployments.sandbox.storage import Asset, from_base64
from deployments.sandbox.world import World, world_of

_MODEL_TYPE = "flux.2-klein-base-4b"


async def asset_record(world: World, asset: Asset, origin: str, *, original: bool) -> dict[str, Any]:
    """The asset object as Scenario shows it, with a freshly signed URL.

    Args:
        world: The sandbox.
        asset: The picture.
        origin: ``scheme://host:port`` of the URLs.
        original: Whether ``url`` gives the exact bytes, or a re-encoded copy.
    """
    payload = await world.studio.bytes_of(asset)
    now = world.clock()
    exact = origin + world.signer.sign(f"/assets/{asset.file_name}", {"p": "100"}, now)
    copy = {"format": "jpeg", "quality": "80", "width": str(asset.width_px)}
    transformed = origin + world.signer.sign(f"/assets-transform/{asset.asset_id}", copy, now)
    return {
        "id": asset.asset_id,
        "url": exact if original else transformed,
        "originalFileUrl": exact,
        "mimeType": asset.mime_type,
        "kind": "image",
        "status": "success",
        "source": "generative" if asset.recipe else "upload",
        "privacy": "private",
        "properties": {"size": len(payload), "width": asset.width_px, "height": asset.height_px},
        "metadata": _metadata(asset),
        "authorId": "sandbox-author",
        "ownerId": "sandbox-project",
        "createdAt": iso_time(asset.created),
        "updatedAt": iso_time(asset.created),
        "tags": [],
        "collectionIds": asset.facts.get("collectionIds", []),
        "editCapabilities": ["PROMPT_EDITING"],
    }


def _metadata(asset: Asset) -> dict[str, Any]:
    recipe = asset.recipe
    size = {"width": asset.width_px, "height": asset.height_px}
    if recipe is None:
        parent = {"parentId": asset.facts["parentId"]} if asset.facts.get("parentId") else {}
        return {"kind": "image", "type": "uploaded", "name": asset.name} | size | parent
    facts: dict[str, Any] = {
        "kind": "image",
        "type": "img2img" if recipe.references else "txt2img",
        "prompt": recipe.prompt,
        "modelId": asset.facts.get("modelId"),
        "seed": str(recipe.seed),
        "guidance": recipe.guidance,
        "numInferenceSteps": recipe.steps,
        "outputIndex": 0,  # seen live: 0 for both outputs of one job
        "parentJobId": asset.job_id,
    }
    if recipe.references:
        facts |= {"referenceImages": list(recipe.references), "parentId": recipe.references[0]}
    return facts | size


def _pending_record(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.asset_id,
        "url": "",
        "mimeType": asset.mime_type,
        "kind": "image",
        "status": "pending",
        "source": "generative",
        "privacy": "private",
        "properties": {"size": 0},
        "metadata": _metadata(asset),
        "authorId": "sandbox-author",
        "ownerId": "sandbox-project",
        "createdAt": iso_time(asset.created),
        "updatedAt": iso_time(asset.created),
        "tags": [],
        "collectionIds": [],
        "editCapabilities": [],
    }


def find_visible(world: World, asset_id: str) -> Asset | None:
    """The asset, if Scenario has it and, for an output, its job has succeeded."""
    asset = world.storage.find(asset_id)
    if asset is None or asset.owner != "scenario":
        return None
    return asset if _visible(world, asset) else None


def _visible(world: World, asset: Asset) -> bool:
    job = world.jobs.find("scenario", asset.job_id) if asset.job_id else None
    return job is None or state_of(job, world.clock()) == "success"


def _wants_original(request: Request) -> bool:
    return request.query_params.get("originalAssets") == "true"


async def get_asset(request: Request) -> Response:
    """``GET /v1/assets/{asset_id}``."""
    world = world_of(request)
    asset = find_visible(world, request.path_params["asset_id"])
    fault, reply = await read_trouble(world, "asset", asset.prompt if asset else "")
    if reply is not None:
        return reply
    if asset is None or (fault is not None and fault.what == "missing"):
        return refusal(404, f"Asset {request.path_params['asset_id']} not found")
    if fault is not None and fault.what == "pending":
        return JSONResponse({"asset": _pending_record(asset)})
    record = await asset_record(world, asset, world.origin(request), original=_wants_original(request))
    return JSONResponse({"asset": record})


async def get_assets_in_bulk(request: Request) -> Response:
    """``POST /v1/assets/get-bulk``: at most 200 ids; those that do not exist are left out."""
    world = world_of(request)
    body = await json_body(request)
    ids = body.get("assetIds") if body is not None else None
    if not isinstance(ids, list) or not 1 <= len(ids) <= 200:
        return refusal(400, "Input assetIds must be an array of 1 to 200 items")
    _, reply = await read_trouble(world, "asset", "")
    if reply is not None:
        return reply
    found = [asset for asset in (find_visible(world, str(asset_id)) for asset_id in ids) if asset is not None]
    origin, original = world.origin(request), _wants_original(request)
    return JSONResponse({"assets": [await asset_record(world, asset, origin, original=original) for asset in found]})


async def list_assets(request: Request) -> Response:
    """``GET /v1/assets``, newest first."""
    world = world_of(request)
    _, reply = await read_trouble(world, "list", "")
    if reply is not None:
        return reply
    page = page_of([asset for asset in world.storage.newest_first("scenario") if _visible(world, asset)], request)
    if page is None:
        return refusal(400, "Invalid pageSize or paginationToken")
    origin, original = world.origin(request), _wants_original(request)
    answer: dict[str, Any] = {
        "assets": [await asset_record(world, asset, origin, original=original) for asset in page[0]]
    }
    if page[1] is not None:
        answer["nextPaginationToken"] = page[1]
    return JSONResponse(answer)


async def upload_asset(request: Request) -> Response:
    """``POST /v1/assets``: a picture inside the request, as base64 or as a data URL."""
    world = world_of(request)
    body = await json_body(request)
    if body is None or not isinstance(body.get("name"), str) or not body["name"]:
        return refusal(400, "Input name is required")
    _, reply = await read_trouble(world, "upload", body["name"])
    if reply is not None:
        return reply
    payload = from_base64(body["image"]) if isinstance(body.get("image"), str) else None
    if payload is None:
        return refusal(400, "Input image must be a base64 string or a data URL")
    options = {name: body[name] for name in ("parentId", "collectionIds") if body.get(name)}
    asset = world.storage.add_upload("scenario", body["name"], payload, **options)
    if asset is None:
        return refusal(400, "Invalid image")
    record = await asset_record(world, asset, world.origin(request), original=_wants_original(request))
    return JSONResponse({"asset": record})


async def delete_assets(request: Request) -> Response:
    """``DELETE /v1/assets``: at most 100 ids."""
    world = world_of(request)
    body = await json_body(request)
    ids = body.get("assetIds") if body is not None else None
    if not isinstance(ids, list) or not 1 <= len(ids) <= 100:
        return refusal(400, "Input assetIds must be an array of 1 to 100 items")
    for asset_id in ids:
        world.storage.remove(str(asset_id))
    return JSONResponse({})


async def download_asset(request: Request) -> Response:
    """``POST /v1/assets/{asset_id}/download``: a signed URL, of a copy in another format where one is asked for."""
    world = world_of(request)
    asset = find_visible(world, request.path_params["asset_id"])
    if asset is None:
        return refusal(404, f"Asset {request.path_params['asset_id']} not found")
    body = await json_body(request) or {}
    wanted = {"jpg": "jpeg"}.get(body.get("targetFormat", ""), body.get("targetFormat"))
    if wanted is None or asset.mime_type == f"image/{wanted}":
        path, query = f"/assets/{asset.file_name}", {"p": "100"}
    elif wanted in ("jpeg", "png", "webp"):
        path, query = f"/assets-transform/{asset.asset_id}", {"format": wanted, "quality": "95"}
    else:
        return refusal(400, "Input targetFormat is not supported by the sandbox")
    return JSONResponse({"url": world.origin(request) + world.signer.sign(path, query, world.clock())})


async def serve_original(request: Request) -> Response:
    """``GET /assets/{file}`` on the CDN: the exact bytes, to whoever has the signed URL."""
    return await _serve(request, request.path_params["file_name"].partition(".")[0], transform=False)


async def serve_transformed(request: Request) -> Response:
    """``GET /assets-transform/{asset_id}`` on the CDN: a re-encoded copy."""
    return await _serve(request, request.path_params["asset_id"], transform=True)


async def _serve(request: Request, asset_id: str, *, transform: bool) -> Response:
    world = world_of(request)
    asset = world.storage.find(asset_id)
    if asset is None or not world.signer.allows(request.url.path, request.url.query, world.clock()):
        return access_denied()
    payload, mime_type = await world.studio.bytes_of(asset), asset.mime_type
    if transform:
        query = request.query_params
        width_px = int(query.get("width", asset.width_px))
        payload = await asyncio.to_thread(_reencoded, payload, query["format"], int(query["quality"]), width_px)
        mime_type = f"image/{query['format']}"
    return await serve_bytes(world, "scenario", asset, payload, mime_type)


def _reencoded(payload: bytes, image_format: str, quality: int, width_px: int) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(payload)) as picture:
        copy = picture.convert("RGB")
    copy.thumbnail((width_px, copy.height))
    copy.save(buffer, image_format.upper(), quality=quality)
    return buffer.getvalue()
