import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.report.markdown import code, escape, link, link_or_code, table
from tasks.shown import one_line

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOW_TEXTS_BREAK_OUT = st.text("\\`*_[]()<>|~&#;+-=!@:/.123 \nahtpsw\u2060\u202e\x1b")
JOINER = "\u2060"


def test_hostile_texts_are_harmless_in_markdown() -> None:
    """No pipe ends a cell, no tag starts, no character is a reference, no mark is one."""
    assert escape("a|b `c` <img> [x](y)\nz") == r"a\|b \`c\` \<img\> \[x\](y) z"
    assert escape(r"5 o'clock: #FF5733, 50% &amp; C:\new_art \x1b ~~*") == (
        r"5 o'clock: #FF5733, 50% \&amp; C:\\new\_art \\x1b \~\~\*"
    )
    assert [escape(text) for text in ("# a", "- a", "+ a", "=", "a - b")] == [r"\# a", r"\- a", r"\+ a", r"\=", "a - b"]


def test_addresses_of_others_are_no_links() -> None:
    """Both interfaces of Prefect make links of bare addresses; a joiner that nobody sees keeps them from it."""
    assert escape("see https://evil.example, WWW.evil.example and me@evil.example") == (
        f"see https:{JOINER}//evil.example, WWW{JOINER}.evil.example and me@{JOINER}evil.example"
    )


@given(HOW_TEXTS_BREAK_OUT | st.text())
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """A parser of Markdown gives back the very text, in a cell as in a paragraph, and makes nothing else of it."""
    shown = html.escape(one_line(text, 10**6).replace(JOINER, ""), quote=False)
    escaped = escape(text)

    cell = PARSER.render(table(["h"], ":---", [[escaped]])).partition("<tbody>")[2]
    paragraph = PARSER.render(f"Text: {escaped}")

    assert f">{shown}</td>" in cell.replace(JOINER, "").replace("&quot;", '"')
    assert paragraph.replace(JOINER, "").replace("&quot;", '"').strip() == f"<p>Text: {shown}".strip() + "</p>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/data/archive", "` /data/archive `"),
        ("a`b``c", "``` a`b``c ```"),
        ("`", "`` ` ``"),
        ("two\nlines", "` two lines `"),
        ("", ""),
    ],
)
def test_code_ends_where_we_end_it(text: str, shown: str) -> None:
    """A path may hold any character: none of them closes the fence that it stands in."""
    assert code(text) == shown


def test_an_address_cannot_end_its_link() -> None:
    """An address of the archive's owner is a link; its brackets and spaces are part of it."""
    assert link("a]b", "http://host/a b(c)<d>?e=1") == r"[a\]b](http://host/a%20b%28c%29%3Cd%3E?e=1)"


def test_only_web_addresses_become_links() -> None:
    """A path is shown to be copied; a script is no address."""
    assert link_or_code("Sheet", "https://host/index.html") == "[Sheet](https://host/index.html)"
    assert link_or_code("Sheet", "/data/x/index.html") == "Sheet: ` /data/x/index.html `"
    assert link_or_code("Sheet", "javascript:alert(1)") == "Sheet: ` javascript:alert(1) `"


def test_a_table_has_as_many_columns_as_its_heading() -> None:
    """Heading, alignment, rows: one line each."""
    assert table(["a", "b"], "---:", [["1", "2"], ["3", "4"]]) == "| a | b |\n| ---: | ---: |\n| 1 | 2 |\n| 3 | 4 |"
