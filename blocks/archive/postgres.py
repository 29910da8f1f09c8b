"""The catalogue on a PostgreSQL server, for many machines."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import create_async_engine

from blocks.archive.database_errors import told

CONNECT_TIMEOUT_SECONDS = 10.0
STATEMENT_TIMEOUT_SECONDS = 60.0

T = TypeVar("T")


class PostgresDatabase:
    """A server for many machines; rows are locked one by one.

    Args:
        url: As psql takes it.
    """

    def __init__(self, url: URL) -> None:
        self.name = url.set(query={}).render_as_string(hide_password=True)
        self._engine = create_async_engine(
            _for_asyncpg(url),
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"timeout": CONNECT_TIMEOUT_SECONDS, "command_timeout": STATEMENT_TIMEOUT_SECONDS},
        )
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work in a transaction of its own."""
        return await self._run(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs work in a task of its own, so that a cancelled caller does not cut it short."""
        task = asyncio.create_task(self._run(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Waits for the writes that were begun."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _run(self, work: Callable[[Connection], T]) -> T:
        with told(self.name):
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)


def _for_asyncpg(url: URL) -> URL:
    """Takes the URL that psql takes: asyncpg calls `sslmode` `ssl`."""
    query = {"ssl" if key == "sslmode" else key: value for key, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)
