"""An open account with one provider, and what a run learns about it: prices, uploaded references, typical durations."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from blocks.archive.layout import object_key
from blocks.archive.store import Store
from blocks.errors import ConnectFailed, OutcomeUnknown, ProviderUnavailable, RateLimited, SetupError
from blocks.provider import Money, PictureRequest, Provider
from blocks.waiting import Pace
from tasks.slots import Slots

PRICE_HOLDS_SECONDS = 900.0
"""A price is asked for again after this, in runs that are long enough to see it change."""


FREE_DELAYS_SECONDS = (0.5, 2.0)
T = TypeVar("T")


class Credentials(Protocol):
    """What the credentials blocks of both providers have in common."""

    sandbox: bool
    max_in_flight: int
    shared_limit: str | None

    def get_provider(self) -> Provider:
        """Makes the provider's client, not yet open."""
        ...

    def in_currency(self, money: Money) -> Money | None:
        """Converts to the block's currency, where it knows a rate."""
        ...


class _AskedPrice(NamedTuple):
    answer: asyncio.Future[Money | None]
    at_seconds: float


class Account:
    """An open account with a provider, and what this run has learned about it.

    Args:
        provider: Its open client.
        slots: How many shots may be in flight: hold one while buying and collecting.
        credentials: The block that both were made from.

    Attributes:
        pickups: Held instead of a slot while collecting what was bought before: that is never kept waiting by others
            who buy, for its link may die.
    """

    def __init__(self, provider: Provider, slots: Slots, credentials: Credentials) -> None:
        self.provider = provider
        self.slots = slots
        self.pickups = asyncio.Semaphore(credentials.max_in_flight)
        self.sandbox = credentials.sandbox
        self.pace = Pace()
        self._credentials = credentials
        self._prices: dict[PictureRequest, _AskedPrice] = {}
        self._handles: dict[str, asyncio.Future[str]] = {}

    async def price(self, request: PictureRequest, handles: Sequence[str]) -> Money | None:
        """Says what a request costs; asked once for all requests that differ in text, seed and pictures alone.

        None where neither the API nor the block knows.

        Raises:
            ProviderUnavailable: The provider could not be asked, several times; the next request asks again.
            RateLimited: Likewise.
        """
        alike = request.model_copy(update={"prompt": "-", "seed": 0, "references": ("",) * len(handles)})
        asked = self._prices.get(alike)
        if asked is None or _has_failed(asked.answer) or time.monotonic() - asked.at_seconds > PRICE_HOLDS_SECONDS:
            answer = asyncio.ensure_future(self._ask_price(request, handles))
            asked = self._prices[alike] = _AskedPrice(answer, time.monotonic())
        return await asyncio.shield(asked.answer)  # others wait for the same answer

    async def _ask_price(self, request: PictureRequest, handles: Sequence[str]) -> Money | None:
        try:
            return await _repeated(lambda: self.provider.price(request, handles))
        except OutcomeUnknown as error:
            # Nobody may go on: each further question could buy a picture that the ledger does not know.
            raise SetupError(f"Asking {self.provider.name} for a price may have bought something. {error}") from error

    def in_unit(self, money: Money, unit: str) -> Money | None:
        """Converts to the unit of a budget, where the block knows a rate."""
        if money.unit == unit:
            return money
        converted = self._credentials.in_currency(money)
        return converted if converted is not None and converted.unit == unit else None

    async def handles(self, sha256s: Iterable[str], store: Store) -> tuple[str, ...]:
        """Gives the provider the pictures it does not have yet in this run; each once, however many shots use it."""
        return tuple([await self._handle(sha256, store) for sha256 in sha256s])

    async def _handle(self, sha256: str, store: Store) -> str:
        upload = self._handles.get(sha256)
        if upload is None or _has_failed(upload):
            upload = self._handles[sha256] = asyncio.ensure_future(self._upload(sha256, store))
        return await asyncio.shield(upload)  # others wait for the same upload

    async def _upload(self, sha256: str, store: Store) -> str:
        data = await store.get(object_key(sha256))
        media_type = _media_type(data)
        file_name = f"{sha256[:16]}.{media_type.removeprefix('image/')}"
        return await _repeated(lambda: self.provider.upload(data, media_type, file_name))


async def _repeated(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks a few times for what costs nothing."""
    for delay_seconds in FREE_DELAYS_SECONDS:
        try:
            return await ask()
        except (ConnectFailed, ProviderUnavailable, RateLimited):
            await asyncio.sleep(delay_seconds)
    return await ask()


def _has_failed(answer: asyncio.Future[Any]) -> bool:
    return answer.done() and (answer.cancelled() or answer.exception() is not None)


def _media_type(data: bytes) -> str:
    """Tells the type of bytes that were checked when they came into the archive."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/jpeg" if data.startswith(b"\xff\xd8") else "image/webp"
