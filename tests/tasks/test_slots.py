import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.errors import NotStarted, SetupError
from tasks import slots as module
from tasks.slots import FIRST_AT_ONCE, SharedSlots, open_slots

NO_PAUSE = (0.0, 0.0)
FOR_EVER = (3600.0, 3600.0)
SHORT_TURN = (0.0, 0.0)
DEADLINE_SECONDS = 20


class Server:
    """A limit in memory, that many runs can share: it never gives more slots than it has."""

    name = "teapot-limit"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.leases: set[UUID] = set()
        self.asked = 0
        self.granted = 0
        self.lost: set[UUID] = set()
        self.renewed: list[UUID] = []
        self.error: Exception | None = None
        self.answer_waits_for = asyncio.Event()
        self.answer_waits_for.set()

    async def take(self) -> UUID | None:
        """Gives a slot, and answers when it is told to."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        if len(self.leases) >= self.slots:
            await asyncio.sleep(0)
            return None
        lease_id = uuid4()
        self.leases.add(lease_id)
        self.granted += 1
        await self.answer_waits_for.wait()
        return lease_id

    async def renew(self, lease_id: UUID) -> bool:
        """Notes it; what the test calls lost is lost."""
        await asyncio.sleep(0)
        self.renewed.append(lease_id)
        return lease_id not in self.lost

    async def give_back(self, lease_id: UUID) -> None:
        """Takes a slot back."""
        await asyncio.sleep(0)
        self.leases.remove(lease_id)  # KeyError: nothing is given back twice


@asynccontextmanager
async def slots_of(
    server: Server,
    max_in_flight: int = 100,
    turn_seconds: tuple[float, float] = FOR_EVER,
    ask_again_seconds: tuple[float, float] = NO_PAUSE,
    renew_seconds: float = 3600.0,
) -> AsyncIterator[SharedSlots]:
    """Slots of one run, which asks again without a pause, and has no end of turn unless the test is about turns."""
    slots = SharedSlots(
        server,
        max_in_flight,
        turn_seconds=turn_seconds,
        ask_again_seconds=ask_again_seconds,
        renew_seconds=renew_seconds,
    )
    async with asyncio.timeout(DEADLINE_SECONDS), slots.open():
        yield slots


class Floor:
    """Where shots work, and are counted; those of one run are also counted on the floor of all."""

    def __init__(self, of_all: "Floor | None" = None) -> None:
        self._of_all = of_all
        self.now = 0
        self.most = 0
        self.done = 0

    async def work(self, slots: SharedSlots, steps: int = 3) -> None:
        """Works in a slot for so many steps of the event loop."""
        async with slots:
            with self._counted(), self._of_all._counted() if self._of_all else nullcontext():
                for _ in range(steps):
                    await asyncio.sleep(0)
            self.done += 1

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0)


async def test_slots_are_handed_on_without_asking() -> None:
    """Fifty shots over four slots ask the server four times, and at the end all is given back."""
    server, floor = Server(slots=4), Floor()
    async with slots_of(server, max_in_flight=4) as slots:
        await asyncio.gather(*(floor.work(slots) for _ in range(50)))
        await until(lambda: not server.leases)

    assert (floor.done, floor.most) == (50, 4)
    assert (server.asked, server.granted) == (4, 4)


async def test_a_run_minds_its_own_bound_too() -> None:
    """A limit of many slots does not let a run have more in flight than its account may."""
    server, floor = Server(slots=100), Floor()
    async with slots_of(server, max_in_flight=3) as slots:
        await asyncio.gather(*(floor.work(slots) for _ in range(20)))

    assert (floor.done, floor.most, server.asked) == (20, 3, 3)


async def test_a_slot_that_nobody_waits_for_is_given_back() -> None:
    """The last shots of a run leave their slots to others while the rest is still at work."""
    server, floor = Server(slots=4), Floor()
    async with slots_of(server) as slots:
        async with slots:
            await asyncio.gather(*(floor.work(slots) for _ in range(3)))
            await until(lambda: len(server.leases) == 1)
        await until(lambda: not server.leases)


@given(
    slots=st.integers(1, 6),
    bounds=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    shots=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.none() | st.integers(0, 30)), max_size=40),
    has_turns=st.booleans(),
)
def test_no_limit_is_ever_passed(
    slots: int, bounds: list[int], shots: list[tuple[int, int, int | None]], has_turns: bool
) -> None:
    """Many runs, shots of all lengths, some of them cancelled at any moment: all others end, and no slot is left over.

    A shot is a run, how long it works, and after how many steps it is cancelled.
    """
    asyncio.run(_many_runs(slots, bounds, shots, SHORT_TURN if has_turns else FOR_EVER))


async def _many_runs(
    slots: int, bounds: list[int], shots: list[tuple[int, int, int | None]], turn_seconds: tuple[float, float]
) -> None:
    server, of_all = Server(slots), Floor()
    floors = [Floor(of_all) for _ in bounds]
    async with AsyncExitStack() as stack:
        runs = [await stack.enter_async_context(slots_of(server, bound, turn_seconds)) for bound in bounds]

        async def shoot(run: int, steps: int, cancelled_after: int | None) -> bool:
            work = asyncio.create_task(floors[run].work(runs[run], steps))
            if cancelled_after is not None:
                for _ in range(cancelled_after):
                    await asyncio.sleep(0)
                work.cancel()
            await asyncio.wait({work})
            return not work.cancelled()

        ended = await asyncio.gather(*(shoot(run % len(bounds), steps, cancel) for run, steps, cancel in shots))
        await until(lambda: not server.leases)
    assert sum(floor.done for floor in floors) == sum(ended)
    assert [has_ended for has_ended, shot in zip(ended, shots, strict=True) if shot[2] is None and not has_ended] == []
    assert of_all.most <= slots
    assert all(floor.most <= bound for floor, bound in zip(floors, bounds, strict=True))


async def test_a_shot_that_is_cancelled_while_it_waits_takes_nothing() -> None:
    """It leaves the queue, and the slot goes to the next."""
    server, floor = Server(slots=1), Floor()
    async with slots_of(server) as slots:
        async with slots:
            waiting = [asyncio.create_task(floor.work(slots)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, False, False]
    assert (floor.done, server.granted, server.leases) == (2, 1, set())


async def test_a_slot_that_comes_too_late_is_given_back() -> None:
    """Whoever asked is gone when the server's answer comes: the slot does not stay taken."""
    server, floor = Server(slots=1), Floor()
    server.answer_waits_for.clear()
    async with slots_of(server) as slots:
        waiting = asyncio.create_task(floor.work(slots))
        await until(lambda: server.leases)
        waiting.cancel()
        await asyncio.wait({waiting})
        server.answer_waits_for.set()
        await until(lambda: not server.leases)
    assert floor.done == 0


