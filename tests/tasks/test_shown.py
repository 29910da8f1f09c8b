import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.shown import one_line, sentence


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red teapot", "a red teapot"),
        ("a\r\nred\tteapot\x1b[31m \u2028!", "a red teapot [31m !"),
        ("ab\u202egnp.exe", "ab gnp.exe"),
        ("a red teapot on a table of very old wood", "a red teapot on a…"),
        ("a" * 40, "a" * 19 + "…"),
        ("", ""),
    ],
)
def test_a_text_is_one_short_printable_line(text: str, shown: str) -> None:
    """No line end, no control sequence and no turned writing; cut between words where that leaves most of it."""
    assert one_line(text, 20) == shown


@given(st.text(), st.integers(min_value=2, max_value=200))
def test_any_text_becomes_a_line_that_fits(text: str, limit: int) -> None:
    """Whatever comes in, what goes out is printable and not longer than was asked for."""
    shown = one_line(text, limit)

    assert shown.isprintable()
    assert len(shown) <= limit


def test_a_sentence_can_be_followed_by_another() -> None:
    """A provider's message ends with a full stop, whether its author thought of it or not."""
    assert [sentence(text, 12) for text in ("Refused", "Why?", "Wait.", "It was refused today")] == [
        "Refused.",
        "Why?",
        "Wait.",
        "It was refu…",
    ]
