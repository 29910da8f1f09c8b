from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BriefError
from tasks import expand as expand_module
from tasks.brief import MAX_PROMPTS, Brief
from tasks.expand import count_combinations, expand, expand_prompts
from tasks.models import Binding, Prompt

OPTIONS = "{" + "|".join(map(str, range(20))) + "}"
"""A choice of twenty."""


def texts(brief: Brief) -> list[str]:
    return [prompt.text for prompt in expand(brief)]


def test_all_combinations_in_the_order_of_the_document(brief_of: Callable[..., Brief]) -> None:
    """Templates first, then from left to right; each prompt knows its template and the choices that made it."""
    templates = ["{red|blue} mug, ${light}", "a jug"]
    brief = brief_of(prompts=templates, axes={"light": ["dawn", "dusk"]})

    def prompt(colour: str, light: str) -> Prompt:
        bindings = (Binding(name="light", value=light), Binding(name="choice 1", value=colour))
        return Prompt(text=f"{colour} mug, {light}", template=templates[0], bindings=bindings)

    assert expand(brief) == (
        prompt("red", "dawn"),
        prompt("red", "dusk"),
        prompt("blue", "dawn"),
        prompt("blue", "dusk"),
        Prompt(text="a jug", template="a jug"),
    )
    assert count_combinations(brief) == 5


async def test_the_task_does_what_the_function_does(brief_of: Callable[..., Brief]) -> None:
    """The task adds nothing to the pure function."""
    brief = brief_of(prompts=["{a|b} mug"])

    assert await expand_prompts.fn(brief) == expand(brief)


@pytest.mark.parametrize(
    "text",
    [
        "a wall in #FF5733 and #fff",
        "a price tag with $5 and $12.50",
        "50% off, 100%",
        '{"subject": "mug", "colors": ["#FF5733", "#02eb3c"], "camera": {"lens": "85mm", "price": "$5"}}',
        "https://pictures.example/a?b=c#d",
        "naïve café 咖啡 ☕\nsecond line, a | bar, C:\\temp, {braces} and (parentheses:1.2)",
    ],
)
def test_ordinary_text_survives_letter_for_letter(brief_of: Callable[..., Brief], text: str) -> None:
    """Colours, prices, percentages, JSON and URLs are text, and reach the provider as they were typed."""
    assert expand(brief_of(prompts=[text])) == (Prompt(text=text, template=text),)


def test_choices_and_axes_work_beside_ordinary_text(brief_of: Callable[..., Brief]) -> None:
    """A text may hold both: what is a choice is chosen, the rest stays."""
    prompts = ['{"ink": "{#FF5733|$5}", "sale": "50%", "light": "${light}"}']

    assert texts(brief_of(prompts=prompts, axes={"light": ["dawn {a|b}"]})) == [
        '{"ink": "#FF5733", "sale": "50%", "light": "dawn {a|b}"}',
        '{"ink": "$5", "sale": "50%", "light": "dawn {a|b}"}',
    ]


@pytest.mark.parametrize("count", [None, 10])
def test_each_text_comes_once(brief_of: Callable[..., Brief], count: int | None) -> None:
    """Two ways to the same words are one prompt: nobody pays twice for it."""
    brief = brief_of(prompts=["a {red|red} mug", "a {red|blue} mug", "a blue mug"], count=count)

    assert sorted(texts(brief)) == ["a blue mug", "a red mug"]


def test_repeats_do_not_use_up_the_count(brief_of: Callable[..., Brief]) -> None:
    """`count` is a number of distinct prompts: drawing goes on behind a repeat."""
    brief = brief_of(prompts=["{a|a|a|a|a|a|b} {c|c|c|c|c|d} mug"], count=4)

    assert sorted(texts(brief)) == ["a c mug", "a d mug", "b c mug", "b d mug"]


def test_drawing_ends_where_there_is_nothing_new(brief_of: Callable[..., Brief], monkeypatch: Any) -> None:
    """A template with a million combinations and two texts gives two prompts, in bounded time."""
    monkeypatch.setattr(expand_module, "MAX_REPEATS", 200)
    brief = brief_of(prompts=["{a|b}" + "{!|!}" * 20], count=10)

    assert sorted(texts(brief)) == ["a" + "!" * 20, "b" + "!" * 20]


