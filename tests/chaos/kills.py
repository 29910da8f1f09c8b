"""Kills campaigns at chosen places, starts them again until they are done, and checks the books of each."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from blocks.provider import ProviderName
from tests.chaos.books import Books, audit
from tests.chaos.orders import Death, Place, Told, brief_of
from tests.chaos.world import World

PROMPTS = 8
KILLS_PER_CAMPAIGN = 7
MAX_RANDOM_SECONDS = 2.5
HELD_BACK_SECONDS = 1.0
KNOWS_NO_PROVIDER: frozenset[Place] = frozenset(
    {"random instant", "half written", "picture stored", "record stored", "catalogued"}
)

_ORDER = {"scenario": 0, None: 1, "sunra": 2}


class Tally(BaseModel):
    """What many campaigns came to."""

    kills: Counter[str] = Counter()
    runs: int = 0
    campaigns: int = 0
    books: list[Books] = []

    @property
    def killed(self) -> int:
        """How many processes were killed."""
        return self.kills.total()


def every_place() -> list[Death]:
    """One death for each place and, where the place knows it, each provider."""
    providers: tuple[ProviderName, ...] = get_args(ProviderName)
    return [
        Death(place=place, provider=provider)
        for place in get_args(Place)
        for provider in ((None,) if place in KNOWS_NO_PROVIDER else providers)
    ]


def drawn(number: int, random_kills: int, source: random.Random) -> list[Death]:
    """Draws deaths: every place about as often as the others, and some at random instants."""
    aimed = [death for death in every_place() if death.place != "random instant"]
    deaths = [aimed[index % len(aimed)] for index in range(number - random_kills)]
    at_random = [Death(place="random instant")] * random_kills
    mixed = [
        death.model_copy(
            update={"nth": source.randint(1, 3), "after_seconds": source.uniform(0.05, MAX_RANDOM_SECONDS)}
        )
        for death in (*deaths, *at_random)
    ]
    source.shuffle(mixed)
    return mixed


def kill_until_done(world: World, deaths: Iterable[Death]) -> Tally:
    """Runs campaigns, each killed several times, until every death has been died and every campaign is done.

    A death that a run did not come to (because it was done before) is left for the next campaign.
    """
    tally = Tally()
    waiting = deque(deaths)
    while waiting:
        chosen = [waiting.popleft() for _ in range(min(KILLS_PER_CAMPAIGN, len(waiting)))]
        escaped = _one_campaign(world, deque(sorted(chosen, key=lambda death: _ORDER[death.provider])), tally)
        waiting.extend(_sooner(death) for death in escaped)
    return tally


def _sooner(death: Death) -> Death:
    return death.model_copy(update={"nth": 1, "after_seconds": death.after_seconds / 2})


def _one_campaign(world: World, deaths: deque[Death], tally: Tally) -> Iterable[Death]:
    """Runs one campaign to its end; returns the deaths that it escaped."""
    world.reset()
    archive = world.archive()
    tally.campaigns += 1
    brief = brief_of(PROMPTS, seed=tally.campaigns)
    told = None
    while told is None:
        tally.runs += 1
        told = _one_run(world, archive, brief, deaths[0] if deaths else None)
        if told is None:
            tally.kills[deaths.popleft().shown] += 1
    assert told.error is None, told.error
    assert set(told.failures) <= {"OutcomeUnknown"}, told.failures
    books = asyncio.run(audit(archive, world.sandbox.jobs()))
    assert (books.pictures, books.lost) == (len(set(told.images)), len(told.failures))
    assert books.shots == len(told.images) + len(told.failures) >= PROMPTS
    tally.books.append(books)
    return deaths


def _one_run(world: World, archive: Path, brief: dict[str, Any], death: Death | None) -> Told | None:
    """Starts the campaign, or goes on with it; returns what it tells, or None where it was killed as it should be."""
    if death is not None and death.place == "POST sent":
        world.sandbox.clear_faults()
        world.sandbox.fault("submit_accepted_slow", provider=death.provider, seconds=HELD_BACK_SECONDS)
    child = world.start(archive=archive, brief=brief, death=death)
    if death is not None and death.place == "random instant" and not child.wait(death.after_seconds):
        child.kill()
    told = child.told()
    assert told is not None or death is not None, f"A run ended by itself, and told nothing:\n{world.printed()}"
    return told


def as_table(tally: Tally) -> str:
    """The totals, for a person."""
    books = tally.books
    lost = [name for each in books for name in each.lost_and_bought]
    rows = [
        *((f"killed {place}", str(count)) for place, count in sorted(tally.kills.items())),
        ("kills", str(tally.killed)),
        ("campaigns", str(tally.campaigns)),
        ("restarts", str(tally.runs - tally.campaigns)),
        ("shots", str(sum(each.shots for each in books))),
        ("submits", str(sum(each.submits for each in books))),
        ("lost, and bought", str(len(lost))),
        *(("", name) for name in lost),
        ("lost, never sent", str(sum(each.lost_unsent for each in books))),
        ("pictures", str(sum(each.pictures for each in books))),
        ("ledger sum", _sum_shown(each.ledger for each in books)),
        ("sandbox sum", _sum_shown(each.sandbox for each in books)),
    ]
    return "\n".join(f"{what:34}{figure}" for what, figure in rows)


def _sum_shown(sums: Iterable[dict[str, Decimal]]) -> str:
    total: dict[str, Decimal] = {}
    for each in sums:
        for unit, amount in each.items():
            total[unit] = total.get(unit, Decimal(0)) + amount
    return " + ".join(f"{amount.normalize():f} {unit}" for unit, amount in sorted(total.items())) or "nothing"
