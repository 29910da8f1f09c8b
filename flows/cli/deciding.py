"""The command that takes what people marked on a contact sheet into the archive."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from flows.cli.arguments import add_archive, command_of
from flows.cli.screen import out, plain
from flows.deciding import decide
from tasks.decided import TakenIn
from tasks.shown import one_line

MOST_LETTERS = 80


def add_to(commands: Any) -> None:
    """Adds `decide`."""
    command = command_of(commands, "decide", "take decisions files of a contact sheet into the archive", _decide)
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="saved by a contact sheet: press S on it")
    add_archive(command)


def _decide(options: argparse.Namespace) -> int:
    for taken in asyncio.run(decide(options.files, options.archive)):
        out.print(plain(summary_of(taken)))
    return 0


def summary_of(taken: TakenIn) -> str:
    """Says in a line or two what a decisions file has changed."""
    decision = taken.decision
    where = f"{one_line(decision.campaign, MOST_LETTERS)}, edition {one_line(decision.edition, MOST_LETTERS)}"
    if not taken.is_new and not taken.changed_verdicts:
        return f"{where}: taken in before, as {taken.key}; nothing changed."
    kept = len(decision.shown) - len(decision.rejected)
    counts = {"rejected": len(decision.rejected), "kept": kept, "with stars": len(decision.stars)}
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{where}: {said}, in {taken.key}. Later runs of this edition and their contact sheets follow it."