def test_only_repeats_in_a_row_end_the_drawing(brief_of: Callable[..., Brief], monkeypatch: Any) -> None:
    """Many repeats on the way are no reason to stop, as long as new texts come between them."""
    monkeypatch.setattr(expand_module, "MAX_REPEATS", 12)
    brief = brief_of(prompts=[OPTIONS + "{!" + "|!" * 9 + "}"], count=18)

    assert len(texts(brief)) == 18


def test_too_many_prompts_are_refused_before_any_is_made(brief_of: Callable[..., Brief]) -> None:
    """20^10 prompts are a mistake in a template; the message says how many there are and what to do."""
    with pytest.raises(BriefError) as caught:
        expand(brief_of(prompts=[OPTIONS * 10]))

    assert str(caught.value) == (
        "The templates make 10,240,000,000,000 prompts, more than 10,000. Say how many to draw with `count`."
    )
    assert caught.value.where == "prompts"


def test_as_many_prompts_as_allowed_are_made(brief_of: Callable[..., Brief]) -> None:
    """The bound itself is allowed, over all templates together; one more is not."""
    templates = [f"{OPTIONS} {OPTIONS} {{{'|'.join('abcdefghijklmnopqrstuvwxy')}}}"]

    assert len(texts(brief_of(prompts=templates))) == MAX_PROMPTS
    with pytest.raises(BriefError, match="make 10,001 prompts"):
        expand(brief_of(prompts=[*templates, "one more"]))


def test_a_count_draws_from_any_number_of_combinations(brief_of: Callable[..., Brief]) -> None:
    """With a count nothing is made but what was asked for, however many there could be."""
    drawn = texts(brief_of(prompts=[OPTIONS * 40], count=100))

    assert len(set(drawn)) == len(drawn) == 100


def test_all_are_drawn_where_there_are_fewer_than_asked_for(brief_of: Callable[..., Brief]) -> None:
    """A count above what there is gives all there is."""
    assert sorted(texts(brief_of(prompts=["{a|b|c} mug"], count=50))) == ["a mug", "b mug", "c mug"]


def test_templates_take_turns(brief_of: Callable[..., Brief]) -> None:
    """A template with few combinations is not drowned by one with many, and who runs out leaves the rest to others."""
    brief = brief_of(prompts=[f"mug {OPTIONS} {OPTIONS}", "{red|blue} jug", f"pot {OPTIONS}"], count=12)
    drawn = [next(word for word in ("mug", "jug", "pot") if word in text) for text in texts(brief)]

    assert drawn == ["mug", "jug", "pot", "mug", "jug", "pot", "mug", "pot", "mug", "pot", "mug", "pot"]


@given(seed=st.integers(0, 2**31 - 1), fewer=st.integers(1, 30), more=st.integers(1, 30))
def test_a_larger_count_begins_with_the_same_prompts(seed: int, fewer: int, more: int) -> None:
    """A finished campaign can grow: what it has already bought comes first again, in the same order."""
    brief = Brief(name="cards", prompts=(f"{OPTIONS} {{a|b}} mug", "{a|a|b} jug"), seed=seed)
    small, large = (expand(brief.model_copy(update={"count": count})) for count in sorted((fewer, more)))

    assert large[: len(small)] == small


def test_another_seed_draws_other_prompts(brief_of: Callable[..., Brief]) -> None:
    """The seed of the brief decides what is drawn, and nothing else does."""
    drawn = [texts(brief_of(prompts=[OPTIONS * 3], count=10, seed=seed)) for seed in (0, 0, 1)]

    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])


def test_drawing_is_even(brief_of: Callable[..., Brief]) -> None:
    """No option is favoured: over 200 seeds, each of 20 comes about as often as any other."""
    drawn = Counter(
        text for seed in range(200) for text in texts(brief_of(prompts=[f"{OPTIONS} mug"], count=5, seed=seed))
    )

    assert len(drawn) == 20
    assert max(drawn.values()) < 2 * min(drawn.values())


def test_a_target_draws_on_behind_the_count(brief_of: Callable[..., Brief]) -> None:
    """The prompts of `count` come first, others follow as far as the rounds can need them, and none comes twice."""
    brief = brief_of(prompts=[f"{OPTIONS * 5} mug"], count=10)  # millions of them
    few = brief_of(prompts=["{red|blue|green} mug"], target_unique=100)

    drawn = texts(brief.model_copy(update={"target_unique": 20}))

    assert drawn[:10] == texts(brief)
    assert len(drawn) == len(set(drawn)) == 100
    assert sorted(texts(few)) == ["blue mug", "green mug", "red mug"]
