import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import AccountRefused, BudgetExhausted, KleinbildError
from tasks.brief import MAX_PROMPTS, MAX_SHOTS, Brief
from tasks.models import Round, derive_seed
from tasks.rounds import Take, Terms, close_round, next_takes, prompts_worth_drawing, rather_bought, yield_line

Model = Callable[[Take], tuple[int, int]]
"""Says how many pictures come of a take, and how many of them are distinct."""

some_terms = st.builds(
    Terms,
    target=st.integers(1, 120),
    min_yield=st.sampled_from([0.05, 0.2, 0.5, 1.0]),
    prompts=st.integers(1, 40),
    seeds=st.integers(1, 3),
    outputs=st.integers(1, 4),
    first_shots=st.none() | st.integers(1, 60),
)


def terms_of(**changes: Any) -> Terms:
    terms: dict[str, Any] = {"target": 100, "min_yield": 0.2, "prompts": 40, "seeds": 1, "outputs": 1}
    return Terms.model_validate({**terms, "first_shots": None, **changes})


def all_distinct(_: Take) -> tuple[int, int]:
    return 1, 1


def first_takes_only(take: Take) -> tuple[int, int]:
    """A model that repeats itself: another seed of a prompt changes nothing."""
    return 1, int(take.number == 0)


def chance(terms: Terms, percent_distinct: int, percent_failing: int, salt: int) -> Model:
    """A model with a will of its own, which is the same whenever it is asked."""

    def answer(take: Take) -> tuple[int, int]:
        if derive_seed("fails", salt, *take) % 100 < percent_failing:
            return 0, 0
        draws = (derive_seed("distinct", salt, *take, output) % 100 for output in range(terms.outputs))
        return terms.outputs, sum(draw < percent_distinct for draw in draws)

    return answer


def play(terms: Terms, model: Model, halt: KleinbildError | None = None) -> tuple[list[Round], list[tuple[Take, ...]]]:
    """Goes through all rounds as the flow does."""
    rounds: list[Round] = []
    planned: list[tuple[Take, ...]] = []
    tried: dict[Take, int] = {}
    while not rounds or rounds[-1].ended_by is None:
        takes = next_takes(terms, rounds, tried)
        planned.append(takes)
        made = {take: model(take) for take in takes}
        tried |= {take: distinct for take, (_, distinct) in made.items()}
        paid = sum(pictures for pictures, _ in made.values())
        rounds.append(close_round(terms, rounds, takes, paid=paid, distinct=sum(tried.values()), halt=halt))
    return rounds, planned


def sizes(rounds: Sequence[Round]) -> list[tuple[str, int, int, int]]:
    return [(each.change, each.planned, each.gained, each.distinct) for each in rounds]


@given(some_terms, st.integers(0, 100), st.integers(0, 60), st.integers(0, 1000))
def test_rounds_end_and_never_plan_a_take_twice(terms: Terms, distinct: int, failing: int, salt: int) -> None:
    """Whatever the model gives, the rounds end with a reason, and each take is bought once."""
    rounds, planned = play(terms, chance(terms, distinct, failing, salt))

    takes = [take for each in planned for take in each]
    assert len(takes) == len(set(takes)) == sum(each.planned for each in rounds) <= MAX_SHOTS
    assert all(each.planned > 0 for each in rounds)
    assert [each.message for each in rounds[:-1]] == [""] * (len(rounds) - 1)
    assert (rounds[-1].ended_by == "reached") == (rounds[-1].distinct >= terms.target)
    assert rounds[-1].message.startswith(("reached ", f"{rounds[-1].distinct} of {terms.target}: "))


