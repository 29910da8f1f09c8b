"""Rounds until a campaign has a number of distinct pictures: what to buy next, and when to stop. Pure.

Distilled models give nearly the same picture for many seeds. So a round first changes what makes pictures differ:
prompts that were not used yet, each with the `seeds` of the brief. Only when there are no more does it take further
seeds of the prompts, more of those whose pictures were distinct so far.

All is decided by what the rounds before have made. So the same brief in the same edition goes the same way when it runs
again, and finds in the archive what it bought before.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import Literal, NamedTuple, Self

from blocks.errors import BudgetExhausted, KleinbildError
from blocks.provider import Frozen
from tasks.brief import MAX_PROMPTS, MAX_SHOTS, Brief
from tasks.models import Round

Change = Literal["prompts", "seeds"]

FIRST_PICTURES: dict[Change, int] = {"prompts": 100, "seeds": 20}
"""Pictures at most of the first round of a kind. A later one may be as large as all of its kind before it: what is
spent before a falling yield is noticed is at most as much again."""

EXPECTED_YIELD: dict[Change, Fraction] = {"prompts": Fraction(1), "seeds": Fraction(1, 2)}
"""Distinct pictures per paid one where nothing is known yet; it weighs as much as `EXPECTED_WEIGHT` pictures."""

EXPECTED_WEIGHT = 2

SAMPLE_PICTURES = 10
"""The yield of fewer pictures says little: a smaller round is judged together with those of its kind before it."""

LEAST_YIELD = 0.05
"""More prompts than this yield would need for the target are never drawn, even where `min_yield` is smaller."""


class Take(NamedTuple):
    """One shot of a prompt: the number of the prompt, and which of its takes, both counted from 0."""

    prompt: int
    number: int


class Terms(Frozen):
    """What the rounds go by."""

    target: int
    min_yield: float
    prompts: int
    """How many there are to draw from."""
    seeds: int
    """Takes of each new prompt."""
    outputs: int
    """Pictures of each shot."""
    first_shots: int | None
    """Of the first round, where the brief says it."""

    @classmethod
    def of(cls, brief: Brief, target: int, prompts: int) -> Self:
        """Reads them from a brief; its `count` prompts, if it says so, are the first round."""
        return cls(
            target=target,
            min_yield=brief.min_yield,
            prompts=prompts,
            seeds=brief.seeds,
            outputs=brief.generate.outputs,
            first_shots=None if brief.count is None else brief.count * brief.seeds,
        )


def prompts_worth_drawing(brief: Brief, target: int) -> int:
    """Says how many prompts the rounds can use: with more of them, the yield would have fallen below its floor."""
    most_pictures = math.ceil(target / max(brief.min_yield, LEAST_YIELD))
    by_yield = math.ceil(most_pictures / (brief.seeds * brief.generate.outputs))
    return max(1, min(MAX_PROMPTS, MAX_SHOTS // brief.seeds, by_yield))


def next_takes(terms: Terms, rounds: Sequence[Round], tried: Mapping[Take, int]) -> tuple[Take, ...]:
    """Plans the next round.

    Args:
        terms: What the rounds go by.
        rounds: Those before it.
        tried: All takes that they planned, each with the number of distinct pictures that came of it.

    Returns:
        Takes that were never planned; none where `MAX_SHOTS` are.
    """
    fresh = _fresh(terms, len(tried))
    change: Change = "prompts" if fresh else "seeds"
    number = min(_shots_wanted(terms, rounds, change), MAX_SHOTS - len(tried))
    if change == "prompts":
        return tuple(_take(terms, place) for place in fresh[:number])
    return tuple(_further_takes(terms, tried, number))


def rather_bought(takes: Sequence[Take], bought: AbstractSet[Take]) -> tuple[Take, ...]:
    """Puts takes that were bought before in the place of as many that would have to be.

    A shot that failed and succeeds now moves what the rounds after it deal; without this, other takes would be bought,
    and paid ones left out of the plan.

    Args:
        takes: Of a round.
        bought: Takes that no round has planned yet, and that the ledger knows to be done.
    """
    left = iter(sorted(bought - set(takes)))
    return tuple(take if take in bought else next(left, take) for take in takes)


def close_round(
    terms: Terms,
    rounds: Sequence[Round],
    takes: Sequence[Take],
    *,
    paid: int,
    distinct: int,
    halt: KleinbildError | None,
) -> Round:
    """Sums up a round, and says whether it is the last one.

    Args:
        terms: What the rounds go by.
        rounds: Those before it.
        takes: What it planned.
        paid: Pictures that came of it.
        distinct: Distinct pictures of all rounds, with this one.
        halt: What stopped the run; None where it may go on.
    """
    done = Round(
        change="prompts" if takes and takes[0].number < terms.seeds else "seeds",
        planned=len(takes),
        paid=paid,
        gained=distinct - (rounds[-1].distinct if rounds else 0),
        distinct=distinct,
        target=terms.target,
    )
    ended_by, why = _ending(terms, [*rounds, done], halt)
    so_far = f"{distinct} of {terms.target}"
    message = f"reached {so_far}" if ended_by == "reached" else f"{so_far}: {why}" if ended_by else ""
    return done.model_copy(update={"ended_by": ended_by, "message": message})


def yield_line(rounds: Sequence[Round]) -> str:
    """Tells the yield curve in a line: `distinct of paid pictures, round by round: 83 of 100, 17 of 21`."""
    return "distinct of paid pictures, round by round: " + ", ".join(f"{each.gained} of {each.paid}" for each in rounds)


def _fresh(terms: Terms, planned: int) -> range:
    """Places of the takes of prompts that are new, in the order of the plan."""
    return range(planned, terms.prompts * terms.seeds)


def _take(terms: Terms, place: int) -> Take:
    return Take(*divmod(place, terms.seeds))


def _shots_wanted(terms: Terms, rounds: Sequence[Round], change: Change) -> int:
    """Makes a round as large as the yield so far says that it has to be, within bounds."""
    if not rounds and terms.first_shots is not None:
        return min(terms.first_shots, math.ceil(terms.target / terms.outputs))
    missing = terms.target - (rounds[-1].distinct if rounds else 0)
    paid, gained = _totals([each for each in rounds if each.change == change])
    expected = (gained + EXPECTED_YIELD[change] * EXPECTED_WEIGHT) / (paid + EXPECTED_WEIGHT)
    pictures = min(math.ceil(missing / expected), max(FIRST_PICTURES[change], paid))
    return math.ceil(pictures / terms.outputs)


def _further_takes(terms: Terms, tried: Mapping[Take, int], number: int) -> Iterator[Take]:
    """Deals further takes to the prompts as D'Hondt deals seats to parties: what was distinct so far are the votes."""
    shots = Counter(take.prompt for take in tried)
    distinct: Counter[int] = Counter()
    for take, pictures in tried.items():
        distinct[take.prompt] += pictures

    def ranked(prompt: int, taken: int) -> tuple[Fraction, int, int]:
        return -Fraction(distinct[prompt] + 1, taken * terms.outputs + 2), taken, prompt

    waiting = [ranked(prompt, shots[prompt]) for prompt in range(terms.prompts)]
    heapq.heapify(waiting)
    for _ in range(number):
        _, taken, prompt = waiting[0]
        heapq.heapreplace(waiting, ranked(prompt, taken + 1))
        yield Take(prompt, taken)


