import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import BriefError
from blocks.provider import Money
from tasks.brief import Brief, EditStep, Generation
from tasks.brief_reading import load_brief
from tests.tasks.conftest import MINIMAL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        ("- a\n- b", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        ("just words", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        (
            b"\xff\xfe",
            "'cards.yaml' cannot be read as a brief: 'utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte",
        ),
        (
            "name: cards: two",
            'cards.yaml is no valid YAML: mapping values are not allowed here\n  in "cards.yaml", line 1, column 12:\n'
            "    name: cards: two\n               ^",
        ),
        (
            "seed: 2025-13-45",
            "cards.yaml is no valid YAML: '2025-13-45' is no timestamp; for a text, put quotes around it\n"
            '  in "cards.yaml", line 1, column 7:\n    seed: 2025-13-45\n          ^',
        ),
        ("a: " + "[" * 3000, "cards.yaml nests lists or mappings far deeper than any brief."),
    ],
    ids=["empty", "list", "text", "bytes", "syntax", "no date", "deep"],
)
def test_a_file_that_holds_no_brief_is_refused(
    refusal: Callable[[str | bytes], str], text: str | bytes, message: str
) -> None:
    """The file is named, and in YAML the line and column."""
    assert refusal(text) == message


@pytest.mark.parametrize(
    "value",
    [
        "!!int ''",
        "!!bool maybe",
        "!!timestamp soon",
        "!!float much",
        "1" * 5000,
        "!!python/name:os.system",
    ],
)
def test_values_that_yaml_cannot_make_are_refused_with_their_place(
    refusal: Callable[[str | bytes], str], value: str
) -> None:
    """What the YAML library says in its own ways, or would run, is a wrong brief like any other."""
    assert '"cards.yaml", line 3, column 7' in refusal(f"{MINIMAL}seed: {value}")


def test_a_missing_brief_is_named(tmp_path: Path) -> None:
    """The path that was looked for is in the message."""
    with pytest.raises(BriefError) as caught:
        load_brief(tmp_path / "none.yaml")
    assert str(caught.value) == f"There is no brief at {tmp_path}/none.yaml."


@pytest.mark.parametrize("path", ["", "no\0name.yaml", "x" * 5000])
def test_what_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    """A folder, and names that no file can have, cannot be read as a brief."""
    with pytest.raises(BriefError, match="cannot be read as a brief"):
        load_brief(tmp_path / path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r'"\e[31mred\n": 1', r"'\x1b[31mred\n': unknown field"),
        (r'"\u202Eder": 1', r"'\u202eder': unknown field"),
        (r'seeds: "\e[31mred\r\n"', r"(got '\x1b[31mred\r\n')"),
        (r'title: "\uD800"', r"(got '\ud800')"),
        (r'"\uD800": 1', r"(got '\ud800')"),
        ("seeds: " + "x" * 500, "(got 'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx')"),
        ("seeds: 0x" + "f" * 5000, "(got an enormous number)"),
        ("x" * 500 + ": 1", "xxx...xxx"),
        ("title: &a [*a]", "(got [[[...]]])"),
    ],
)
def test_hostile_values_are_shown_in_one_short_plain_line(
    refusal: Callable[[str | bytes], str], text: str, shown: str
) -> None:
    """A document cannot paint the terminal, forge lines of a log, or fill it."""
    message = refusal(MINIMAL + text)

    assert shown in message
    assert message.replace("\n", "").isprintable()
    assert message.count("\n") == 1
    assert len(message) < 500


def test_a_document_that_aliases_blow_up_is_refused_at_once(refusal: Callable[[str | bytes], str]) -> None:
    """Nine lines of YAML can stand for a billion entries: they are never walked."""
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    lines += [f"a{level}: &a{level} [" + f"*a{level - 1}," * 10 + "]" for level in range(1, 30)]

    assert "title: has to be a text" in refusal(MINIMAL + "\n".join(lines) + "\ntitle: *a29")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["a {b|c}", "${light}", "{", "scenario", "@cup", "~x/y", "\x00", "http://["])
)
FIELDS = st.sampled_from(
    [
        *Brief.model_fields,
        *Generation.model_fields,
        *EditStep.model_fields,
        *Money.model_fields,
        "values",
        "role",
        "source",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | SCALARS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=6) | VALUES)
def test_no_document_raises_anything_but_a_brief_error(tmp_path: Path, document: object) -> None:
    """Whatever a YAML document holds, it is a brief or it is refused with a message."""
    path = tmp_path / "any.yaml"
    path.write_text(yaml.dump({"name": "a", "prompts": "x", **document} if isinstance(document, dict) else document))
    with contextlib.suppress(BriefError):
        assert isinstance(load_brief(path), Brief)


YAML_TOKENS = st.sampled_from(
    [
        *"[]{},:?-&*!|>'\"%@`#~=<",
        "\n",
        "\n  ",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!",
        "!!int ",
        "!!map ",
        "<<: ",
        "...",
        "---\n",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None)
@given(st.lists(YAML_TOKENS | st.text(max_size=3) | FIELDS, max_size=25).map("".join) | st.binary(max_size=30))
def test_no_text_raises_anything_but_a_brief_error(tmp_path: Path, text: str | bytes) -> None:
    """Whatever is in the file, it is a brief or it is refused with a message."""
    path = tmp_path / "any.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(BriefError):
        assert isinstance(load_brief(path), Brief)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML would silently keep the last: whoever wrote both meant both."""
    path = tmp_path / "twice.yaml"
    path.write_text("name: twice\nprompts: a mug\nreferences: {cup: a.png, cup: b.png}", encoding="utf-8")

    with pytest.raises(BriefError, match=r"'cup' stands there twice\s+in \"twice\.yaml\", line 3"):
        load_brief(path)
