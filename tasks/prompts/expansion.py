"""Draws combinations from a template: all of them, some of them, or one."""

import random
from collections.abc import Iterator, Mapping, Sequence

from tasks.prompts.template import Expansion, Template


def expand_all(template: Template, axes: Mapping[str, Sequence[str]]) -> Iterator[Expansion]:
    """Yields all combinations in the template's order, one at a time.

    Args:
        template: The parsed prompt.
        axes: The values of every axis, by name.

    Raises:
        BriefError: The template uses an axis that is not among `axes`.
    """
    for index in range(template.count(axes)):
        yield template.unrank(index, axes)


def sample(template: Template, axes: Mapping[str, Sequence[str]], count: int, seed: int) -> Iterator[Expansion]:
    """Yields distinct combinations in an order drawn by the seed, each combination as likely as any other.

    The draw is stable under growth: for the same template, axes and seed, a larger `count` begins with the same
    combinations. Memory grows with what was drawn, not with what there is.

    Args:
        template: The parsed prompt.
        axes: The values of every axis, by name.
        count: How many; if there are fewer, all of them come.
        seed: Any integer.

    Raises:
        BriefError: The template uses an axis that is not among `axes`.
    """
    for index in _shuffled(template.count(axes), count, seed):
        yield template.unrank(index, axes)


def render(template: Template, axes_values: Mapping[str, str], seed: int) -> str:
    """Returns one text, as an edit instruction needs it: axes as given, choices drawn by the seed.

    Args:
        template: The parsed prompt.
        axes_values: One value for every axis, by name.
        seed: Any integer.

    Raises:
        BriefError: The template uses an axis that is not among `axes_values`.
    """
    axes = {name: (value,) for name, value in axes_values.items()}
    return next(sample(template, axes, 1, seed)).text


def _shuffled(total: int, count: int, seed: int) -> Iterator[int]:
    """Yields the start of a shuffled `range(total)`: Fisher-Yates that stores only what it has moved."""
    draws = random.Random(seed)  # noqa: S311 - has to be reproducible, guards nothing
    moved: dict[int, int] = {}
    for place in range(min(count, total)):
        drawn = draws.randrange(place, total)
        here = moved.pop(place, place)
        if drawn == place:
            yield here
        else:
            there = moved.get(drawn, drawn)
            moved[drawn] = here
            yield there
