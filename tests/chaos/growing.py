"""Makes a campaign, lets it grow, and says what that bought and started."""

from collections import Counter

from blocks.provider import Frozen
from tests.chaos.history import task_runs_of
from tests.chaos.orders import Told, brief_of
from tests.chaos.world import World

IN_FLIGHT = 16


class Grown(Frozen):
    """What the second run of a campaign did.

    Attributes:
        first: Prompts that the first run bought.
        then: Prompts that the second run bought.
        started: How many task runs of `submit` and `collect` the second run has started, by the shot's label.
    """

    first: tuple[str, ...]
    then: tuple[str, ...]
    reused: int
    started: dict[str, int]


def grow(world: World, prompts: int, more: int) -> Grown:
    """Makes a campaign of so many prompts, without edits, then the same one with some more."""
    archive = world.archive()
    _run(world, prompts, tag=f"{archive.name}-first", archive=archive)
    bought = len(world.sandbox.jobs())
    told = _run(world, prompts + more, tag=f"{archive.name}-then", archive=archive)
    names = [job["request"]["prompt"] for job in world.sandbox.jobs()]
    return Grown(
        first=tuple(sorted(names[:bought])),
        then=tuple(sorted(names[bought:])),
        reused=told.reused,
        started=_by_shot(task_runs_of(world.prefect_api, f"{archive.name}-then")),
    )


def _run(world: World, prompts: int, **fields: object) -> Told:
    told = world.start(brief=brief_of(prompts, edits=0), in_flight=IN_FLIGHT, **fields).told()
    assert told is not None, world.printed()
    assert (told.error, told.failures) == (None, ())
    assert len(told.images) == prompts
    return told


def _by_shot(names: list[str]) -> dict[str, int]:
    """Counts by label: `submit shot · 9f86d081` and `collect shot · 9f86d081` are two of one shot."""
    return dict(Counter(name.partition(" ")[2] for name in names if name.startswith(("submit ", "collect "))))
