"""Makes the sandbox's one application: both APIs, their file stores, and ``/sandbox/*``."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox import control
from deployments.sandbox.faults import FaultList
from deployments.sandbox.scenario.routes import ROUTES as SCENARIO_ROUTES
from deployments.sandbox.settings import Settings
from deployments.sandbox.sunra.routes import ROUTES as SUNRA_ROUTES
from deployments.sandbox.world import World


def create_app(
    settings: Settings | None = None,
    *,
    faults: FaultList | None = None,
    clock: Callable[[], float] = time.time,
    **choices: Any,
) -> Starlette:
    """The application, ready for uvicorn or an in-memory transport.

    Args:
        settings: All choices at once.
        faults: Faults that are live from the start.
        clock: Epoch seconds; tests may turn it.
        choices: Single choices over ``settings``, by their names in ``Settings``, such as ``latency_seconds``.
    """
    world = World(replace(settings or Settings(), **choices), clock)
    if faults is not None:
        world.faults.add(faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        world.studio.close()

    app = Starlette(
        routes=[*control.ROUTES, *SUNRA_ROUTES, *SCENARIO_ROUTES],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.state.world = world
    return app


async def _http_error(_: Request, error: Exception) -> Response:
    """A path or method that neither API knows, in the words of the gateway."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"message": error.detail}, status_code=error.status_code, headers=error.headers)
