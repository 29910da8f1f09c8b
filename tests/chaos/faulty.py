"""Makes the pictures of a few shots while the sandbox has its faults, and watches the money. No Prefect, for speed.

The product's own stage is driven; in the place of Prefect's two tasks stand loops with the same retry conditions.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import blocks.waiting
import tasks.ingest
import tasks.lost
from blocks.archive.block import ImageArchive
from blocks.archive.layout import object_key
from blocks.archive.ledger import LedgerEntry, ShotState
from blocks.errors import KleinbildError
from blocks.provider import Money, PictureRequest
from blocks.sunra.provider import MODEL
from flows import stages
from flows.accounts import sandbox_credentials
from tasks.generate import collect, submit
from tasks.models import Prompt, Shot, sha256_of
from tasks.options import COLLECT_RETRIES, SUBMIT_RETRIES, is_safe_to_collect_again, is_safe_to_submit_again
from tasks.studio import Studio, open_studio
from tests.chaos.child import race_shot

PRICE_USD = Decimal("0.01")
"""Of every picture: Sunra's nominal price, and what 0.25 creative units cost at our rate."""

RATE_USD = PRICE_USD / Decimal("0.25")
SCOPE = "faults/1"
WATCH_INTERVAL_SECONDS = 0.005
HELD_UP_SECONDS = 0.02

_COUNTED = tuple(state for state in ShotState if state is not ShotState.RELEASED)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Shortens the product's pauses, and puts plain loops in the place of Prefect's tasks."""
    patch.setattr(blocks.waiting, "FIRST_BACKOFF_SECONDS", HELD_UP_SECONDS)
    patch.setattr(tasks.ingest, "DOWNLOAD_PAUSE_SECONDS", HELD_UP_SECONDS)
    patch.setattr(tasks.lost, "SEARCH_DELAYS_SECONDS", (0.0, HELD_UP_SECONDS))
    patch.setattr(stages, "submit", _retried(submit.fn, SUBMIT_RETRIES, is_safe_to_submit_again))
    patch.setattr(stages, "collect", _retried(collect.fn, COLLECT_RETRIES, is_safe_to_collect_again))


def _retried(function: Callable[..., Awaitable[Any]], retries: int, condition: Callable[..., Any]) -> Any:
    async def run(*arguments: Any) -> Any:
        for attempt in range(retries + 1):
            try:
                return await function(*arguments)
            except KleinbildError as error:
                if attempt == retries or not await condition(None, None, _Failed(error)):
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    return run


class _Failed:
    """As much of a failed state as a retry condition looks at."""

    def __init__(self, error: KleinbildError) -> None:
        self._error = error

    async def aresult(self, *, raise_on_failure: bool) -> KleinbildError:
        assert not raise_on_failure
        return self._error


async def run_once(
    origin: str, root: Path, shots_of_each: int, *, budget_shots: int, resubmit_lost: bool
) -> tuple[str, ...]:
    """Makes the shots, as far as the faults let it; returns every moment at which more was committed than allowed."""
    budget = Money(amount=PRICE_USD * budget_shots, unit="USD")
    async with _open(origin, root, budget, resubmit_lost=resubmit_lost) as studio:
        shots = await plan(shots_of_each, studio)
        passed: list[str] = []
        watching = asyncio.create_task(_watch(studio, budget, passed))
        await stages.make_pictures(shots, studio)
        await _look(studio, budget, passed)
        watching.cancel()
        await asyncio.wait({watching})
    return tuple(passed)


@asynccontextmanager
async def _open(origin: str, root: Path, budget: Money, *, resubmit_lost: bool) -> AsyncIterator[Studio]:
    scenario, sunra = sandbox_credentials(origin)
    async with open_studio(
        ImageArchive(root=str(root)),
        {
            "scenario": scenario.model_copy(update={"price_per_creative_unit": RATE_USD}),
            "sunra": sunra.model_copy(update={"price_per_image": PRICE_USD}),
        },
        campaign="faults",
        edition="1",
        budget=budget,
        resubmit_lost=resubmit_lost,
        job_timeout_seconds=30,
    ) as studio:
        yield studio


async def plan(shots_of_each: int, studio: Studio) -> Sequence[Shot]:
    """Generations by Scenario and edits by Sunra, which do not wait for each other."""
    drawing = BytesIO()
    Image.linear_gradient("L").save(drawing, "PNG")
    parent = sha256_of(drawing.getvalue())
    await studio.archive.store.put_if_absent(object_key(parent), drawing.getvalue())
    edits = [_edit(number, parent) for number in range(shots_of_each)]
    return [race_shot(number) for number in range(shots_of_each)] + edits


def _edit(number: int, parent: str) -> Shot:
    text = f"Make it night, number {number}."
    request = PictureRequest(model=MODEL, prompt=text, seed=number, steps=4, references=(parent,))
    prompt = Prompt(text=text, template=text)
    return Shot(
        provider="sunra",
        sandbox=True,
        request=request,
        prompt=prompt,
        position=number,
        step=1,
        parent_sha256=parent,
    )


async def _watch(studio: Studio, budget: Money, passed: list[str]) -> None:
    while True:
        await _look(studio, budget, passed)
        await asyncio.sleep(WATCH_INTERVAL_SECONDS)


async def _look(studio: Studio, budget: Money, passed: list[str]) -> None:
    """Compares the limit with the atomic total, and with the sum over the rows, each read at one moment."""
    state = await studio.archive.ledger.budget(SCOPE)
    assert state is not None
    if state.committed.amount > budget.amount:
        passed.append(f"{state.committed} were committed")
    counted = sum((_counted(entry) for entry in await studio.archive.ledger.in_states(*_COUNTED)), Decimal(0))
    if counted > budget.amount:
        passed.append(f"{counted} USD were reserved, paid or lost")


def _counted(entry: LedgerEntry) -> Decimal:
    """What a shot costs, or, as long as that is open, what is reserved for it."""
    is_settled = entry.state in {ShotState.DONE, ShotState.FAILED} and entry.billed is not None
    money = entry.billed if is_settled else entry.reserved
    assert money is not None
    return money.amount * (RATE_USD if money.unit == "CU" else 1)
