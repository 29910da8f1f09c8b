"""Who may ask Sunra, how it words a refusal, and the headers on every answer."""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.settings import SUNRA_KEY
from deployments.sandbox.world import world_of

Handler = Callable[[Request], Awaitable[Response]]
Envelope = Literal["v2", "legacy"]
_REQUESTS_PER_MINUTE = 100


def iso_now() -> str:
    """The time now, as Sunra stamps its answers."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refusal(
    status: int,
    code: str | None,
    message: str,
    *,
    error_type: str = "invalid_request_error",
    details: Any = None,
    envelope: Envelope = "v2",
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error in Sunra's envelope, or in its legacy one (``{"detail": ...}``)."""
    facts = {"code": code, "type": error_type, "details": details}
    known = {name: value for name, value in facts.items() if value is not None}
    if envelope == "legacy":
        body: dict[str, Any] = {"detail": message, "timestamp": iso_now()} | known
    else:
        body = {"error": {"message": message} | known, "timestamp": iso_now()}
    return JSONResponse(body, status_code=status, headers=headers)


def guarded(handler: Handler) -> Handler:
    """Let only requests with a good key reach the handler, and put Sunra's headers on its answer."""

    async def answer(request: Request) -> Response:
        if _authorised(request.headers.get("authorization", ""), world_of(request).settings.any_key):
            reply = await handler(request)
        else:
            reply = refusal(401, "UNAUTHORIZED", "Invalid API key", error_type="authentication_error")
        for name, value in _standing_headers().items():
            reply.headers.setdefault(name, value)
        return reply

    return answer


def _authorised(header: str, any_key: bool) -> bool:
    scheme, _, token = header.partition(" ")
    if scheme not in ("Key", "Bearer") or not token:
        return False
    return any_key or hmac.compare_digest(token.encode(), SUNRA_KEY.encode())


def _standing_headers() -> dict[str, str]:
    return {
        "x-request-id": "req_" + secrets.token_hex(8),
        "x-ratelimit-limit": str(_REQUESTS_PER_MINUTE),
        "x-ratelimit-remaining": str(_REQUESTS_PER_MINUTE - 1),
        "x-ratelimit-reset": "60",
    }


def rate_limited(envelope: Envelope = "v2", headers: dict[str, str] | None = None) -> JSONResponse:
    """Sunra's rate limit: a 403, told from a real one by its code and by ``x-ratelimit-remaining: 0``."""
    spent = {"x-ratelimit-limit": str(_REQUESTS_PER_MINUTE), "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    return refusal(
        403,
        None,
        "Rate limit exceeded",
        error_type="rate_limit_error",
        envelope=envelope,
        headers=spent | (headers or {}),
    )
