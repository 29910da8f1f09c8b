"""Commands about single images."""

import argparse
import asyncio
from typing import Any

from flows.cli import console
from flows.cli.arguments import add_archive, command_of
from flows.questions import show


def add_to(commands: Any) -> None:
    """Adds `show`."""
    _add_show(commands)


def _add_show(commands: Any) -> None:
    command = command_of(commands, "show", "say where an image comes from", _show)
    command.add_argument("image", metavar="IMAGE", help="SHA-256, how it begins, or the picture's file")
    add_archive(command)
    command.add_argument("--json", action="store_true", help="print the record as it is stored")


def _show(options: argparse.Namespace) -> int:
    console.show_image(asyncio.run(show(options.image, options.archive)), as_json=options.json)
    return 0
