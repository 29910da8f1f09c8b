import json
import pickle
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blocks.errors import BriefError
from tasks.prompts import PromptSyntaxError, escape, expand_all, parse
from tasks.prompts.parser import MAX_DEPTH
from tasks.prompts.syntax import AxisUse, Choice, Phrase, Text

AXES = {"light": ("dawn", "dusk"), "city": ("Ulm",)}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.sampled_from('|"\\$%} é\n')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('|"\\}')), inner, max_size=3),
)
GRAMMAR_TEXT = st.text(st.sampled_from('{}|$\\" :,ab\n') | st.characters())
"""Text in which the characters of the grammar are frequent."""


def texts(prompt: str) -> list[str]:
    return [expansion.text for expansion in expand_all(parse(prompt, tuple(AXES)), AXES)]


def error(prompt: str, axes: Sequence[str] = tuple(AXES)) -> PromptSyntaxError:
    with pytest.raises(PromptSyntaxError) as caught:
        parse(prompt, axes)
    return caught.value


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a {red|blue} mug", ["a red mug", "a blue mug"]),
        ("a {|very }big mug", ["a big mug", "a very big mug"]),
        ("{ a | b }", [" a ", " b "]),
        ("{|}", ["", ""]),
        ("{a|{b|c} d|e}", ["a", "b d", "c d", "e"]),
        ("{a|b}{c|d}", ["ac", "ad", "bc", "bd"]),
        ("${light}, then ${light}", ["dawn, then dawn", "dusk, then dusk"]),
        ("{at ${light}|at noon}", ["at dawn", "at noon", "at dusk", "at noon"]),
        ("$${light}", ["$dawn", "$dusk"]),
        (r"\${5|6}", ["$5", "$6"]),
        (r"{a\|b|c}", ["a|b", "c"]),
        (r"\{a|b\}", ["{a|b}"]),
        (r"\\{a|b}", ["\\a", "\\b"]),
        (r"\${light} \$\{light\} \{light\}", ["${light} ${light} {light}"]),
        ("{a} {b {c|d}}", ["{a} {b c}", "{a} {b d}"]),
        ("{{a|b}}", ["{a}", "{b}"]),
        ("{line one\n|line two\r\n}", ["line one\n", "line two\r\n"]),
    ],
)
def test_grammar(prompt: str, expected: list[str]) -> None:
    """Choices, axes, escapes and literal groups mean what the package's docstring says, in the documented order."""
    assert texts(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a mug in color #FF5733 (#f53), $5, US$ 5, 50%, 100% wool, @name, info@example.org",
        "https://example.org/a?b=c|d&e=%20#f C:\\new\\table \\",
        "👩🏽‍🎨 naïve e\u0301 \u202e \x00 \ud800 \r\n\ttabs",
        "a | b # no comment // nor this -- nor this",
        '{"a": "x|y"}',
        '{"a": {"b": ["x|y", {"c": "|"}]}, "n": 1.50, "big": ' + "9" * 5000 + "}",
        r'say {"text": "a \"q|r\" \\ \n \u007b C:\\dir", "mood": ":-} or { or ;-}"} twice',
        '{"a": "{", "b": "x|y", "c": "}"}',
        '{\n  "a": "x|y",\n  "b": []\n}',
        '[{"a": "x|y"}, {}]',
        "{} { } {50%} {no bar}",
    ],
)
def test_everything_else_survives(prompt: str) -> None:
    """Hex colours, money, percent, addresses, emoji, newlines and JSON come through byte for byte."""
    assert texts(prompt) == [prompt]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ('{"color": "{red|blue}"}', ['{"color": "red"}', '{"color": "blue"}']),
        ('{"{a|b}": "x|y"}', ['{"a": "x|y"}', '{"b": "x|y"}']),
        ('{"a": "x|y", "b": "${light}"}', ['{"a": "x|y", "b": "dawn"}', '{"a": "x|y", "b": "dusk"}']),
        ('{"a": ":-{", "b": "{c|d} :-}"}', ['{"a": ":-{", "b": "c :-}"}', '{"a": ":-{", "b": "d :-}"}']),
        (r'{"a": "\\{b|c}"}', [r'{"a": "\\b"}', r'{"a": "\\c"}']),
        ('{"number": {1|2}}', ['{"number": 1}', '{"number": 2}']),
        ('{{"a": "x|y"}|{"b": 2}}', ['{"a": "x|y"}', '{"b": 2}']),
        ('{"red"|"blue"}', ['"red"', '"blue"']),
        (r'{"a": "\{b\}"}', ['{"a": "{b}"}']),
        (r'{"a": "x\|y", "n": {1|2}}', ['{"a": "x|y", "n": 1}', '{"a": "x|y", "n": 2}']),
    ],
)
def test_json(prompt: str, expected: list[str]) -> None:
    """In a JSON object only choices and axes inside one string are read; what is no JSON follows the ordinary rules."""
    assert texts(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "line", "column", "fix"),
    [
        ("a {red|blue mug", 1, 3, r"Add its }, or write \{"),
        ("a\n{b|{c|d}", 2, 1, r"Add its }, or write \{"),
        ("one\ntwo red|blue} mug", 2, 13, r"Add the { before it, or write \}"),
        (":-{", 1, 3, r"write \{"),
        ('{"a": "{red|blue"}', 1, 8, "Add its }"),
        ("at {light}", 1, 4, "Write ${light} for its value"),
        ('{"at": "{light}"}', 1, 9, "Write ${light} for its value"),
        ("at ${ligth}", 1, 4, "Did you mean ${light}?"),
        ("at ${weather}", 1, 4, "The axes are city, light."),
        ('{"at": "${weather}"}', 1, 9, "The axes are city, light."),
        ("${}", 1, 1, "The axes are city, light."),
        ("costs ${5|6}", 1, 7, r"For a dollar sign before a brace write \$"),
        ("at ${light", 1, 4, "the name of an axis and }"),
        ("${v=!{a|b}}", 1, 1, "the name of an axis and }"),
        ('{"a": "x|y", "n": {1|2}}', 1, 1, r"write \| for a bar that is text"),
        ("{" * (MAX_DEPTH + 1) + "x" + "}" * (MAX_DEPTH + 1), 1, MAX_DEPTH + 1, r"write \{"),
    ],
)
def test_errors_name_place_and_remedy(prompt: str, line: int, column: int, fix: str) -> None:
    """What leaves the grammar is refused with line, column and a way to mend it, before anything is bought."""
    refused = error(prompt)
    assert (refused.line, refused.column) == (line, column)
    assert f"line {line}, column {column}, at " in str(refused)
    assert fix in str(refused)


