"""The terminal: where words go, and how strangers' texts are made fit for it."""

import re

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
wide = Console(highlight=False, soft_wrap=True, emoji=False, width=10_000)
"""For a tree where no terminal is: rich cuts its lines at the width."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Makes a stranger's text fit for a terminal: no markup, no control sequences."""
    return escape(_CONTROL_CHARACTERS.sub(" ", text))
