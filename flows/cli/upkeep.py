"""Commands for the archive's upkeep."""

import argparse
from typing import Any

from flows.care import reconcile
from flows.cli import console
from flows.cli.arguments import accounts, add_archive, add_sandbox, command_of


def add_to(commands: Any) -> None:
    """Adds `reconcile`."""
    _add_reconcile(commands)


def _add_reconcile(commands: Any) -> None:
    command = command_of(commands, "reconcile", "find out what became of shots that killed runs left open", _reconcile)
    add_archive(command)
    add_sandbox(command)


def _reconcile(options: argparse.Namespace) -> int:
    console.show_reconciled(reconcile(options.archive, **accounts(options)))
    return 0
