"""Brief -> prompts: every combination of a template's choices, or as many as were asked for, drawn by a seed."""

import itertools
from collections.abc import Iterable, Iterator

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.errors import BriefError
from tasks.brief import MAX_PROMPTS, Brief
from tasks.models import Binding, Prompt, derive_seed
from tasks.prompts import Expansion, expand_all, parse, sample
from tasks.rounds import prompts_worth_drawing

MAX_REPEATS = MAX_PROMPTS
"""Drawing ends after this many repeats in a row: many combinations can give few texts, as in `{red|red}`."""


@task(name="expand prompts", cache_policy=NO_CACHE)
async def expand_prompts(brief: Brief) -> tuple[Prompt, ...]:
    """Makes the prompts of a brief; a Prefect task around `expand`."""
    return expand(brief)


def expand(brief: Brief) -> tuple[Prompt, ...]:
    """Makes the prompts of a brief, in a fixed order, each text once.

    Drawing is prefix-stable: a larger `count` later begins with the very same prompts, so a finished campaign can grow.
    With `target_unique` these are all prompts that its rounds may come to, the ones of `count` first.

    Raises:
        BriefError: A template makes more prompts than anybody wants to pay for, and `count` does not bound it.
    """
    target = brief.target_unique
    count = brief.count if target is None else prompts_worth_drawing(brief, target)
    drawn = _all(brief) if count is None else _drawn(brief)
    return tuple(itertools.islice(_each_text_once(drawn), count))


def count_combinations(brief: Brief) -> int:
    """Counts the prompts that the templates could make, without making them."""
    axes = brief.axis_values
    return sum(parse(template, brief.axis_names).count(axes) for template in brief.prompts)


def _all(brief: Brief) -> Iterator[Prompt]:
    total = count_combinations(brief)
    if total > MAX_PROMPTS:
        raise BriefError(
            f"The templates make {total:,} prompts, more than {MAX_PROMPTS:,}. Say how many to draw with `count`.",
            where="prompts",
        )
    axes = brief.axis_values
    for template in brief.prompts:
        for expansion in expand_all(parse(template, brief.axis_names), axes):
            yield _prompt(template, expansion)


def _drawn(brief: Brief) -> Iterator[Prompt]:
    """Draws without end from the templates in turn, so that each has its share; the caller takes what it needs."""
    axes = brief.axis_values

    def hand(number: int, template: str) -> Iterator[Prompt]:
        parsed = parse(template, brief.axis_names)
        seed = derive_seed("prompts", brief.seed, number)
        return (_prompt(template, each) for each in sample(parsed, axes, parsed.count(axes), seed))

    hands = [hand(number, template) for number, template in enumerate(brief.prompts)]
    for turn in itertools.zip_longest(*hands):
        yield from (prompt for prompt in turn if prompt is not None)


def _each_text_once(prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    seen: set[str] = set()
    repeats = 0
    for prompt in prompts:
        if prompt.text not in seen:
            seen.add(prompt.text)
            repeats = 0
            yield prompt
        elif (repeats := repeats + 1) > MAX_REPEATS:
            return


def _prompt(template: str, expansion: Expansion) -> Prompt:
    bindings = tuple(Binding(name=name, value=value) for name, value in expansion.bindings)
    return Prompt(text=expansion.text, template=template, bindings=bindings)
