"""Kills this very process at a place in the product's code, with no hook in it: functions are wrapped from outside."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import httpx

from blocks.archive.catalogue import Catalogue
from blocks.archive.folder_store import FolderStore
from blocks.archive.ledger import Claim, Ledger
from blocks.scenario.provider import ScenarioProvider
from blocks.sunra.provider import SunraProvider
from tests.chaos.orders import Death, Place

SENT_AFTER_SECONDS = 0.15
"""A POST has arrived by then, and its answer, which a fault of the sandbox holds back for longer, has not."""

Method = Callable[..., Awaitable[Any]]
_downloading = ContextVar("_downloading", default=False)


class Countdown:
    """Counts how often a place was reached, and ends the process when it is time."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._left = death.nth

    def is_due(self, provider: str | None) -> bool:
        """Counts one more; `provider` is None where the place does not know it."""
        if self._death.provider not in {None, provider}:
            return False
        self._left -= 1
        return self._left == 0

    def reached(self, provider: str | None = None) -> None:
        """Counts one more, and does not return if it was the last."""
        if self.is_due(provider):
            die()


def die() -> None:
    """Ends this process as the kernel does: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(death: Death) -> None:
    """Wraps the function that leads to the place of a death; `random instant` comes from outside."""
    if death.place != "random instant":
        _ARMED[death.place](Countdown(death))


def _won(claim: Claim) -> str:
    return claim.entry.provider if claim.won else "nobody's"


def _of_key(prefix: str, countdown: Countdown) -> Callable[..., None]:
    def reached(_: object, __: object, key: str, *___: object) -> None:
        if key.startswith(prefix):
            countdown.reached()

    return reached


def _after(owner: type, name: str, reached: Callable[..., None]) -> None:
    """Calls `reached` with the result and the arguments, when the method has returned."""
    method: Method = getattr(owner, name)

    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await method(*arguments, **options)
        reached(result, *arguments)
        return result

    setattr(owner, name, wrapped)


def _die_soon() -> None:
    asyncio.get_running_loop().call_later(SENT_AFTER_SECONDS, die)


def _around_submits(countdown: Countdown, *, before: Callable[[], None] | None) -> None:
    for owner in (ScenarioProvider, SunraProvider):
        _around(owner, "submit", countdown, before)


def _around(owner: type[Any], name: str, countdown: Countdown, before: Callable[[], None] | None) -> None:
    """Dies after a call, or, where `before` is given, prepares a death that comes in the middle of it."""
    method: Method = getattr(owner, name)

    async def wrapped(self: Any, *arguments: Any) -> Any:
        due = countdown.is_due(self.name)
        if due and before is not None:
            before()
        result = await method(self, *arguments)
        if due and before is None:
            die()
        return result

    setattr(owner, name, wrapped)


def _in_downloads(countdown: Countdown) -> None:
    """Dies when the first bytes of a picture have come."""
    for owner in (ScenarioProvider, SunraProvider):
        _around(owner, "download", countdown, before=_expect_bytes)
    read: Callable[..., AsyncIterator[bytes]] = httpx.Response.aiter_bytes

    async def wrapped(self: httpx.Response, *arguments: Any) -> AsyncIterator[bytes]:
        async for chunk in read(self, *arguments):
            if _downloading.get():
                die()
            yield chunk

    setattr(httpx.Response, "aiter_bytes", wrapped)  # noqa: B010  # an assignment would need an ignore


def _expect_bytes() -> None:
    _downloading.set(True)


def _before_link(countdown: Countdown) -> None:
    """Dies when a picture is complete under its temporary name, and not yet under its own."""
    link = os.link

    def wrapped(source: Any, target: Any, **options: Any) -> None:
        if "objects" in str(target):
            countdown.reached()
        link(source, target, **options)

    setattr(os, "link", wrapped)  # noqa: B010  # an assignment would need an ignore


def _after_step(name: str) -> Callable[[Countdown], None]:
    return lambda countdown: _after(Ledger, name, lambda entry, *_: countdown.reached(entry.provider))


def _after_put(prefix: str) -> Callable[[Countdown], None]:
    return lambda countdown: _after(FolderStore, "put_if_absent", _of_key(prefix, countdown))


_ARMED: dict[Place, Callable[[Countdown], None]] = {
    "after claim": lambda countdown: _after(Ledger, "reserve", lambda claim, *_: countdown.reached(_won(claim))),
    "before POST": _after_step("mark_sending"),
    "POST sent": lambda countdown: _around_submits(countdown, before=_die_soon),
    "answer read": lambda countdown: _around_submits(countdown, before=None),
    "job recorded": _after_step("mark_running"),
    "during download": _in_downloads,
    "half written": _before_link,
    "picture stored": _after_put("objects/"),
    "record stored": _after_put("records/"),
    "catalogued": lambda countdown: _after(Catalogue, "add", lambda *_: countdown.reached()),
    "after done": _after_step("mark_done"),
}
