"""The command that takes pictures out of the archive as a dataset."""

import argparse
from datetime import date
from pathlib import Path
from typing import Any, get_args

from flows.cli.arguments import add_archive, command_of
from flows.cli.care_pages import step_progress
from flows.cli.screen import out, plain
from flows.export import export
from tasks.export.export import Exported
from tasks.export.manifest import REMARKS
from tasks.export.terms import CaptionKind, ExportFormat, WantedVerdict
from tasks.provenance.marking import ProvenanceMode
from tasks.steps import watching_steps

_FORMATS = "imagefolder: files and metadata.jsonl; webdataset: tar; parquet; zip; kohya: pictures with caption files"
_CAPTIONS = "chain: prompt and all instructions after it; prompt: the picture's own alone; none"
_PROVENANCE = (
    "xmp marks each copy as made by AI; full signs it, too, with the saved block signing-certificate/default; "
    "keep and none leave it as it was received"
)


def add_to(commands: Any) -> None:
    """Adds `export`."""
    command = command_of(commands, "export", "copy pictures out of the archive, as a dataset or to send", _export)
    command.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="must not exist yet; a new one in the archive's folder `exports` if left out (needed for a bucket)",
    )
    add_archive(command)
    _add_choice(command, "format", ExportFormat, "imagefolder", _FORMATS)
    _add_filters(command)
    _add_choice(command, "captions", CaptionKind, "chain", _CAPTIONS)
    _add_choice(command, "provenance", ProvenanceMode, "xmp", _PROVENANCE)
    command.add_argument("--with-prompt", action="store_true", help="write the prompt into the pictures as well")


def _add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument("--campaign", metavar="NAME", help="only what this campaign consists of")
    command.add_argument("--edition", metavar="NAME", help="only what belongs to this edition")
    _add_choice(command, "verdict", WantedVerdict, "keeper", "any takes those that nobody has judged, too")
    command.add_argument("--prompt", metavar="TEXT", help="only pictures with this text in prompt or instruction")
    command.add_argument("--since", type=_day, metavar="DAY", help="only pictures made on this day (UTC) or later")
    command.add_argument("--until", type=_day, metavar="DAY", help="only pictures made on this day (UTC) or earlier")


def _add_choice(command: argparse.ArgumentParser, name: str, kind: Any, default: str, summary: str) -> None:
    command.add_argument(f"--{name}", choices=get_args(kind), default=default, help=f"{summary} ({default})")


def _export(options: argparse.Namespace) -> int:
    names = ("format", "campaign", "edition", "verdict", "prompt", "since", "until", "captions", "provenance")
    given = {name: getattr(options, name) for name in (*names, "with_prompt", "folder", "archive")}
    with step_progress() as watcher, watching_steps(watcher):
        exported = export(**given)
    _show(exported)
    return 0


def _show(exported: Exported) -> None:
    terms = exported.terms
    if not exported.is_new:
        out.print("It is there already, complete: nothing was done.")
    out.print(f"pictures    {exported.pictures} as {terms.format}, {exported.size_bytes / 1e6:.1f} MB")
    out.print(f"provenance  {terms.provenance}: {REMARKS[terms.provenance]}")
    if exported.left_out:
        out.print(f"prompt      {exported.left_out}")
    out.print(f"folder      {plain(exported.folder)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-20") from error