async def test_closing_gives_everything_back() -> None:
    """Shots that did not end in time keep no slot, and break nothing when they end after all."""
    server = Server(slots=2)
    go_on = asyncio.Event()
    inside = []

    async def late(slots: SharedSlots) -> None:
        async with slots:
            inside.append(slots)
            await go_on.wait()

    async with slots_of(server) as slots:
        shots = [asyncio.create_task(late(slots)) for _ in range(3)]
        await until(lambda: len(inside) == 2)
    assert server.leases == set()
    go_on.set()
    await asyncio.wait(shots)
    assert [shot.cancelled() for shot in shots] == [False, False, True]
    assert server.leases == set()


async def test_after_its_turn_a_run_lets_others_have_a_slot() -> None:
    """A run that is never out of shots does not keep a late comer waiting: both make progress."""
    server, greedy, late = Server(slots=2), Floor(), Floor()
    runs = [slots_of(server, turn_seconds=(0.02, 0.04), ask_again_seconds=(0.005, 0.015)) for _ in range(2)]
    async with runs[0] as first, runs[1] as second:
        crowd = [asyncio.create_task(greedy.work(first)) for _ in range(20_000)]
        await until(lambda: greedy.done)
        await asyncio.gather(*(late.work(second) for _ in range(50)))
        assert late.done == 50
        assert greedy.done < len(crowd)
        for shot in crowd:
            shot.cancel()
        await asyncio.wait(crowd)


