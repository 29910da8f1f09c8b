"""What Sunra may answer, and every call of its client that costs nothing."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from blocks.sunra.client import SunraClient
from blocks.sunra.wire import ImageToImageInput, StatusAnswer

ENDPOINT = "black-forest-labs/flux-2-klein-4b/image-to-image"
INPUT = ImageToImageInput(prompt="a teapot", image_urls=("https://assets.example/1.png",), seed=7)
RECEIPT = {"request_id": "pd_1", "status_url": "https://evil.example/status", "response_url": "x", "cancel_url": "y"}
API = "https://api.sunra.ai/v1/queue"
Answering = Callable[..., Any]


def refusal(status: int, code: str | None = None, message: str = "No.", **error: Any) -> httpx.Response:
    headers = {"x-request-id": "req_9", **error.pop("headers", {})}
    fields = {"message": message, "type": "invalid_request_error", **error} | ({"code": code} if code else {})
    return httpx.Response(status, json={"error": fields, "timestamp": "t"}, headers=headers)


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html="<html><body>Bad gateway</body></html>")


NO_CREDIT: dict[str, Any] = {
    "type": "business_logic_error",
    "details": {"required": 5, "available": 2, "operation": "freeze_credit"},
}
DENIED: dict[str, Any] = {"type": "authorization_error", "details": {"model": "m"}}
SPENT: dict[str, Any] = {"headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}}

READS: dict[str, Callable[[SunraClient], Any]] = {
    "status": lambda client: client.status("pd_1"),
    "result": lambda client: client.result("pd_1"),
    "cancel": lambda client: client.cancel("pd_1"),
    "upload": lambda client: client.upload(b"png", "image/png", "a.png"),
    "stream": lambda client: collect(client.stream("pd_1", deadline_seconds=5)),
}


async def collect(statuses: AsyncIterator[StatusAnswer]) -> list[StatusAnswer]:
    return [status async for status in statuses]
