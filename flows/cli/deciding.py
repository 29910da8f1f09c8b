"""The commands that take what people have decided into the archive."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from flows.cli.arguments import add_archive, command_of
from flows.cli.images import IMAGE_HELP
from flows.cli.screen import out, plain
from flows.deciding import decide, not_duplicate, restore
from tasks.decided import Ruled, TakenIn
from tasks.shown import one_line

MOST_LETTERS = 80
DIGITS = 12


def add_to(commands: Any) -> None:
    """Adds `decide`, `restore` and `not-duplicate`."""
    command = command_of(commands, "decide", "take decisions files of a contact sheet into the archive", _decide)
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="saved by a contact sheet: press S on it")
    add_archive(command)
    command = command_of(commands, "restore", "make a duplicate or a rejected picture a keeper again", _restore)
    command.add_argument("image", metavar="IMAGE", help=IMAGE_HELP)
    add_archive(command)
    command = command_of(commands, "not-duplicate", "say that two pictures are no duplicates, for ever", _tell_apart)
    command.add_argument("one", metavar="IMAGE", help=IMAGE_HELP)
    command.add_argument("other", metavar="IMAGE", help="the other one")
    add_archive(command)


def _restore(options: argparse.Namespace) -> int:
    _show(asyncio.run(restore(options.image, options.archive)))
    return 0


def _tell_apart(options: argparse.Namespace) -> int:
    _show(asyncio.run(not_duplicate(options.one, options.other, options.archive)))
    return 0


def _show(ruled: Ruled) -> None:
    named = " and ".join(sha256[:DIGITS] for sha256 in ruled.ruling.images)
    said = "is a keeper" if ruled.ruling.kind == "restored" else "are no duplicates of each other"
    verdicts = f"{ruled.changed_verdicts} verdict{'' if ruled.changed_verdicts == 1 else 's'} changed"
    known = "" if ruled.is_new else " (known before)"
    out.print(f"{named} {said}{known}: {verdicts}. Later runs of all campaigns follow it.")


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
