"""Starts a worker for the work pool `kleinbild`, on any machine that has the project. `make worker`.

It becomes Prefect's own worker, so that signals reach that one directly.
"""

import asyncio
import os
import sys

from prefect.exceptions import ObjectNotFound

from blocks.errors import SetupError
from deployments.connection import prefect_server
from deployments.work_pools import POOL

COMMAND = ("-m", "prefect", "worker", "start", "--pool", POOL, "--install-policy", "never")


def main() -> int:
    """Becomes a worker; returns an exit code only if that cannot be."""
    try:
        asyncio.run(_check())
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return os.execv(sys.executable, [sys.executable, *COMMAND, *sys.argv[1:]])  # noqa: S606  # our own command, no shell


async def _check() -> None:
    """Refuses to wait for work that cannot come.

    Raises:
        SetupError: There is no server, or no work pool on it.
    """
    async with prefect_server() as client:
        try:
            await client.read_work_pool(POOL)
        except ObjectNotFound as error:
            raise SetupError(f"The server has no work pool `{POOL}`: run `make deploy` first.") from error


if __name__ == "__main__":
    sys.exit(main())
