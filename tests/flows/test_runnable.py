import asyncio
import inspect

import pytest
from prefect.flows import Flow

from blocks.errors import BriefError
from flows.runnable import runnable


@runnable(name="doubled")
async def doubled(number: int) -> int:
    """Doubles."""
    await asyncio.sleep(0)
    return 2 * number


@runnable(name="refused")
async def refused() -> None:
    """Fails."""
    raise BriefError("no")


def test_a_script_gets_the_result() -> None:
    """Where no event loop runs, a flow is called like a function."""
    assert doubled(21) == 42


async def test_async_code_gets_an_awaitable() -> None:
    """Where a loop runs, a flow is awaited, and several run in it at once."""
    run = doubled(21)

    assert inspect.isawaitable(run)
    assert await run == 42
    assert list(await asyncio.gather(doubled(1), doubled(2))) == [2, 4]


def test_errors_come_out_as_they_are() -> None:
    """A script catches our errors by their own class, and no other error stands before them in the traceback."""
    with pytest.raises(BriefError, match=r"^no$") as caught:
        refused()

    assert caught.value.__context__ is None


def test_options_keep_it_runnable() -> None:
    """A flow with other options is still called like a function, and is still async for workers."""
    other = doubled.with_options(name="other", retries=1)

    assert other(4) == 8
    assert isinstance(other, Flow)
    assert other.isasync
