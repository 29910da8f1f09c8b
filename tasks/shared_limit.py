"""One limit for all runs of a provider account: a global concurrency limit of the Prefect server, slot by slot.

It speaks to the server through Prefect's client, and not through `prefect.concurrency`, for three reasons (3.8.8). That
one waits as long as the server suggests, up to 30 s, while slots lie idle; asking it not to wait makes it log an error
each time. It opens a client of its own for each slot that is given back, and a thread with another one for each that is
held: 25 ms and more, where a request over an open client takes 4. And it tells two events of each slot to everyone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, ConfigDict

from blocks.errors import SetupError

LEASE_SECONDS = 60.0
"""How long the server keeps a slot for a run that is not heard of any more: the shortest lease that it gives."""

RENEWAL_SECONDS = 6.0
"""How long a renewal may take, with all that Prefect's client repeats: a late one is worth less than the next one."""

SILENCE_SECONDS = 300.0
"""How long the server may be away before a run that waits for slots gives up."""

BUSY_PAUSES_SECONDS = (0.03, 0.06, 0.12, 0.25, 0.5)
"""How soon a server that was busy is asked again. Prefect's client would wait 2 s, 4 s and longer, and a server on
SQLite is busy, for a moment, at every second request while many tasks run."""

_PAUSED = "greater than the limit"
"""What the server says of one slot where the limit is 0, with which an operator pauses all buying."""

_LEASE_IS_OVER = frozenset({httpx.codes.GONE, httpx.codes.NOT_FOUND})


class _Busy(httpx.TransportError):
    """The server could not answer at this moment."""


class _Granted(BaseModel):
    """What the server answers to a request for a slot; it names no limits where there is none of that name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lease_id: UUID
    limits: tuple[object, ...]


class SharedLimit:
    """A global concurrency limit, as one run sees it."""

    def __init__(self, client: PrefectClient, name: str) -> None:
        self.name = name
        self._client = client
        self._answered_at_seconds = time.monotonic()
        self._holder = _flow_run()

    async def check(self) -> None:
        """Makes sure that there is such a limit.

        Raises:
            SetupError: There is none, or the server does not answer.
        """
        try:
            await self._client.read_global_concurrency_limit_by_name(self.name)
        except ObjectNotFound as error:
            raise self._missing() from error
        except httpx.HTTPError as error:
            raise self._unanswered() from error

    async def take(self) -> UUID | None:
        """Takes a slot, and returns its lease; None where there is none to take now.

        Raises:
            SetupError: The limit is gone, or the server has not answered for a long time.
        """
        try:
            answer = await self._answer(
                lambda: self._client.increment_concurrency_slots_with_lease(
                    [self.name], 1, "concurrency", LEASE_SECONDS, self._holder
                )
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.LOCKED or _PAUSED in error.response.text:
                self._answered_at_seconds = time.monotonic()
            else:
                self._bear(error)
            return None
        except httpx.TransportError as error:
            self._bear(error)
            return None
        self._answered_at_seconds = time.monotonic()
        granted = _Granted.model_validate_json(answer.content)
        if not granted.limits:
            raise self._missing()
        return granted.lease_id

    async def renew(self, lease_id: UUID) -> bool:
        """Keeps a slot for another while; False where the server has given it to others already."""
        try:
            async with asyncio.timeout(RENEWAL_SECONDS):
                await self._answer(lambda: self._client.renew_concurrency_lease(lease_id, LEASE_SECONDS))
        except httpx.HTTPStatusError as error:
            return error.response.status_code not in _LEASE_IS_OVER
        except (httpx.TransportError, TimeoutError):
            return True  # nobody knows; the lease outlives a few renewals that fail
        return True

    async def give_back(self, lease_id: UUID) -> None:
        """Gives a slot back. Where that fails, it comes free with the end of its lease."""
        try:
            await self._answer(lambda: self._client.release_concurrency_slots_with_lease(lease_id))
        except (httpx.HTTPStatusError, httpx.TransportError):
            return

    async def _answer(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Asks, and asks again soon where the server is busy."""
        for pause_seconds in BUSY_PAUSES_SECONDS:
            try:
                return await ask()
            except _Busy:
                await asyncio.sleep(pause_seconds)
        return await ask()

    def _bear(self, error: httpx.HTTPError) -> None:
        """Waits for a server that is away, but not for good."""
        if time.monotonic() - self._answered_at_seconds > SILENCE_SECONDS:
            raise self._unanswered() from error

    def _missing(self) -> SetupError:
        return SetupError(
            f"The credentials name the shared limit {self.name!r}, and the Prefect server has no such global "
            "concurrency limit. `python -m deployments.register` creates it, and so does "
            f"`prefect gcl create {self.name} --limit 8`."
        )

    def _unanswered(self) -> SetupError:
        return SetupError(
            f"No slot of the shared limit {self.name!r} can be had: the Prefect server does not answer. "
            "Is it running, and is PREFECT_API_URL right?"
        )


@asynccontextmanager
async def open_shared_limit(name: str) -> AsyncIterator[SharedLimit]:
    """Opens a connection to a limit.

    Raises:
        SetupError: There is no such limit, or the server does not answer.
    """
    async with get_client(httpx_settings={"event_hooks": {"response": [_refuse_to_wait]}}) as client:
        limit = SharedLimit(client, name)
        await limit.check()
        yield limit


async def _refuse_to_wait(response: httpx.Response) -> None:
    """Keeps Prefect's client from waiting."""
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise _Busy("The server is busy.")


def _flow_run() -> ConcurrencyLeaseHolder | None:
    """Names the flow run at work, for who wants to know where the slots are."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None
    return ConcurrencyLeaseHolder(type="flow_run", id=context.flow_run.id)
