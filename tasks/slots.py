"""Slots: a shot is bought and collected within one, so that no more are in flight than the account allows.

Where runs share a limit, each shot in flight holds a slot of it. A run that has shots waiting hands its slots on from
shot to shot without asking the server again. It gives them back when nobody waits for them, and after a turn, so that
runs that came later get theirs.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger
from prefect.settings import get_current_settings

from blocks.errors import NotStarted
from tasks.shared_limit import open_shared_limit

TURN_SECONDS = (30.0, 60.0)
"""How long a run may keep a slot that others could want: at random, so that its slots do not all go at once."""

ASK_AGAIN_SECONDS = (0.5, 1.5)
"""Pause before a run asks for a slot again: at random, so that all who wait have equal chances."""

FIRST_AT_ONCE = 4
"""How many slots a run asks for at first; a server that is busy answers many at once sooner than one by one."""

RENEW_SECONDS = 12.0
"""With the time that a renewal may take, three are tried before a lease ends."""

WAIT_SECONDS = 6 * 3600.0
"""How long a shot waits for its slot: other runs may be at work for hours, but not for ever."""

CLOSE_SECONDS = 10.0
"""How long giving everything back may take at the end; what is late comes free with the end of its lease."""


class Limit(Protocol):
    """Where slots come from; `SharedLimit` in all but tests."""

    name: str

    async def take(self) -> UUID | None:
        """Takes a slot; None where there is none to take now."""
        ...

    async def renew(self, lease_id: UUID) -> bool:
        """Keeps a slot; False where it is lost."""
        ...

    async def give_back(self, lease_id: UUID) -> None:
        """Gives a slot back."""
        ...


@dataclass
class _Lease:
    """A slot that this run has for its turn."""

    id: UUID
    turn_ends_at_seconds: float

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.turn_ends_at_seconds


class SharedSlots:
    """The slots that one run has of a shared limit: `async with slots:` holds one of them.

    Slots are alike, so a shot that leaves gives away the one whose turn ends first, whichever it came in with. Use it
    within `open()`.

    Args:
        limit: Of all runs.
        max_in_flight: Most slots that this run holds.
        turn_seconds: Shortest and longest turn.
        ask_again_seconds: Shortest and longest pause before it asks again.
        renew_seconds: How often leases are renewed.
        wait_seconds: How long a shot waits for its slot.
    """

    def __init__(
        self,
        limit: Limit,
        max_in_flight: int,
        *,
        turn_seconds: tuple[float, float] = TURN_SECONDS,
        ask_again_seconds: tuple[float, float] = ASK_AGAIN_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._limit = limit
        self._max_in_flight = max_in_flight
        self._turn_seconds = turn_seconds
        self._ask_again_seconds = ask_again_seconds
        self._renew_seconds = renew_seconds
        self._wait_seconds = wait_seconds
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_use: list[_Lease] = []
        self._ask_at_seconds = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._has_told = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keeps leases alive, and gives back what is left at the end."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await self._close()

    async def __aenter__(self) -> None:
        """Waits for a slot.

        Raises:
            NotStarted: Other runs have had all of them for hours, or an operator has set the limit to 0.
            SetupError: The limit is gone, or the server has not answered for a long time.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turn()
        except TimeoutError as error:
            hours = self._wait_seconds / 3600
            raise NotStarted(f"No slot of the shared limit {self._limit.name!r} came free for {hours:g} h.") from error

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._ask()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()  # it came in the moment when nobody wanted it any more
            raise

    async def __aexit__(self, *_: object) -> None:
        """Hands the slot on, or gives it back."""
        self._leave()

    def _leave(self) -> None:
        if not self._in_use:  # a shot that did not end in time: all is given back
            return
        lease = min(self._in_use, key=lambda lease: lease.turn_ends_at_seconds)
        self._in_use.remove(lease)
        if lease.is_over:
            self._let_go(lease)
            self._pause()  # others first
        else:
            self._hand_on(lease)
        self._ask()

    def _hand_on(self, lease: _Lease) -> None:
        if not self._wanted:
            self._let_go(lease)
            return
        self._in_use.append(lease)
        next(self._turns()).set_result(None)

    def _turns(self) -> Iterator[asyncio.Future[None]]:
        """Calls those who wait, the first one first; who was cancelled meanwhile is not called."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                yield turn

    @property
    def _wanted(self) -> int:
        """How many more slots would be used at once; a few too many, where shots in the queue were cancelled."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return min(len(self._waiting), self._max_in_flight - len(self._in_use))

    def _ask(self) -> None:
        """Sees to it that somebody asks for slots while they are wanted: one for all, however many shots wait."""
        if self._asking is None and self._wanted:
            self._asking = asyncio.create_task(self._take_while_wanted())
            self._asking.add_done_callback(self._has_asked)

    async def _take_while_wanted(self) -> None:
        """Takes slots: more and more at a time while there are any, one at a time while there are none."""
        at_once = FIRST_AT_ONCE
        while True:
            await asyncio.sleep(self._ask_at_seconds - time.monotonic())
            if not self._wanted:
                return
            taken = await asyncio.gather(*(self._take() for _ in range(min(at_once, self._wanted))))
            at_once = 2 * at_once if all(taken) else 1
            if not all(taken):
                self._pause()
                self._tell()

    async def _take(self) -> bool:
        lease_id = await self._limit.take()
        if lease_id is None:
            return False
        self._hand_on(_Lease(lease_id, time.monotonic() + _between(self._turn_seconds)))
        return True

    def _has_asked(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        error = None if asking.cancelled() else asking.exception()
        if error is None:
            self._ask()  # somebody may have come in the last moment
            return
        for turn in self._turns():
            turn.set_exception(error)

    def _pause(self) -> None:
        self._ask_at_seconds = time.monotonic() + _between(self._ask_again_seconds)

    def _tell(self) -> None:
        """Says once why a run that has just begun does nothing."""
        if self._has_told or self._in_use:
            return
        self._has_told = True
        _log().info("Waiting for a slot of the shared limit %r: other runs have them all.", self._limit.name)

    def _let_go(self, lease: _Lease) -> None:
        self._in_background(self._limit.give_back(lease.id))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._renew_seconds)
            await asyncio.gather(*(self._renew_one(lease) for lease in self._in_use))

    async def _renew_one(self, lease: _Lease) -> None:
        """A slot that was lost is not handed on; the picture that is paid for is not broken off."""
        if not await self._limit.renew(lease.id) and lease in self._in_use:
            lease.turn_ends_at_seconds = 0.0
            _log().warning(
                "A slot of the shared limit %r went to others too early; its shot goes on.", self._limit.name
            )

    async def _close(self) -> None:
        for turn in self._turns():
            turn.cancel()
        while self._in_use:  # shots that did not end in time
            self._let_go(self._in_use.pop())
        if self._asking is not None:  # ends by itself: a slot that comes now is not wanted, and given back
            await _ended({self._asking})
        await _ended(self._background)


Slots = asyncio.Semaphore | SharedSlots


@asynccontextmanager
async def open_slots(max_in_flight: int, shared_limit: str | None) -> AsyncIterator[Slots]:
    """Opens the slots of an account.

    Args:
        max_in_flight: Most shots that this run has in flight.
        shared_limit: Name of the global concurrency limit that runs share. It needs a Prefect server that goes on when
            a run ends: a temporary one cannot free the slots of a run that was killed, so there it is left out.

    Raises:
        SetupError: There is no such limit.
    """
    if not shared_limit or get_current_settings().api.url is None:
        yield asyncio.Semaphore(max_in_flight)
        return
    async with open_shared_limit(shared_limit) as limit:
        slots = SharedSlots(limit, max_in_flight)
        async with slots.open():
            yield slots


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    """Waits until tasks have ended, for a bounded time."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for task in late:
            task.cancel()


def _between(bounds: tuple[float, float]) -> float:
    return random.uniform(*bounds)  # noqa: S311  # spreads load, guards nothing


def _log() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    try:
        return get_run_logger()
    except MissingContextError:  # outside of runs
        return get_logger(__name__)
