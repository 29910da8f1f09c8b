"""Arguments that commands share, and the keywords that flows make of them."""

import argparse
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from flows.accounts import sandbox_credentials
from flows.opening import DEFAULT_EDITION

ARCHIVE_HELP = "folder, or saved block as image-archive/NAME; the saved default or the folder `archive` if left out"


def command_of(
    commands: Any, name: str, summary: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Adds a command, and what it runs: that returns the exit code."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
    command.add_argument("--verbose", action="store_true", help="show Prefect's log as well")
    command.set_defaults(run=run)
    return command


def add_archive(command: argparse.ArgumentParser) -> None:
    """Adds the archive that a command looks into."""
    command.add_argument("--archive", metavar="ARCHIVE", help=ARCHIVE_HELP)


def add_sandbox(command: argparse.ArgumentParser) -> None:
    """Adds the stand-in for both providers."""
    command.add_argument("--sandbox", metavar="URL", help="use the local sandbox at this address, with no account")


def add_review(command: argparse.ArgumentParser) -> None:
    """Adds the wish to be asked."""
    command.add_argument(
        "--review",
        action="store_true",
        help="ask which pictures to keep, before each further edit too",
    )


def add_terms(command: argparse.ArgumentParser) -> None:
    """Adds the terms of all commands that buy."""
    command.add_argument("--archive", metavar="ARCHIVE", help=f"{ARCHIVE_HELP}; overrides the brief")
    add_edition(command, "another edition draws new seeds; daily, hourly, weekly and monthly follow the clock")
    add_sandbox(command)
    add_budget(command, "what it may cost; overrides the brief")


def add_edition(command: argparse.ArgumentParser, summary: str) -> None:
    """Adds the edition, and what another one means."""
    command.add_argument("--edition", default=DEFAULT_EDITION, help=summary)


def add_budget(command: argparse.ArgumentParser, summary: str) -> None:
    """Adds the most that may be spent."""
    command.add_argument("--budget", type=_amount, metavar="N", help=summary)


def terms(options: argparse.Namespace) -> dict[str, Any]:
    """Collects the keywords that all flows share."""
    return {"archive": options.archive, "edition": options.edition, "budget": options.budget, **accounts(options)}


def accounts(options: argparse.Namespace) -> dict[str, Any]:
    """Hands over the sandbox's credentials where it is asked for; saved blocks are found by the flow itself."""
    if options.sandbox is None:
        return {}
    scenario, sunra = sandbox_credentials(options.sandbox)
    return {"scenario": scenario, "sunra": sunra}


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount")
    return amount
