"""Flows that run anywhere: called in plain Python they return the result, called in async code they are awaited.

Our flows are async. Prefect returns a coroutine for those, also to a script that has no event loop to await it in.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow

P = ParamSpec("P")
T = TypeVar("T")


class RunnableFlow(Flow[P, Coroutine[Any, Any, T]]):
    """An async flow that a script may call like a function.

    Workers and `serve` do not come by here: they run the flow's coroutine themselves.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the flow: returns its result, or a coroutine where there is a loop to await it in."""
        run = super().__call__(*args, **kwargs)
        return run if _is_in_loop() else asyncio.run(run)

    def with_options(self, **options: Any) -> "RunnableFlow[P, T]":
        """Makes a flow with other options that is as runnable as this one."""
        other = super().with_options(**options)
        other.__class__ = type(self)  # Prefect makes a plain `Flow`, whatever it is asked
        return cast("RunnableFlow[P, T]", other)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # the documented answer where no loop runs
        return False
    return True


def runnable(**options: Any) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], RunnableFlow[P, T]]:
    """Makes a `RunnableFlow` of an async function; takes the options of Prefect's `flow`."""

    def decorate(function: Callable[P, Coroutine[Any, Any, T]]) -> RunnableFlow[P, T]:
        return RunnableFlow(function, **options)

    return decorate