@given(some_terms, st.integers(0, 100), st.integers(0, 60), st.integers(0, 1000))
def test_prompts_come_first_and_seeds_last(terms: Terms, distinct: int, failing: int, salt: int) -> None:
    """New prompts are taken in their order, with their seeds; further seeds follow when there is no new prompt."""
    _, planned = play(terms, chance(terms, distinct, failing, salt))

    takes = [take for each in planned for take in each]
    expected = [Take(prompt, number) for prompt in range(terms.prompts) for number in range(terms.seeds)]
    assert takes[: len(expected)] == expected[: len(takes)]
    further = takes[len(expected) :]
    assert all(take.number >= terms.seeds for take in further)
    for prompt in {take.prompt for take in further}:  # one after the other, and none is left out
        numbers = [take.number for take in further if take.prompt == prompt]
        assert numbers == list(range(terms.seeds, terms.seeds + len(numbers)))


@given(some_terms, st.integers(0, 100), st.integers(0, 1000))
def test_the_same_pictures_lead_the_same_way(terms: Terms, distinct: int, salt: int) -> None:
    """A run that begins again plans what it planned before: nothing but the brief and the pictures decides."""
    model = chance(terms, distinct, 10, salt)

    assert play(terms, model) == play(terms, model)


@given(some_terms, st.integers(0, 100), st.integers(0, 1000))
def test_no_round_costs_more_than_all_of_its_kind_before(terms: Terms, distinct: int, salt: int) -> None:
    """A yield that falls is noticed before much is spent on it: rounds grow twofold at the most."""
    rounds, _ = play(terms, chance(terms, distinct, 0, salt))

    paid: Counter[str] = Counter()
    for number, each in enumerate(rounds):
        most = max({"prompts": 100, "seeds": 20}[each.change], paid[each.change])
        is_asked_for = number == 0 and terms.first_shots is not None
        assert each.planned <= (terms.target if is_asked_for else math.ceil(most / terms.outputs))
        paid[each.change] += each.paid


def test_a_model_that_repeats_nothing_is_paid_once_for_each_picture() -> None:
    """Where every picture is distinct, as many are bought as are wanted, and not one more."""
    rounds, _ = play(terms_of(target=250, prompts=1000), all_distinct)

    assert sizes(rounds) == [("prompts", 100, 100, 100), ("prompts", 100, 100, 200), ("prompts", 50, 50, 250)]
    assert (rounds[-1].ended_by, rounds[-1].message) == ("reached", "reached 250 of 250")


def test_a_brief_says_what_its_first_round_is() -> None:
    """With `count`, the rounds begin with that many prompts and their seeds; never with more than are wanted."""
    assert [each.planned for each in play(terms_of(first_shots=30, prompts=500), all_distinct)[0]] == [30, 70]
    assert [each.planned for each in play(terms_of(first_shots=300, prompts=500), all_distinct)[0]] == [100]
    assert [each.planned for each in play(terms_of(outputs=4, prompts=500), lambda _: (4, 4))[0]] == [25]


def test_a_low_yield_makes_the_next_round_larger() -> None:
    """Of each two pictures one is a repeat: twice as many are bought as are missing."""
    rounds, _ = play(terms_of(prompts=1000), lambda take: (1, int(take.prompt % 2 == 0)))

    assert sizes(rounds)[:2] == [("prompts", 100, 50, 50), ("prompts", 99, 50, 100)]
    assert len(rounds) == 2


def test_the_floor_ends_the_rounds_and_says_so() -> None:
    """When other seeds bring nothing new, a first small round of them is enough to see it."""
    rounds, _ = play(terms_of(), first_takes_only)

    assert sizes(rounds) == [("prompts", 40, 40, 40), ("seeds", 20, 0, 40)]
    assert rounds[-1].ended_by == "yield"
    assert rounds[-1].message == ("40 of 100: the last round gave 0 distinct of 20 paid pictures, below min_yield 0.2")


def test_a_handful_of_pictures_does_not_end_the_rounds() -> None:
    """A round of two that both repeat something is bad luck; small rounds are judged together, ten pictures or more."""
    rounds, _ = play(terms_of(target=41), first_takes_only)

    assert sizes(rounds) == [
        ("prompts", 40, 40, 40),
        ("seeds", 2, 0, 40),
        ("seeds", 4, 0, 40),
        ("seeds", 8, 0, 40),
    ]
    assert rounds[-1].message == (
        "40 of 41: the last 2 rounds gave 0 distinct of 12 paid pictures, below min_yield 0.2"
    )


