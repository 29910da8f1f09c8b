"""Sunra's files: uploads into its store, and the pictures that results name."""

import re
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.files import serve_bytes
from deployments.sandbox.replies import json_body
from deployments.sandbox.storage import Asset
from deployments.sandbox.sunra.access import refusal
from deployments.sandbox.sunra.troubles import read_trouble
from deployments.sandbox.world import world_of

_LARGEST_UPLOAD_BYTES = 100 * 1024 * 1024
_FILE_NAME = re.compile(r"[^/\\]+\.([A-Za-z0-9]{1,8})")


async def initiate_upload(request: Request) -> Response:
    """``POST /v1/storage/upload/initiate``: where to put a file, and the URL it will have."""
    world = world_of(request)
    body = await json_body(request)
    if body is None or not isinstance(body.get("content_type"), str) or not isinstance(body.get("file_name"), str):
        return refusal(400, "BAD_REQUEST", "content_type and file_name are required")
    name = _FILE_NAME.fullmatch(body["file_name"])
    if name is None:
        return refusal(400, "BAD_REQUEST", "Invalid filename")
    _, reply = await read_trouble(world, "upload", body["file_name"])
    if reply is not None:
        return reply
    token = f"{int(world.clock() * 1000)}-{secrets.token_hex(4)}.{name[1]}"
    world.expected_files[token] = body["file_name"]
    origin = world.origin(request)
    return JSONResponse(
        {
            "upload_url": f"{origin}/sunra/put/{token}?signature={secrets.token_hex(16)}",
            "file_url": f"{origin}/uploads/{token}",
        }
    )


async def put_file(request: Request) -> Response:
    """``PUT /sunra/put/{token}``: the raw bytes, no credentials."""
    world = world_of(request)
    token = request.path_params["token"]
    expected = world.expected_files
    if token not in expected:
        return Response(status_code=403)
    _, reply = await read_trouble(world, "upload", expected[token])
    if reply is not None:
        return reply
    payload = await request.body()
    if len(payload) > _LARGEST_UPLOAD_BYTES:
        return Response(status_code=413)
    asset = world.storage.add_upload("sunra", expected[token], payload)
    if asset is not None:
        world.storage.alias(token, asset.asset_id)
    return Response(status_code=200)


async def serve_upload(request: Request) -> Response:
    """``GET /uploads/{token}``: an uploaded file, to anyone."""
    return await _serve(request, world_of(request).storage.find(request.path_params["token"]))


async def serve_result(request: Request) -> Response:
    """``GET /sunra/files/{asset_id}/{file_name}``: a result, to anyone."""
    return await _serve(request, world_of(request).storage.find(request.path_params["asset_id"]))


async def _serve(request: Request, asset: Asset | None) -> Response:
    if asset is None or asset.owner != "sunra":
        return Response(status_code=404)
    world = world_of(request)
    return await serve_bytes(world, "sunra", asset, await world.studio.bytes_of(asset), asset.mime_type)