def _ending(terms: Terms, rounds: Sequence[Round], halt: KleinbildError | None) -> tuple[str | None, str]:
    """Says why no round follows, as a word and for people; None where one does."""
    last = rounds[-1]
    if last.distinct >= terms.target:
        return "reached", ""
    if isinstance(halt, BudgetExhausted):
        return "budget", "the budget is spent"
    if halt is not None:
        return "stopped", "the run had to stop"
    if last.paid == 0:
        return "failed", "no picture came of the last round"
    sample = _sample(rounds)
    paid, gained = _totals(sample)
    if paid >= SAMPLE_PICTURES and gained < terms.min_yield * paid:
        which = "the last round" if len(sample) == 1 else f"the last {len(sample)} rounds"
        return "yield", f"{which} gave {gained} distinct of {paid} paid pictures, below min_yield {terms.min_yield:g}"
    if sum(each.planned for each in rounds) >= MAX_SHOTS:
        return "exhausted", f"no campaign takes more than {MAX_SHOTS:,} shots"
    return None, ""


def _sample(rounds: Sequence[Round]) -> list[Round]:
    """The last rounds of one kind, as many as make a sample."""
    sample: list[Round] = []
    for each in reversed(rounds):
        if each.change != rounds[-1].change or _totals(sample)[0] >= SAMPLE_PICTURES:
            break
        sample.append(each)
    return sample


def _totals(rounds: Sequence[Round]) -> tuple[int, int]:
    """Paid pictures, and the distinct ones that they brought; a round that made others repeats brought none."""
    return sum(each.paid for each in rounds), sum(max(0, each.gained) for each in rounds)
