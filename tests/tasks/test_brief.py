from collections.abc import Callable

import pytest
import yaml

from blocks.errors import BriefError
from tasks.brief import Axis, Brief, ReviewPolicy
from tasks.brief_reading import read_brief
from tasks.prompts import PromptSyntaxError
from tasks.review import policy_of
from tests.tasks.conftest import MINIMAL


def test_stages_name_their_places_and_providers(brief_of: Callable[..., Brief]) -> None:
    """Generation first, then the chain; each provider is needed once, in that order."""
    edits = ({"instruction": "warmer"}, {"instruction": "bigger", "provider": "scenario"})
    brief = brief_of(edits=edits)

    assert brief.stages() == (("generate", brief.generate), ("edits.0", brief.edits[0]), ("edits.1", brief.edits[1]))
    assert brief.templates() == (
        ("prompts.0", "a mug", brief.generate),
        ("edits.0.instruction", "warmer", brief.edits[0]),
        ("edits.1.instruction", "bigger", brief.edits[1]),
    )
    assert brief.providers == ("scenario", "sunra")


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        (
            "edits: [{instruction: x, references: [cop]}]\nreferences: {cup: a.png}",
            "edits.0.references",
            "edits.0.references: no reference has the role 'cop'. Did you mean 'cup'?",
        ),
        (
            "generate: {references: [style]}\nreferences: {cup: a.png, hat: b.png}",
            "generate.references",
            "generate.references: no reference has the role 'style'. Known: cup, hat.",
        ),
        (
            "generate: {references: [style]}",
            "generate.references",
            "generate.references: no reference has the role 'style'.",
        ),
        ("axes: [{name: a, values: [x]}, {name: a, values: [y]}]", "axes", "axes: 'a' stands there twice."),
        (
            "references: [{role: a, source: x}, {role: a, source: y}]",
            "references",
            "references: 'a' stands there twice.",
        ),
        ("budget: {amount: -1, unit: USD}", "budget", "budget: has to be 0 or more, got -1 USD."),
        (
            "edits: [{instruction: 'make it ${ligth}'}]\naxes: {light: [dawn]}",
            "edits.0.instruction",
            "edits.0.instruction: Prompt, line 1, column 9, at '${ligth}': there is no axis named 'ligth'. "
            r"Did you mean ${light}? For a dollar sign before a brace write \$.",
        ),
        (
            "edits: [{instruction: ok}, {instruction: 'a {red|blue mug'}]",
            "edits.1.instruction",
            "edits.1.instruction: Prompt, line 1, column 3, at '{red|blue mug': this { is never closed. "
            r"Add its }, or write \{ for the brace itself.",
        ),
        (
            "edits: [{instruction: '{|warmer}'}]",
            "edits.0.instruction",
            "edits.0.instruction: can come out empty, and there is no picture of nothing. Add a word.",
        ),
    ],
)
def test_a_brief_that_contradicts_itself_is_refused(
    refusal: Callable[[str | bytes], str], text: str, where: str, line: str
) -> None:
    """Roles, axes and braces have to find their partners before anything is bought."""
    assert refusal(MINIMAL + text) == f"cards.yaml cannot be used: {line}"
    with pytest.raises(BriefError) as caught:
        read_brief(yaml.safe_load(MINIMAL + text), Brief, shown_as="cards.yaml")
    assert caught.value.where == where


def test_a_prompt_that_breaks_the_grammar_says_which_and_where() -> None:
    """With a hundred prompts one has to know which: its number, and line and column in it."""
    with pytest.raises(PromptSyntaxError) as caught:
        Brief(name="cards", prompts=("a mug", "two\nlines }"))

    assert (caught.value.where, caught.value.line, caught.value.column) == ("prompts.1", 2, 7)


@pytest.mark.parametrize("prompt", ["", " ", "{|a mug}", "${what}", "{ |{a|b}} ${what}"])
def test_a_prompt_that_can_come_out_empty_is_refused(prompt: str) -> None:
    """No provider takes an empty prompt; this is found before the first picture is paid for."""
    with pytest.raises(BriefError, match=r"^prompts\.0: can come out empty"):
        Brief(name="cards", prompts=(prompt,), axes=(Axis(name="what", values=("a mug", "")),))


@pytest.mark.parametrize("prompt", ["{|big} mug", "${what}!", "{a|b}{|c}", "{}", r"\|"])
def test_a_prompt_with_optional_words_is_taken(prompt: str) -> None:
    """Options may be empty, as long as something is left."""
    assert Brief(name="cards", prompts=(prompt,), axes=(Axis(name="what", values=("",)),)).prompts == (prompt,)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        (True, ReviewPolicy(timeout_hours=24, on_timeout="stop")),
        (False, None),
        (None, None),
        ({"timeout_hours": 0.5, "on_timeout": "go_on"}, ReviewPolicy(timeout_hours=0.5, on_timeout="go_on")),
    ],
)
def test_a_review_is_on_off_or_has_terms(written: object, policy: ReviewPolicy | None) -> None:
    """`review: true` is enough; what is switched off is None, so that nobody has to look twice."""
    assert Brief.model_validate({"name": "cards", "prompts": ["a mug"], "review": written}).review == policy
    assert policy_of(Brief(name="cards", prompts=("a mug",), review=policy), is_wanted=False) == policy
    assert policy_of(Brief(name="cards", prompts=("a mug",)), is_wanted=True) == ReviewPolicy()