async def test_without_turns_over_nobody_else_gets_in() -> None:
    """What the turn is for: while it lasts, slots are handed on inside the run alone."""
    server, greedy, late = Server(slots=2), Floor(), Floor()
    async with slots_of(server) as first, slots_of(server) as second:
        crowd = [asyncio.create_task(greedy.work(first)) for _ in range(500)]
        await until(lambda: greedy.done)
        waiting = asyncio.create_task(late.work(second))
        await until(lambda: greedy.done > 400)
        assert late.done == 0
        await asyncio.wait({*crowd, waiting})
    assert (greedy.done, late.done) == (500, 1)


async def test_one_asks_for_all_who_wait() -> None:
    """Eighty shots that wait for a slot of others ask a few times at first, and not once each."""
    server, floor = Server(slots=1), Floor()
    async with slots_of(server) as others, slots_of(server, ask_again_seconds=FOR_EVER) as slots:
        async with others:
            waiting = [asyncio.create_task(floor.work(slots)) for _ in range(80)]
            await until(lambda: server.asked > 1)
            for _ in range(50):
                await asyncio.sleep(0)
            assert server.asked == 1 + FIRST_AT_ONCE
        for shot in waiting:
            shot.cancel()
        await asyncio.wait(waiting)
        slots._asking.cancel()  # type: ignore[union-attr]  # it would sleep for an hour


async def test_while_there_are_none_slots_are_asked_for_one_at_a_time() -> None:
    """A run that waits for slots of others is no burden to the server; it asks for more at a time when it gets some."""
    server, floor = Server(slots=12), Floor()
    asked: list[int] = []
    async with slots_of(server) as others, slots_of(server, ask_again_seconds=(0.001, 0.001)) as slots:
        async with AsyncExitStack() as taken:
            for _ in range(server.slots):
                await taken.enter_async_context(others)
            waiting = [asyncio.create_task(floor.work(slots)) for _ in range(40)]
            for _ in range(4):
                before = server.asked
                await until(lambda before=before: server.asked > before)
                asked.append(server.asked - before)
        await asyncio.wait(waiting)
    assert asked == [FIRST_AT_ONCE, 1, 1, 1]
    assert floor.done == 40


async def test_a_failure_reaches_all_who_wait_and_the_next_asks_again() -> None:
    """A limit that is gone ends every shot with the reason; when it is there again, so are the slots."""
    server, floor = Server(slots=1), Floor()
    server.error = SetupError("no such limit")
    async with slots_of(server) as slots:
        outcomes = await asyncio.gather(*(floor.work(slots) for _ in range(5)), return_exceptions=True)
        assert outcomes == [server.error] * 5
        server.error = None
        await floor.work(slots)
    assert (floor.done, server.leases) == (1, set())


async def test_a_lease_that_was_lost_is_not_handed_on_and_breaks_nothing_off() -> None:
    """The shot in it is paid for and comes to its end; the next one gets a slot that is really ours."""
    server, floor = Server(slots=1), Floor()
    async with slots_of(server, renew_seconds=0.001) as slots:
        async with slots:
            (lease_id,) = server.leases
            server.lost.add(lease_id)
            await until(lambda: lease_id in server.renewed)
            await asyncio.sleep(0.01)
            waiting = asyncio.create_task(floor.work(slots))
        await waiting
    assert (floor.done, server.granted, server.leases) == (1, 2, set())


async def test_without_a_shared_limit_slots_are_a_semaphore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked, and nothing is paid for a limit that is not shared."""
    monkeypatch.setattr(module, "open_shared_limit", lambda _: pytest.fail("a server was asked"))
    async with open_slots(3, None) as slots:
        assert type(slots) is asyncio.Semaphore
        assert slots._value == 3


async def test_a_temporary_server_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with its run, and with it goes whatever frees the slots of runs that were killed."""
    monkeypatch.setattr(module, "open_shared_limit", lambda _: pytest.fail("a server was asked"))
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        async with open_slots(3, "teapot-limit") as slots:
            assert type(slots) is asyncio.Semaphore


async def test_a_shot_does_not_wait_for_ever() -> None:
    """A limit of 0, or runs that never end, must not keep a run at work for ever: it says so, and buys nothing."""
    slots = SharedSlots(Server(0), 1, ask_again_seconds=NO_PAUSE, wait_seconds=0.05)
    async with slots.open():
        with pytest.raises(NotStarted, match="No slot of the shared limit 'teapot-limit' came free"):
            await slots.__aenter__()
        assert slots._wanted == 0
