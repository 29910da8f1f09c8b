import asyncio

import pytest

from tasks.cancellation import unbroken


async def test_work_comes_to_its_end_although_its_caller_is_cancelled() -> None:
    """An answer that is on its way has to be written down: it may name a paid job."""
    written: list[str] = []
    begun, answered = asyncio.Event(), asyncio.Event()

    async def submit_and_note() -> None:
        begun.set()
        await answered.wait()
        written.append("job")

    caller = asyncio.create_task(unbroken(submit_and_note()))
    await begun.wait()
    caller.cancel()
    await asyncio.sleep(0)
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert written == ["job"]


async def test_results_and_errors_come_through() -> None:
    """Without a cancellation it is as if it were not there."""

    async def fails() -> None:
        raise ValueError("no")

    async def works() -> int:
        return 7

    assert await unbroken(works()) == 7
    with pytest.raises(ValueError, match="no"):
        await unbroken(fails())
