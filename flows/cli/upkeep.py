"""Commands for the archive's upkeep."""

import argparse
from typing import Any, get_args

from blocks.errors import ArchiveError
from flows.care import gc, rebuild, reconcile, repair, verify
from flows.care.sweeping import GRACE_DAYS
from flows.care.verifying import ALL
from flows.cli import care_pages, console
from flows.cli.arguments import accounts, add_archive, add_sandbox, command_of
from tasks.care.findings import ArchiveDamaged
from tasks.care.repair import Believed
from tasks.steps import watching_steps

DAMAGED = ArchiveError.exit_code


def add_to(commands: Any) -> None:
    """Adds `verify`, `repair`, `rebuild`, `gc` and `reconcile`."""
    _add_verify(commands)
    _add_repair(commands)
    _add_rebuild(commands)
    _add_gc(commands)
    _add_reconcile(commands)


def _add_verify(commands: Any) -> None:
    command = command_of(commands, "verify", "say what is missing, changed or unreadable; changes nothing", _verify)
    add_archive(command)
    command.add_argument(
        "--fraction", default=ALL, metavar="1/N", help="read only the pictures whose turn it is today, once in N days"
    )
    command.add_argument("--deep", action="store_true", help="decode what is read, too")


def _add_repair(commands: Any) -> None:
    command = command_of(commands, "repair", "mend what `verify` finds, as far as it can be mended", _repair)
    add_archive(command)
    add_sandbox(command)
    command.add_argument("--deep", action="store_true", help="decode all pictures first, too")
    command.add_argument(
        "--believe",
        choices=get_args(Believed),
        default="neither",
        help="which one counts where record and catalogue are disputed; the other goes to quarantine (neither)",
    )


def _add_rebuild(commands: Any) -> None:
    command = command_of(commands, "rebuild", "make the database anew from what lies in the archive", _rebuild)
    add_archive(command)


def _add_gc(commands: Any) -> None:
    command = command_of(commands, "gc", "take out what nothing names; says only what it would do", _gc)
    add_archive(command)
    command.add_argument("--yes", action="store_true", help="do it")
    command.add_argument(
        "--grace-days",
        type=_days,
        default=GRACE_DAYS,
        metavar="N",
        help=f"how long pictures stay in the trash before they are deleted for good ({GRACE_DAYS})",
    )


def _add_reconcile(commands: Any) -> None:
    command = command_of(commands, "reconcile", "find out what became of shots that killed runs left open", _reconcile)
    add_archive(command)
    add_sandbox(command)


def _verify(options: argparse.Namespace) -> int:
    try:
        with care_pages.step_progress() as watcher, watching_steps(watcher):
            verified = verify(options.fraction, options.deep, options.archive)
    except ArchiveDamaged as error:
        care_pages.show_findings(error.findings)
        console.show_error(error)
        return error.exit_code
    care_pages.show_verified(verified)
    return 0


def _repair(options: argparse.Namespace) -> int:
    with care_pages.step_progress() as watcher, watching_steps(watcher):
        repaired = repair(options.deep, options.archive, **accounts(options), believe=options.believe)
    care_pages.show_repaired(repaired)
    return 0 if repaired.is_sound else DAMAGED


def _rebuild(options: argparse.Namespace) -> int:
    with care_pages.step_progress() as watcher, watching_steps(watcher):
        rebuilt = rebuild(options.archive)
    care_pages.show_rebuilt(rebuilt)
    return DAMAGED if rebuilt.findings else 0


def _gc(options: argparse.Namespace) -> int:
    with care_pages.step_progress() as watcher, watching_steps(watcher):
        swept = gc(options.yes, options.grace_days, options.archive)
    care_pages.show_swept(swept)
    return 0


def _reconcile(options: argparse.Namespace) -> int:
    care_pages.show_reconciled(reconcile(options.archive, **accounts(options)))
    return 0


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return int(text)
