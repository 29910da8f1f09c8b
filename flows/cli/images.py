"""Commands about single images."""

import argparse
import asyncio
from typing import Any

from flows.cli import console, image_pages
from flows.cli.arguments import accounts, add_archive, add_budget, add_edition, add_sandbox, command_of
from flows.cli.making import SOME_FAILED
from flows.replaying import Request, price_of, refuse_itself, replay, request_of
from flows.showing import show

IMAGE_HELP = (
    "SHA-256, how it begins, or a picture's file: the image itself, or a copy, also stripped, re-encoded, cropped or "
    "mirrored"
)


def add_to(commands: Any) -> None:
    """Adds `show` and `replay`."""
    _add_show(commands)
    _add_replay(commands)


def _add_show(commands: Any) -> None:
    command = command_of(commands, "show", "say where an image comes from", _show)
    command.add_argument("image", metavar="IMAGE", help=IMAGE_HELP)
    add_archive(command)
    how = command.add_mutually_exclusive_group()
    how.add_argument("--tree", action="store_true", help="draw what it was made from, and what was made from it")
    how.add_argument("--json", action="store_true", help="print the record as it is stored")


def _add_replay(commands: Any) -> None:
    command = command_of(commands, "replay", "rebuild the request that made an image; buys nothing", _replay)
    command.add_argument("image", metavar="IMAGE", help=IMAGE_HELP)
    command.add_argument("--run", action="store_true", dest="is_run", help="make it again: this costs one picture")
    command.add_argument("--yes", action="store_true", help="do not ask before buying")
    add_archive(command)
    add_edition(command, "the same edition buys nothing twice; another one makes the image once more")
    add_budget(command, "what it may cost, in USD")
    add_sandbox(command)


def _show(options: argparse.Namespace) -> int:
    provenance = asyncio.run(show(options.image, options.archive))
    if options.tree:
        image_pages.show_tree(provenance)
    else:
        image_pages.show_image(provenance, as_json=options.json)
    return 0


def _replay(options: argparse.Namespace) -> int:
    request = asyncio.run(request_of(options.image, options.archive, may_be_saved=options.sandbox is None))
    image_pages.show_request(request)
    if not options.is_run:
        return 0
    refuse_itself(request, options.edition)
    if not _is_agreed(options, request):
        return 0
    replayed = replay(request.record.sha256, options.edition, options.budget, options.archive, **accounts(options))
    image_pages.show_replayed(replayed)
    return SOME_FAILED if replayed.failures else 0


def _is_agreed(options: argparse.Namespace, request: Request) -> bool:
    """Asks a person, if there is one, and says what it costs."""
    if not console.asks_first(options.yes or options.sandbox is not None):
        return True
    price = asyncio.run(price_of(request, options.archive, **accounts(options)))
    return console.confirmed(f"Make it again for {price or 'a price that nobody knows'}?")
