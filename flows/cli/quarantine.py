"""The command for pictures that the gate refused: what there is, and taking one in all the same."""

import argparse
import asyncio
from typing import Any

from flows.cli.arguments import add_archive, command_of
from flows.cli.screen import out, plain
from flows.releasing import quarantined, release
from tasks.models import ImageRecord
from tasks.release import Held

DIGITS = 16


def add_to(commands: Any) -> None:
    """Adds `quarantine`."""
    command = command_of(commands, "quarantine", "list paid pictures that were refused; take one in as it is", _run)
    command.add_argument(
        "--release", metavar="ID", help="take this one into the archive: its SHA-256, or how it begins"
    )
    command.add_argument("--by", metavar="NAME", help="who says so; the user of this machine if left out")
    add_archive(command)


def _run(options: argparse.Namespace) -> int:
    if options.release is None:
        show_held(asyncio.run(quarantined(options.archive)))
    else:
        out.print(plain(said_of(asyncio.run(release(options.release, options.archive, by=options.by)))))
    return 0


def show_held(held: tuple[Held, ...]) -> None:
    """Lists what lies in quarantine."""
    if not held:
        out.print("Nothing is in quarantine.")
        return
    for each in held:
        out.print(plain(facts_of(each)))
        out.print(f"    {plain(_why(each))}")
    out.print("`--release ID` takes one in as it is, if it can be decoded; its record says that the gate refused it.")


def said_of(record: ImageRecord) -> str:
    """Says what became of a picture that was released."""
    return (
        f"{record.sha256[:DIGITS]} is in the archive now, as a picture of {record.campaign}, edition {record.edition}, "
        "flagged `released`. Run that campaign again to have it judged and shown: it buys nothing."
    )


def facts_of(held: Held) -> str:
    """Says in a line which picture it is, how large, of which shot, and what it cost."""
    note = held.note
    bought = None if note is None else note.bought
    facts = [held.sha256[:DIGITS], f"{held.size_bytes / 1000:.1f} kB"]
    facts += [f"shot {note.shot_key[:8]}"] if note is not None and note.shot_key else []
    facts += [] if bought is None else [f"{bought.campaign}, edition {bought.edition}"]
    facts += [] if bought is None or bought.cost is None else [str(bought.cost)]
    return "  ".join(facts)


def _why(held: Held) -> str:
    reason = "Nothing says why." if held.note is None else held.note.reason
    return f"{reason} It is in the archive by now." if held.is_kept else reason
