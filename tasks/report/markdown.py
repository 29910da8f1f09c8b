"""Markdown as Prefect's pages render it, out of texts that nobody has checked: what is not ours stays plain text.

Prefect has two user interfaces with two renderers. Both were tried on headings, paragraphs, lists, tables and
descriptions: the classic one shows character references such as `&#42;` as they are written, and the newer one makes
links even of addresses whose colon is one. Backslashes and word joiners work in both.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from urllib.parse import quote

from blocks.http import is_web_address

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&]|^[#+=-]")
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
"""Where an address or an e-mail is recognised, and made a link of."""

_WORD_JOINER = "\u2060"
"""Invisible, without width, and no part of an address."""

_SAFE_IN_ADDRESS = ":/?#@!$&'*+,=%"
"""What an address keeps as it is. Brackets, quotes and spaces could end a link; they are percent-encoded."""


def escape(text: str) -> str:
    """Makes a text safe in a Markdown table: one line, no markup, no HTML, no link of its own."""
    return _ADDRESS.sub(_WORD_JOINER, _MARKUP.sub(r"\\\g<0>", _flat(text)))


def code(text: str) -> str:
    """Shows a text as it is, in a fence that is longer than any inside of it. Not for tables: a `|` ends a cell."""
    line = _flat(text)
    ticks = max((len(list(run)) for tick, run in groupby(line) if tick == "`"), default=0)
    fence = "`" * (ticks + 1)
    # One space at each end belongs to the fence, and keeps a tick at the edge apart from it.
    return f"{fence} {line} {fence}" if line else ""


def link(text: str, address: str) -> str:
    """Makes a link of our own, to a page of this server (`/…`) or of the web."""
    return f"[{escape(text)}]({quote(_flat(address), safe=_SAFE_IN_ADDRESS)})"


def link_or_code(text: str, address: str) -> str:
    """Says where something lies: as a link where a browser can follow it, as a path otherwise."""
    return link(text, address) if is_web_address(address) else f"{escape(text)}: {code(address)}"


def table(heading: Iterable[str], align: str, rows: Iterable[Iterable[str]]) -> str:
    """Writes a table; the cells are Markdown already.

    Args:
        heading: One text for each column.
        align: `---:` for figures, `:---` for texts.
        rows: The lines below.
    """
    columns = list(heading)
    return "\n".join(_row(cells) for cells in (columns, [align] * len(columns), *rows))


def side_by_side(cells: Sequence[str], columns: int) -> str:
    """Puts cells into rows of this many, without a heading; the last row is filled up."""
    filled = [*cells, *[""] * (-len(cells) % columns)]
    rows = [filled[start : start + columns] for start in range(0, len(filled), columns)]
    return table([" "] * columns, ":---", rows)


def frame(label: str, jpeg: bytes | None) -> str:
    """Shows a picture that travels inside the page; None stands for one that cannot be shown."""
    if not jpeg:
        return "(cannot be read)"
    return f"![frame {label}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _flat(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
