"""Signed picture URLs in the manner of CloudFront: readable by anyone who has them, until they expire."""

import base64
import calendar
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>'
)
_SIGNATURE_NAMES = ("Policy", "Signature", "Key-Pair-Id")


def access_denied() -> Response:
    """What the CDN says of an expired or altered URL."""
    return Response(_DENIED, status_code=403, media_type="application/xml")


def calendar_expiry(now: datetime) -> datetime:
    """The end of the calendar period in which a URL made now dies (Scenario CDN page).

    Day 1-7: the 14th; 8-14: the 21st; 15-21: the last of the month; later: the 7th of the next month, 23:59:59 UTC.
    """
    last = calendar.monthrange(now.year, now.month)[1]
    if now.day > 21:
        following = now.replace(day=1) + timedelta(days=32)
        end = following.replace(day=7)
    else:
        end = now.replace(day=14 if now.day <= 7 else 21 if now.day <= 14 else last)
    return end.replace(hour=23, minute=59, second=59, microsecond=0)


class Signer:
    """Signs paths and checks what comes back; its key lives as long as the process."""

    def __init__(self, ttl_seconds: float | None) -> None:
        self._ttl_seconds = ttl_seconds
        self._key = secrets.token_bytes(32)
        self._key_pair_id = "K" + secrets.token_hex(7).upper()

    def sign(self, path: str, query: Mapping[str, str], now: float) -> str:
        """The path with its query and a signature over both, valid from ``now`` (epoch seconds)."""
        if self._ttl_seconds is None:
            expires = calendar_expiry(datetime.fromtimestamp(now, UTC)).timestamp()
        else:
            expires = now + self._ttl_seconds
        policy = base64.urlsafe_b64encode(json.dumps({"expires": expires}).encode()).decode()
        signed = dict(query) | {"Policy": policy}
        signed["Signature"] = self._signature(path, signed)
        signed["Key-Pair-Id"] = self._key_pair_id
        return f"{path}?{urlencode(signed)}"

    def allows(self, path: str, query: str, now: float) -> bool:
        """Whether this very path and query string were signed here and are still alive."""
        given = dict(parse_qsl(query, keep_blank_values=True))
        if any(name not in given for name in _SIGNATURE_NAMES) or given.pop("Key-Pair-Id") != self._key_pair_id:
            return False
        signature = given.pop("Signature")
        if not hmac.compare_digest(signature.encode(), self._signature(path, given).encode()):
            return False
        return bool(now < json.loads(base64.urlsafe_b64decode(given["Policy"]))["expires"])

    def _signature(self, path: str, signed: Mapping[str, str]) -> str:
        message = f"{path}?{urlencode(sorted(signed.items()))}".encode()
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
