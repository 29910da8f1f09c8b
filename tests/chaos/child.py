"""What a child process does: one run of the product, as a user's own process would make it."""

import asyncio
import random
import time
import traceback
from decimal import Decimal
from pathlib import Path

import prefect

import tasks.lost
from blocks.archive.block import ImageArchive
from blocks.errors import BudgetExhausted, KleinbildError
from blocks.provider import PictureRequest
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import sandbox_credentials
from flows.campaign import campaign
from tasks.brief import Brief
from tasks.brief_reading import read_brief
from tasks.generate import collect
from tasks.models import Prompt, Shot
from tasks.purchase import Purchase
from tasks.studio import Studio, open_studio
from tests.chaos.deaths import arm
from tests.chaos.orders import Order, Told

SEARCH_DELAYS_SECONDS = (0.0, 0.1, 0.3)
"""The sandbox's list of jobs is never behind: no need to wait for it as long as for the real one."""


TIMES_WANTED = 2
"""Workers of one process meet at each shot, too."""

SUNRA_PRICE_USD = Decimal("0.01")
"""What the sandbox says that it charges."""


def main(order: Order) -> None:
    """Does what it is told, and tells how it ended, if it lives to do so."""
    tasks.lost.SEARCH_DELAYS_SECONDS = SEARCH_DELAYS_SECONDS
    if order.death is not None:
        arm(order.death)
    time.sleep(max(0.0, order.start_at - time.time()))
    try:
        told = _campaign(order) if order.task == "campaign" else asyncio.run(_race(order))
    except Exception:  # noqa: BLE001  # whatever it is, the test has to see it
        told = Told(error=traceback.format_exc())
    _tell(order.result, told)


def _tell(result: Path, told: Told) -> None:
    aside = result.with_suffix(".aside")
    aside.write_text(told.model_dump_json(), encoding="utf-8")
    aside.rename(result)


def _campaign(order: Order) -> Told:
    scenario, sunra = _credentials(order)
    brief = read_brief(order.brief, Brief, shown_as="brief")
    archive = ImageArchive(root=str(order.archive))
    with prefect.tags(order.tag or "chaos"):
        result = campaign(brief, archive=archive, scenario=scenario, sunra=sunra)
    return Told(
        images=tuple(image.sha256 for image in result.images),
        bought=result.bought,
        reused=result.reused,
        failures=tuple(failure.kind for failure in result.failures),
    )


def _credentials(order: Order) -> tuple[ScenarioCredentials, SunraCredentials]:
    scenario, sunra = sandbox_credentials(order.origin)
    limits = {"max_in_flight": order.in_flight}
    return (
        scenario.model_copy(update=limits),
        sunra.model_copy(update={**limits, "price_per_image": SUNRA_PRICE_USD}),
    )


async def _race(order: Order) -> Told:
    """Many workers go for the same shots, in an order of this process's own, and none stops at the first refusal."""
    scenario, _ = _credentials(order)
    archive = ImageArchive.model_validate({"root": str(order.archive), "catalogue_url": order.catalogue_url})
    async with open_studio(
        archive,
        {"scenario": scenario},
        campaign="race",
        edition="1",
        budget=order.budget,
        resubmit_lost=False,
        job_timeout_seconds=60,
    ) as studio:
        wanted = [number for number in range(order.shots) for _ in range(TIMES_WANTED)]
        random.shuffle(wanted)
        parts = await asyncio.gather(*(_buy(wanted, studio) for _ in range(order.in_flight)))
    return Told(
        images=tuple(sha256 for images, _, _ in parts for sha256 in images),
        bought=sum(bought for _, bought, _ in parts),
        failures=tuple(name for _, _, failures in parts for name in failures),
    )


async def _buy(wanted: list[int], studio: Studio) -> tuple[list[str], int, list[str]]:
    images: list[str] = []
    bought, failures = 0, []
    while wanted:
        purchase = Purchase(race_shot(wanted.pop()), studio)
        try:
            ticket = await purchase.ticket()
            images += [image.sha256 for image in (await collect.fn(purchase, ticket)).images]
        except BudgetExhausted:
            continue
        except KleinbildError as error:
            failures.append(f"{type(error).__name__}: {error}")
        bought += purchase.was_bought
    return images, bought, failures


def race_shot(number: int) -> Shot:
    """A shot that all workers know by its number."""
    text = f"a lamp, number {number}"
    request = PictureRequest(
        model="model_bfl-flux-2-klein-4b-base", prompt=text, seed=number, width_px=128, height_px=128, steps=1
    )
    prompt = Prompt(text=text, template=text)
    return Shot(provider="scenario", sandbox=True, request=request, prompt=prompt, position=number)
