"""A small S3 in memory that does wrong what it is told to do wrong, and writes down what it was sent."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Lie = Literal["overwrites", "says taken", "forgets", "garbles", "ignores ranges", "hides from lists"]
Fault = Literal["answer lost", "written and 500", "500", "503", "409", "403", "no such bucket", "moved"]

HANG_SECONDS = 2.0
_STATUS: dict[Fault, tuple[int, str]] = {
    "written and 500": (500, "InternalError"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "409": (409, "ConditionalRequestConflict"),
    "403": (403, "SignatureDoesNotMatch"),
    "no such bucket": (404, "NoSuchBucket"),
    "moved": (301, "PermanentRedirect"),
}


@dataclass
class FaultyS3:
    """What it holds, what it will do wrong, and what it was sent.

    Args:
        lie: Done wrong always, and without a word.
        faults: Done wrong once each, to puts, in this order.
        objects: By path, as `/bucket/prefix/key`.
        sent: How often each method was sent.
        media_types: By path.
    """

    lie: Lie | None = None
    faults: list[Fault] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    media_types: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The server."""
        methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        self.sent[request.method] += 1
        body = await request.body()
        if request.method == "PUT":
            return await self._put(request, body)
        if request.method == "POST":  # DeleteObjects
            return self._delete(request.url.path, body.decode())
        if "list-type" in request.query_params:
            return self._list(request.url.path, request.query_params.get("prefix", ""))
        return self._get(request)

    async def _put(self, request: Request, body: bytes) -> Response:
        path = request.url.path
        self.media_types[path] = request.headers["content-type"]
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault not in {"answer lost", "written and 500"}:
            return _error(*_STATUS[fault])
        is_taken = path in self.objects or self.lie == "says taken"
        if is_taken and request.headers.get("if-none-match") == "*" and self.lie != "overwrites":
            return _error(412, "PreconditionFailed")
        if self.lie != "forgets":
            self.objects[path] = body[::-1] if self.lie == "garbles" else body
        if fault == "answer lost":
            await asyncio.sleep(HANG_SECONDS)
        return _error(*_STATUS[fault]) if fault == "written and 500" else Response(headers={"ETag": '"1"'})

    def _get(self, request: Request) -> Response:
        data = self.objects.get(request.url.path)
        if data is None:
            return _error(404, "NoSuchKey")
        headers = {"ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
        wanted = request.headers.get("range", "").removeprefix("bytes=")
        if wanted and self.lie != "ignores ranges":
            first, last = (int(each) for each in wanted.split("-"))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            return Response(data[first : last + 1], 206, headers)
        return Response(data, 200, headers)

    def _list(self, bucket: str, prefix: str) -> Response:
        paths = [] if self.lie == "hides from lists" else sorted(self.objects)
        keys = [path.removeprefix(f"{bucket}/") for path in paths]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-11-20T10:00:00.000Z</LastModified></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        return Response(f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>")

    def _delete(self, bucket: str, body: str) -> Response:
        keys = [part.partition("</Key>")[0] for part in body.split("<Key>")[1:]]
        for key in keys:
            self.objects.pop(f"{bucket.rstrip('/')}/{key}", None)
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{gone}</DeleteResult>")


def _error(status: int, code: str) -> Response:
    shown = "AKIAIOSFODNN7EXAMPLE?X-Amz-Signature=abcdef0123456789"
    return Response(f"<Error><Code>{code}</Code><Message>{shown}</Message></Error>", status)
