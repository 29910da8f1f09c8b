import pytest
from rich.markup import render

from flows.cli.screen import fact, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Ja [bold]teapot[/]\x9b", " [2Ja [bold]teapot[/] "),
        ("gpj.\u202eknip\u2066", "gpj. knip "),
        ("two\nlines\r", "two\nlines "),
        ("青い ティーポット 🫖 שלום", "青い ティーポット 🫖 שלום"),
    ],
)
def test_a_strangers_text_is_only_text(text: str, shown: str) -> None:
    """No markup, no control sequence, and nothing that turns the writing around; every language is left as it is."""
    assert render(plain(text)).plain == shown


def test_no_prompt_can_forge_a_fact() -> None:
    """Its further lines are indented, so that none begins where the names of facts do."""
    said = fact("prompt", "a teapot\nverdict  keeper", 8)

    assert said == "prompt   a teapot\n         verdict  keeper"
