import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BriefError
from tasks.prompts import Expansion, Template, escape, expand_all, parse, render, sample

AXES = {"light": ("dawn", "dusk"), "city": ("Ulm", "{a|b}", "$5")}
PLACEHOLDERS = {"light": "\ue000", "city": "\ue001"}
PromptAndOutcomes = tuple[str, list[str]]


def _choice(options: list[PromptAndOutcomes]) -> PromptAndOutcomes:
    prompts, outcomes = zip(*options, strict=True)
    return "{" + "|".join(prompts) + "}", list(itertools.chain(*outcomes))


def _sequence(parts: list[PromptAndOutcomes]) -> PromptAndOutcomes:
    prompts, outcomes = zip(*parts, strict=True)
    return "".join(prompts), list(map("".join, itertools.product(*outcomes)))


PROMPTS_AND_OUTCOMES: st.SearchStrategy[PromptAndOutcomes] = st.recursive(
    st.text(st.sampled_from("ab |{}$\\"), max_size=3).map(lambda text: (escape(text), [text]))
    | st.sampled_from([(f"${{{axis}}}", [placeholder]) for axis, placeholder in PLACEHOLDERS.items()]),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(_choice) | st.lists(inner, min_size=2, max_size=3).map(_sequence)
    ),
    max_leaves=8,
)
"""Valid prompts, each with all texts it stands for; in these a placeholder stands for each axis."""


def read(prompt: str) -> Template:
    return parse(prompt, tuple(AXES))


def huge() -> Template:
    """A template with 20^20 combinations."""
    return parse("{" + "|".join(map(str, range(20))) + "}" + 19 * (" {" + "|".join("abcdefghijklmnopqrst") + "}"))


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("a mug", 1),
        ("{a|b} {c|d|e}", 6),
        ("{a|{b|c} {d|e}|}", 6),
        ("${light} ${light}", 2),
        ("${light} {a|b} ${city}", 12),
        ("{${light}|a}", 4),
    ],
)
def test_count(prompt: str, count: int) -> None:
    """Options add up, places multiply, and an axis counts once, wherever and however often it is used."""
    assert read(prompt).count(AXES) == count


def test_unused_axes_do_not_count() -> None:
    """Values of an axis that the template does not use make no difference, not even when there are none."""
    assert parse("{a|b}", ("light",)).count({"light": ("x", "y", "z"), "other": ()}) == 2


def test_an_axis_without_values_leaves_no_combinations() -> None:
    """A used axis that has no values leaves nothing to draw."""
    template = read("a ${light}")
    assert template.count({"light": ()}) == 0
    assert list(expand_all(template, {"light": ()})) == []
    assert list(sample(template, {"light": ()}, 3, seed=1)) == []


def test_axis_names_are_in_order_of_first_use() -> None:
    """Each axis is named once, nested uses included."""
    assert read("{x|${city}} ${light} ${city}").axis_names == ("city", "light")


def test_huge_templates_are_counted_by_arithmetic() -> None:
    """20^20 combinations are counted, and any of them found, without enumerating them."""
    template = huge()
    assert template.count({}) == 20**20
    assert template.unrank(0, {}).text == "0" + 19 * " a"
    assert template.unrank(20**20 - 1, {}).text == "19" + 19 * " t"
    assert [drawn.text for drawn in itertools.islice(expand_all(template, {}), 2)] == [
        "0" + 19 * " a",
        "0" + 18 * " a" + " b",
    ]


def test_order_and_bindings() -> None:
    """What stands further left varies more slowly; axes are bound by name, choices by the number of their brace."""
    assert list(expand_all(read("{a|{b|c}} at ${light}{!|?}"), {"light": ("dawn", "dusk")}))[3:9] == [
        Expansion("a at dusk?", (("light", "dusk"), ("choice 1", "a"), ("choice 3", "?"))),
        Expansion("b at dawn!", (("light", "dawn"), ("choice 1", "b"), ("choice 2", "b"), ("choice 3", "!"))),
        Expansion("b at dawn?", (("light", "dawn"), ("choice 1", "b"), ("choice 2", "b"), ("choice 3", "?"))),
        Expansion("b at dusk!", (("light", "dusk"), ("choice 1", "b"), ("choice 2", "b"), ("choice 3", "!"))),
        Expansion("b at dusk?", (("light", "dusk"), ("choice 1", "b"), ("choice 2", "b"), ("choice 3", "?"))),
        Expansion("c at dawn!", (("light", "dawn"), ("choice 1", "c"), ("choice 2", "c"), ("choice 3", "!"))),
    ]