def test_seeds_go_to_the_prompts_that_gave_distinct_pictures() -> None:
    """What was learnt decides who is asked again; who has failed is not forgotten, only later."""
    terms = terms_of(prompts=3, target=60)
    tried = {Take(0, 0): 1, Take(0, 1): 0, Take(0, 2): 0, Take(1, 0): 1, Take(1, 1): 1, Take(1, 2): 1, Take(2, 0): 0}
    so_far = Round(change="seeds", planned=7, paid=7, gained=4, distinct=4, target=60)

    takes = next_takes(terms, [so_far], tried)

    assert len(takes) == 20
    assert Counter(take.prompt for take in takes) == {0: 5, 1: 13, 2: 2}
    assert takes[:3] == (Take(1, 3), Take(1, 4), Take(1, 5))


@pytest.mark.parametrize(
    ("halt", "paid", "ended_by", "message"),
    [
        (BudgetExhausted("spent"), 8, "budget", "8 of 100: the budget is spent"),
        (AccountRefused("no"), 8, "stopped", "8 of 100: the run had to stop"),
        (None, 0, "failed", "0 of 100: no picture came of the last round"),
    ],
)
def test_what_stops_the_run_ends_the_rounds(
    halt: KleinbildError | None, paid: int, ended_by: str, message: str
) -> None:
    """No further round is planned where nothing more is bought, and the reason is told."""
    takes = [Take(prompt, 0) for prompt in range(40)]

    ended = close_round(terms_of(), [], takes, paid=paid, distinct=paid, halt=halt)

    assert (ended.ended_by, ended.message) == (ended_by, message)


def test_a_target_that_is_reached_is_reached() -> None:
    """Even where the budget ended with the very picture that was missing."""
    ended = close_round(terms_of(target=1), [], [Take(0, 0)], paid=1, distinct=1, halt=BudgetExhausted("spent"))

    assert ended.ended_by == "reached"


def test_without_a_floor_the_rounds_have_an_end_too() -> None:
    """`min_yield: 0` goes on as far as any campaign may."""
    rounds, planned = play(terms_of(min_yield=0.0, prompts=2), first_takes_only)

    assert sum(len(takes) for takes in planned) == MAX_SHOTS
    assert rounds[-1].message == "2 of 100: no campaign takes more than 20,000 shots"


def test_no_more_prompts_are_drawn_than_the_floor_allows(brief_of: Callable[..., Brief]) -> None:
    """Prompts are checked before anything is bought, so only those that can be needed are made."""
    assert prompts_worth_drawing(brief_of(), 100) == 500
    assert prompts_worth_drawing(brief_of(seeds=2, generate={"outputs": 2}), 100) == 125
    assert prompts_worth_drawing(brief_of(min_yield=0), 100) == 2000
    assert prompts_worth_drawing(brief_of(), 10_000) == MAX_PROMPTS
    assert prompts_worth_drawing(brief_of(seeds=1000), 10_000) == 20
    assert prompts_worth_drawing(brief_of(seeds=10), 1) == 1


def test_the_yield_is_told_in_a_line() -> None:
    """Round by round, as the report and the terminal say it."""
    rounds, _ = play(terms_of(), first_takes_only)

    assert yield_line(rounds) == "distinct of paid pictures, round by round: 40 of 40, 0 of 20"


def test_what_was_bought_takes_the_place_of_what_would_have_to_be() -> None:
    """One for one, in their order; what is planned and bought stays where it is, and a round becomes no larger."""
    takes = (Take(0, 1), Take(1, 1), Take(2, 1))
    assert rather_bought(takes, set()) == takes
    assert rather_bought(takes, {Take(1, 1)}) == takes
    assert rather_bought(takes, {Take(1, 1), Take(3, 1)}) == (Take(3, 1), Take(1, 1), Take(2, 1))
    many = {Take(4, number) for number in range(1, 9)}
    assert rather_bought(takes, many) == (Take(4, 1), Take(4, 2), Take(4, 3))
