"""The command that finds near-duplicates: over a whole archive, or in a folder of anybody's pictures."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from rich.table import Table

from blocks.errors import BriefError
from flows.care import dedupe
from flows.care.deduping import THRESHOLD
from flows.care.tables import said_of_rejudged
from flows.cli import care_pages
from flows.cli.arguments import ARCHIVE_HELP, command_of
from flows.cli.screen import out, plain
from flows.foreign import Looked, dedupe_folder, is_foreign
from tasks.folder import FolderGroup
from tasks.rejudging import Rejudged
from tasks.shown import one_line
from tasks.signing_anew import SignedAnew
from tasks.steps import watching_steps

DIGITS = 12
MOST_GROUPS = 40
MOST_MEMBERS = 5
MOST_BROKEN = 20
MOST_LETTERS = 300


def add_to(commands: Any) -> None:
    """Adds `dedupe`."""
    command = command_of(commands, "dedupe", "find near-duplicates in an archive or a folder; deletes nothing", _dedupe)
    command.add_argument(
        "place", nargs="?", metavar="ARCHIVE|FOLDER", help=f"{ARCHIVE_HELP}; or a folder of any pictures"
    )
    command.add_argument(
        "--threshold", default=THRESHOLD, metavar="T", help="strict, normal, loose, or bits of 192 (normal)"
    )
    command.add_argument("--apply", action="store_true", help="archive: write the verdicts; otherwise only a preview")
    command.add_argument("--sign", action="store_true", help="archive: first sign what another rule has signed")
    command.add_argument("--out", type=Path, metavar="FOLDER", help="folder: where to write the page and the lists")


def _dedupe(options: argparse.Namespace) -> int:
    if options.place is not None and is_foreign(Path(options.place)):
        return _in_folder(options)
    if options.out is not None:
        raise BriefError("--out is for folders that are no archive: an archive's verdicts lie in its catalogue.")
    with care_pages.step_progress() as watcher, watching_steps(watcher):
        deduped = dedupe(options.threshold, options.apply, options.sign, options.place)
    if deduped.signed is not None:
        _show_signed(deduped.signed)
    show_rejudged(deduped.rejudged)
    return 0


def _in_folder(options: argparse.Namespace) -> int:
    if options.apply or options.sign:
        raise BriefError(f"{options.place} is no archive: --apply and --sign have nothing to write to there.")
    with care_pages.step_progress() as watcher, watching_steps(watcher):
        looked = asyncio.run(dedupe_folder(Path(options.place), options.out, options.threshold))
    show_looked(looked)
    return 0


def show_rejudged(rejudged: Rejudged) -> None:
    """Says what changes against the verdicts on record, with a few examples."""
    if rejudged.changes:
        table = _table("verdicts", "was", "is", "how many", "such as", "because")
        for change in rejudged.changes:
            for number, each in enumerate(change.examples):
                what = (change.before, change.after, str(change.count)) if number == 0 else ("", "", "")
                table.add_row(*what, each.sha256[:DIGITS], plain(each.reason))
        out.print(table)
    for other in rejudged.rules:
        if other.rule != rejudged.rule:
            out.print(f"{other.count} verdicts on record are by another rule: {plain(other.rule)}")
    out.print(f"Rule: {plain(rejudged.rule)}")
    out.print(f"{plain(said_of_rejudged(rejudged))}.")
    if rejudged.uncompared:
        out.print("What is signed by another rule, or not at all, is not compared: add --sign to sign it.")
    if not rejudged.is_applied and (rejudged.changes or rejudged.reworded):
        out.print("Nothing was changed: add --apply to write the verdicts.")


def show_looked(looked: Looked) -> None:
    """Lists the groups of a folder, the largest first."""
    report = looked.report
    if report.groups:
        table = _table("near-duplicates", "keeper", "repeated by", "bits", "how")
        for group in sorted(report.groups, key=lambda each: -len(each.members))[:MOST_GROUPS]:
            _add_group(table, group)
        out.print(table)
    if len(report.groups) > MOST_GROUPS:
        out.print(f"… and {len(report.groups) - MOST_GROUPS} more groups.")
    for broken in report.broken[:MOST_BROKEN]:
        out.print(f"[yellow]not read:[/] {_line(broken.path)}: {plain(broken.reason)}")
    out.print(
        f"{report.pictures} pictures, {report.distinct} distinct, {report.duplicates} near-duplicates; "
        f"{report.skipped} other files skipped, {len(report.broken)} could not be read. No picture was touched."
    )
    out.print(plain(str(looked.page)))


def _add_group(table: Table, group: FolderGroup) -> None:
    for number, each in enumerate(group.members[:MOST_MEMBERS]):
        how = "colour variant: kept" if each.is_color_variant else each.how
        table.add_row(_line(group.keeper.path) if number == 0 else "", _line(each.path), str(each.distance_bits), how)
    if len(group.members) > MOST_MEMBERS:
        table.add_row("", f"… and {len(group.members) - MOST_MEMBERS} more", "", "")


def _line(path: str) -> str:
    """A file's name can have anything in it: also line ends, and what turns the writing around."""
    return plain(one_line(path, MOST_LETTERS))


def _show_signed(signed: SignedAnew) -> None:
    care_pages.show_findings(signed.unreadable)
    out.print(f"{signed.signed} pictures were signed anew, {len(signed.unreadable)} could not be read.")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
