"""Who may ask Scenario, and how it words a refusal."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.settings import SCENARIO_KEY, SCENARIO_SECRET
from deployments.sandbox.world import world_of

Handler = Callable[[Request], Awaitable[Response]]
_PUBLIC_TOKEN = "public-auth-token"  # noqa: S105 - the literal that the vendor's SDK documents


def refusal(status: int, reason: str) -> JSONResponse:
    """A 4xx in the form ``{"reason": ...}`` (captured by the vendor's Blender plugin)."""
    return JSONResponse({"reason": reason}, status_code=status)


def gateway_refusal(status: int, message: str) -> JSONResponse:
    """An answer of the gateway in front, in the form ``{"message": ...}``."""
    return JSONResponse({"message": message}, status_code=status)


def guarded(handler: Handler, *, public: bool = False) -> Handler:
    """Let only requests with good credentials reach the handler.

    Args:
        handler: The route.
        public: Whether the literal ``public-auth-token`` opens it too.
    """

    async def answer(request: Request) -> Response:
        header = request.headers.get("authorization", "")
        if not ((public and header == _PUBLIC_TOKEN) or _authorised(header, world_of(request).settings.any_key)):
            return gateway_refusal(401, "Unauthorized")
        return await handler(request)

    return answer


def _authorised(header: str, any_key: bool) -> bool:
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        return bool(token) and (any_key or hmac.compare_digest(token.encode(), SCENARIO_KEY.encode()))
    if scheme.lower() != "basic":
        return False
    try:
        key, colon, secret = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    if any_key:
        return bool(key and colon and secret)
    return hmac.compare_digest(f"{key}:{secret}".encode(), f"{SCENARIO_KEY}:{SCENARIO_SECRET}".encode())


def iso_time(epoch_seconds: float) -> str:
    """A time as Scenario writes it: ``2023-02-03T11:19:41.579Z``."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float | None:
    """Epoch seconds of an ISO-8601 time, or ``None``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def page_of(rows: list[Any], request: Request) -> tuple[list[Any], str | None] | None:
    """One page of rows that have a ``sequence``, newest first, and the token of the next page.

    Returns:
        ``None`` when ``pageSize`` or ``paginationToken`` make no sense.
    """
    query = request.query_params
    try:
        size = int(query.get("pageSize", "50"))
        token = query.get("paginationToken")
        before = int(base64.urlsafe_b64decode(token)) if token else None
    except ValueError:  # also what a bad token raises
        return None
    if not 1 <= size <= 100:
        return None
    rest = [row for row in rows if before is None or row.sequence < before]
    page = rest[:size]
    return page, page_token(page[-1].sequence) if len(rest) > size else None


def page_token(before: int) -> str:
    """The token of the page that starts just below this sequence number."""
    return base64.urlsafe_b64encode(str(before).encode()).decode()