def test_an_axis_inside_a_choice_varies_just_before_it() -> None:
    """The place of an axis in the order is its first use, or the outermost choice around that."""
    template = read("{x|y} {${light}|noon} ${city}")
    drawn = [expansion.text for expansion in expand_all(template, {"light": ("dawn", "dusk"), "city": ("Ulm",)})]
    assert drawn == [
        *("x dawn Ulm", "x noon Ulm", "x dusk Ulm", "x noon Ulm"),
        *("y dawn Ulm", "y noon Ulm", "y dusk Ulm", "y noon Ulm"),
    ]


def test_axis_values_are_literal() -> None:
    """Braces, dollars and backslashes in the value of an axis are text."""
    value = r"{a|b} ${light} \{ $5"
    assert list(expand_all(read("at ${city}"), {"city": (value,)})) == [Expansion(f"at {value}", (("city", value),))]


@pytest.mark.parametrize("index", [-1, 4])
def test_unrank_refuses_what_does_not_exist(index: int) -> None:
    """An index outside the combinations is an error, never another combination."""
    with pytest.raises(IndexError, match=f"combination {index} was asked for; there are 4"):
        parse("{a|b}{c|d}").unrank(index, {})


def test_missing_values_are_named() -> None:
    """A used axis without values is the brief's mistake, and the message names the axis."""
    with pytest.raises(BriefError, match="uses 'light', but no values are given"):
        read("${light} ${city}").count({"city": ("Ulm",)})


@given(PROMPTS_AND_OUTCOMES)
def test_every_index_is_one_combination(prompt_and_outcomes: PromptAndOutcomes) -> None:
    """The indices below the count give every combination exactly once."""
    prompt, outcomes = prompt_and_outcomes
    template = read(prompt)
    expected = []
    for values in itertools.product(*(AXES[axis] for axis in template.axis_names)):
        for text in outcomes:
            for axis, value in zip(template.axis_names, values, strict=True):
                text = text.replace(PLACEHOLDERS[axis], value)
            expected.append(text)
    assert template.count(AXES) == len(expected)
    assert sorted(template.unrank(index, AXES).text for index in range(len(expected))) == sorted(expected)
    assert list(expand_all(template, AXES)) == [template.unrank(index, AXES) for index in range(len(expected))]


@given(PROMPTS_AND_OUTCOMES, st.integers(), st.integers(0, 12))
def test_sample_begins_one_permutation(prompt_and_outcomes: PromptAndOutcomes, seed: int, count: int) -> None:
    """Drawing more later begins with the same combinations, and drawing all gives each exactly once."""
    template = read(prompt_and_outcomes[0])
    total = template.count(AXES)
    everything = list(sample(template, AXES, total + 1, seed))
    assert sorted(expansion.bindings for expansion in everything) == sorted(
        expansion.bindings for expansion in expand_all(template, AXES)
    )
    assert list(sample(template, AXES, count, seed)) == everything[:count]


def test_sample_of_a_huge_template() -> None:
    """Thousands of distinct combinations come out of 20^20 without enumerating them, and the seed decides which."""
    drawn = list(sample(huge(), {}, 5000, seed=7))
    assert len({expansion.text for expansion in drawn}) == 5000
    assert drawn[:3] == list(sample(huge(), {}, 3, seed=7))
    assert drawn[:3] != list(sample(huge(), {}, 3, seed=8))


def test_sample_does_not_change_between_releases() -> None:
    """A seed stands for the same prompts for ever: the draw is recorded here."""
    drawn = [expansion.text for expansion in sample(parse("{a|b|c|d|e|f|g|h}{0|1|2|3}"), {}, 8, seed=20)]
    assert drawn == ["c1", "a0", "f3", "a2", "h3", "c0", "e0", "g1"]


def test_sample_reaches_every_order() -> None:
    """No permutation is left out, and none is favoured beyond chance."""
    orders = [tuple(drawn.text for drawn in sample(parse("{a|b|c}"), {}, 3, seed)) for seed in range(1200)]
    counts = [orders.count(order) for order in itertools.permutations("abc")]
    assert sum(counts) == 1200
    assert all(140 < count < 260 for count in counts)


def test_render_binds_axes_and_draws_choices() -> None:
    """An instruction has the axes of its picture; its choices are drawn by the seed, the same each time."""
    template = read("{add|paint} a {red|blue} door at ${light}")
    drawn = {render(template, {"light": "dawn", "city": "Ulm"}, seed) for seed in range(40)}
    assert drawn == {f"{verb} a {color} door at dawn" for verb in ("add", "paint") for color in ("red", "blue")}
    assert len({render(template, {"light": "dawn"}, 3) for _ in range(5)}) == 1


def test_render_names_missing_axes() -> None:
    """An axis that the picture does not have is named."""
    with pytest.raises(BriefError, match="uses 'light'"):
        render(read("at ${light}"), {}, 1)