def test_error_without_axes() -> None:
    """Where a brief has no axes, the message does not offer any."""
    assert str(error("${light}", axes=())) == (
        "Prompt, line 1, column 1, at '${light}': there is no axis named 'light'. The brief has no axes. "
        r"For a dollar sign before a brace write \$."
    )


def test_error_is_a_brief_error_that_survives_pickling() -> None:
    """The error keeps its place in another process, and control characters do not reach a log."""
    refused = error("ok\n{\x1b[31m|\nb")
    copy = pickle.loads(pickle.dumps(refused))
    assert isinstance(refused, BriefError)
    assert isinstance(copy, PromptSyntaxError)
    assert (str(copy), copy.where, copy.line, copy.column) == (str(refused), None, 2, 1)
    assert str(copy).startswith(r"Prompt, line 2, column 1, at '{\x1b[31m|': this { is never closed.")


def test_deepest_nesting_can_be_expanded() -> None:
    """What the parser accepts, the later walks over the tree can do too."""
    prompt = "{a|" * MAX_DEPTH + "b" + "}" * MAX_DEPTH
    assert texts(prompt) == ["a"] * MAX_DEPTH + ["b"]


def test_deeply_nested_json_is_no_crash() -> None:
    """JSON nested deeper than any reader goes is refused or kept like other text, never a RecursionError."""
    assert texts('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}") == ['{"a": ' + "[" * 200_000 + "]" * 200_000 + "}"]


def test_tree() -> None:
    """Neighbouring texts are one node, and a choice knows where its brace stands."""
    assert parse(r"a\|b ${light} {c|}", ("light",)).root == Phrase(
        (Text("a|b "), AxisUse("light"), Text(" "), Choice(14, (Phrase((Text("c"),)), Phrase(()))))
    )


@given(GRAMMAR_TEXT)
def test_escaped_text_round_trips(text: str) -> None:
    """Any text can be written as a prompt that stands for exactly that text."""
    assert texts(escape(text)) == [text]


@given(GRAMMAR_TEXT, st.sampled_from(["{a|b}", "${light}", "{light|x}"]))
def test_escaped_text_does_not_reach_its_neighbours(text: str, neighbour: str) -> None:
    """Escaped text can be put before and behind any construct without changing it."""
    assert texts(escape(text) + neighbour + escape(text)) == [text + middle + text for middle in texts(neighbour)]


@given(GRAMMAR_TEXT.filter(lambda text: not any(mark in text for mark in ("{", "}", "\\", "${"))))
@example("a | b $5 $ |")
def test_text_without_marks_is_identical(text: str) -> None:
    """A prompt without braces and backslashes is used as written."""
    assert texts(text) == [text]


@given(GRAMMAR_TEXT, st.lists(st.text(max_size=3), max_size=3))
@example("{" * 2000, [])
@example('{"a":' * 2000, [])
@example("{a|" * 2000, [])
@example("${" * 2000, [])
@example('{"a": "\\', [])
def test_no_text_breaks_the_parser(text: str, axes: list[str]) -> None:
    """Whatever the text, parsing gives combinations, or a PromptSyntaxError that names a place inside the text."""
    try:
        template = parse(text, axes)
    except PromptSyntaxError as error_found:
        refused = error_found
    else:
        assert template.count(dict.fromkeys(axes, ("value",))) >= 1
        return
    assert refused.line is not None
    assert refused.column in range(1, len(text.split("\n")[refused.line - 1]) + 1)


@given(st.dictionaries(st.text(st.sampled_from("ab|")), JSON_VALUES), st.sampled_from([None, 2]), st.booleans())
def test_json_round_trips(value: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    """A JSON object whose strings hold no opening brace is text, whatever its bars, escapes and layout."""
    prompt = f"{json.dumps(value, indent=indent, ensure_ascii=ascii_only)} | $5"
    assert texts(prompt) == [prompt]
