"""Serves picture bytes, with the troubles that real transfers have."""

from starlette.responses import PlainTextResponse, Response

from deployments.sandbox.faults import Fault
from deployments.sandbox.replies import CutConnection, own_body
from deployments.sandbox.signing import access_denied
from deployments.sandbox.storage import Asset
from deployments.sandbox.world import World


async def serve_bytes(world: World, provider: str, asset: Asset, payload: bytes, mime_type: str) -> Response:
    """The bytes as the provider's CDN sends them, or as a fault spoils them."""
    fault, reply = await world.trouble("file", provider, asset.prompt)
    if fault is not None:
        spoilt = _spoilt(fault, payload, mime_type) or reply
        if spoilt is not None:
            return spoilt
    return Response(payload, media_type=mime_type, headers={"Cache-Control": "private, max-age=31536000"})


def _spoilt(fault: Fault, payload: bytes, mime_type: str) -> Response | None:
    half = payload[: len(payload) // 2]
    if fault.what == "cut":
        return CutConnection(half, len(payload), mime_type)
    if fault.what == "truncated":
        return Response(half, media_type=mime_type)
    if fault.what == "wrong_type":
        return Response(b"this is not a picture", media_type=mime_type)
    if fault.what == "rate_limited":
        return PlainTextResponse("Too Many Requests", status_code=429, headers=fault.headers)
    if fault.what == "error" and fault.http_status in (None, 403):
        return own_body(fault, 403) if fault.body is not None else access_denied()
    return None
