"""The Prefect server that commands of operators work on: one that is configured and answers, never a temporary one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import get_current_settings

from blocks.errors import SetupError

_HOW_TO = (
    "  On this machine: run `make serve` in another terminal (it deploys by itself), then "
    "`export PREFECT_API_URL=http://127.0.0.1:4200/api`.\n"
    "  Elsewhere: set PREFECT_API_URL to the server's address, ending in /api, and PREFECT_API_AUTH_STRING if it has a "
    "password."
)


@asynccontextmanager
async def prefect_server() -> AsyncIterator[PrefectClient]:
    """Opens a client of the configured Prefect server.

    Raises:
        SetupError: No server is configured, it does not answer, or it does not let us in.
    """
    address = get_current_settings().api.url
    if address is None:
        raise SetupError(
            f"No Prefect server is configured. Prefect would start one for the moment, and take all along.\n{_HOW_TO}"
        )
    async with get_client() as client:
        if (trouble := await client.api_healthcheck()) is not None:
            raise SetupError(f"The Prefect server at {address} does not answer ({type(trouble).__name__}).\n{_HOW_TO}")
        try:
            await client.api_version()  # its health is told to everybody
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise SetupError(
                f"The Prefect server at {address} does not let us in (HTTP {status}).\n{_HOW_TO}"
            ) from error
        yield client
