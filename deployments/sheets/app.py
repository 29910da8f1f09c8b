"""The application: a page that lists the contact sheets, and the files that they show. It changes nothing.

It answers to names of this machine alone, so that no web page elsewhere can reach it by a name of its own that leads
here (DNS rebinding), and tells browsers to take every file for what it is and to run nothing in it.
"""

import asyncio
import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.sheets.files import ASK_FIRST, ISOLATED, ServedFile, find_file
from deployments.sheets.listing import list_sheets

TEMPLATES = Path(__file__).parent / "templates"
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-site",  # the Prefect UI is another port of this machine
    "content-security-policy": ISOLATED,
    "cache-control": "no-store",
}
"""What every answer says that says nothing else about it, errors too."""


def create_app(root: Path) -> Starlette:
    """Makes the application.

    Args:
        root: Folder of the archive; it may be made later.
    """
    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/sheets/{campaign}/{edition}/", _sheet),
            Route("/{key:path}", _file),
        ],
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
    )
    app.state.root = root
    return app


async def _index(request: Request) -> Response:
    sheets = await asyncio.to_thread(list_sheets, _root(request))
    style = (TEMPLATES / "index.css").read_text(encoding="utf-8")
    page = _environment().get_template("index.html.j2").render(sheets=sheets, style=style)
    return HTMLResponse(page, headers={"content-security-policy": _index_policy(style), "cache-control": ASK_FIRST})


async def _sheet(request: Request) -> Response:
    """A sheet's folder leads to its page."""
    return RedirectResponse("index.html")


async def _file(request: Request) -> Response:
    file = await asyncio.to_thread(find_file, _root(request), request.path_params["key"])
    if file is None:
        return PlainTextResponse("There is nothing here.\n", status_code=404)
    if _is_known(request, file):
        return Response(status_code=304, headers=file.headers)
    return FileResponse(file.path, media_type=file.media_type, headers=file.headers, stat_result=file.stat)


def _is_known(request: Request, file: ServedFile) -> bool:
    """Tells whether the browser has this very state of the file already."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return file.headers["etag"] in tags


def _root(request: Request) -> Path:
    root: Path = request.app.state.root
    return root


def _index_policy(style: str) -> str:
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{known}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class _Headers:
    """Adds what is missing to the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
