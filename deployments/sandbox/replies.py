"""Answers beyond plain JSON: cut connections, gateway pages, broken JSON, and the ones that a fault asks for."""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deployments.sandbox.faults import Fault

GATEWAY_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}


class CutConnection(Response):
    """Closes the connection, after some bytes of a body or before any answer at all."""

    def __init__(self, partial: bytes = b"", announced_bytes: int = 0, media_type: str = "image/png") -> None:
        super().__init__(media_type=media_type)
        self._partial = partial
        self._announced_bytes = announced_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is to send, then cut."""
        if self._announced_bytes:
            length = str(self._announced_bytes).encode()
            headers = [(b"content-type", str(self.media_type).encode()), (b"content-length", length)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._partial, "more_body": True})
        # ASGI has no word for "hang up"; uvicorn's request cycle, whose method `receive` is, holds the transport.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the sandbox cut this connection, as a fault asked")
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def gateway_error(status: int) -> Response:
    """The HTML page of a gateway in front of the service."""
    return HTMLResponse(GATEWAY_PAGE.format(f"{status} {_REASONS.get(status, 'Error')}"), status_code=status)


def own_body(fault: Fault, status: int) -> Response:
    """The answer whose body the fault brought along."""
    if isinstance(fault.body, str):
        return HTMLResponse(fault.body, status_code=status, headers=fault.headers)
    return JSONResponse(fault.body, status_code=status, headers=fault.headers)


def fault_reply(fault: Fault, default_status: int = 503) -> Response | None:
    """The answer to a request struck by one of the faults that look alike for both providers.

    Returns:
        ``None`` where the provider words the answer itself, or where the request goes on (``*_slow``).
    """
    if fault.what in ("dropped", "reply_dropped"):
        return CutConnection()
    if fault.what == "malformed_json":
        return Response('{"job": {"jobId": "job_', media_type="application/json")
    if fault.what == "html":
        return HTMLResponse(GATEWAY_PAGE.format("Welcome"), headers=fault.headers)
    if fault.what == "error":
        status = fault.http_status or default_status
        reply = own_body(fault, status) if fault.body is not None else gateway_error(status)
        reply.headers.update(fault.headers)
        return reply
    return None


async def pause(fault: Fault) -> None:
    """Wait as long as a ``*_slow`` fault says."""
    if fault.what == "slow":
        await asyncio.sleep(1.0 if fault.seconds is None else fault.seconds)


async def json_body(request: Request) -> dict[str, Any] | None:
    """The request's JSON object, or ``None`` when the body is something else."""
    try:
        body = json.loads(await request.body(), parse_constant=_refuse_constant)
    except ValueError:  # not JSON, or not UTF-8
        return None
    return body if isinstance(body, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
