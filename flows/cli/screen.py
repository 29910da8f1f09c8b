"""The terminal: where words go, and how strangers' texts are made fit for it."""

import re

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
wide = Console(highlight=False, soft_wrap=True, emoji=False, width=10_000)
"""For a tree where no terminal is: rich cuts its lines at the width."""

_UNFIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and what turns the direction of writing around."""


def plain(text: str) -> str:
    """Makes a stranger's text fit for a terminal: no markup, no control sequences. Its line ends stay."""
    return escape(_UNFIT.sub(" ", text))


def fact(name: str, value: str, width: int) -> str:
    """Makes a line of a name and a stranger's text, whose further lines are indented: none of them looks like ours."""
    return f"{plain(name):<{width}} {plain(value)}".replace("\n", f"\n{' ' * (width + 1)}")
