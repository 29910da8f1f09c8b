"""What the command line offers: arguments, and which flow or question each command stands for."""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from blocks.errors import BriefError, BudgetExhausted, KleinbildError
from flows import console
from flows.accounts import sandbox_credentials
from flows.campaign import campaign
from flows.care import reconcile
from flows.opening import DEFAULT_EDITION
from flows.questions import plan_of, show
from flows.revise import revise
from flows.terminal import reviewing_here
from tasks.brief import RevisionBrief
from tasks.brief_reading import load_brief, read_brief
from tasks.models import CampaignResult
from tasks.progress import Progress, watching

EXIT_CODES = """exit codes:
  0  done                                    4  the budget did not reach for all
  1  something unforeseen                    5  the archive is damaged, or cannot be written
  2  the brief or the command line is wrong  6  a provider refused, or could not be reached
  3  credentials or a setting are missing    7  done, but some shots made no picture
  130  stopped with Ctrl-C: run it again to go on; what was bought is not bought twice
"""
ARCHIVE_HELP = "folder, or saved block as image-archive/NAME; the saved default or the folder `archive` if left out"
SOME_FAILED = 7
STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except KleinbildError as error:
        console.show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        console.show_stopped(Progress())
        return STOPPED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flows",
        description="From a creative brief to an archive of distinct, traceable pictures.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_campaign(commands)
    _add_plan(commands)
    _add_revise(commands)
    _add_reconcile(commands)
    _add_show(commands)
    return parser


def _add_campaign(commands: Any) -> None:
    command = _command(commands, "campaign", "make the pictures of a brief", _campaign)
    command.add_argument("brief", type=Path, metavar="BRIEF.yaml")
    command.add_argument("--yes", action="store_true", help="do not ask before buying")
    _add_review(command)
    _add_terms(command)


def _add_plan(commands: Any) -> None:
    command = _command(commands, "plan", "say what a brief would make and cost; buys nothing", _plan)
    command.add_argument("brief", type=Path, metavar="BRIEF.yaml")
    _add_terms(command)


def _add_revise(commands: Any) -> None:
    command = _command(commands, "revise", "edit images of the archive further", _revise)
    command.add_argument("images", nargs="+", metavar="IMAGE", help="SHA-256 of an image, or how it begins")
    command.add_argument("-i", "--instruction", action="append", required=True, help="an edit; several make a chain")
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="ROLE=FILE", help="a picture to call @ROLE"
    )
    command.add_argument("--provider", choices=["scenario", "sunra"], default="sunra")
    command.add_argument("--name", default="revisions", help="campaign that the results belong to")
    _add_review(command)
    _add_terms(command)


def _add_reconcile(commands: Any) -> None:
    command = _command(commands, "reconcile", "find out what became of shots that killed runs left open", _reconcile)
    command.add_argument("--archive", metavar="ARCHIVE", help=ARCHIVE_HELP)
    command.add_argument("--sandbox", metavar="URL", help="use the local sandbox at this address, with no account")


def _add_show(commands: Any) -> None:
    command = _command(commands, "show", "say where an image comes from", _show)
    command.add_argument("image", metavar="IMAGE", help="SHA-256, how it begins, or the picture's file")
    command.add_argument("--archive", metavar="ARCHIVE", help=ARCHIVE_HELP)
    command.add_argument("--json", action="store_true", help="print the record as it is stored")


def _command(
    commands: Any, name: str, summary: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
    command.add_argument("--verbose", action="store_true", help="show Prefect's log as well")
    command.set_defaults(run=run)
    return command


def _add_review(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--review",
        action="store_true",
        help="ask which pictures to keep, before each further edit too",
    )


def _add_terms(command: argparse.ArgumentParser) -> None:
    command.add_argument("--archive", metavar="ARCHIVE", help=f"{ARCHIVE_HELP}; overrides the brief")
    command.add_argument(
        "--edition",
        default=DEFAULT_EDITION,
        help="another edition draws new seeds; daily, hourly, weekly and monthly follow the clock",
    )
    command.add_argument("--sandbox", metavar="URL", help="use the local sandbox at this address, with no account")
    command.add_argument("--budget", type=_amount, metavar="N", help="what it may cost; overrides the brief")


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount")
    return amount


def _campaign(options: argparse.Namespace) -> int:
    brief = load_brief(options.brief)
    terms = _terms(options)
    if console.asks_first(options.yes or options.sandbox is not None):
        console.show_plan(asyncio.run(plan_of(brief, **terms)))
        if not console.confirmed():
            return 0
    return _watched(lambda: campaign(brief, review=options.review, **terms))


def _plan(options: argparse.Namespace) -> int:
    console.show_plan(asyncio.run(plan_of(load_brief(options.brief), **_terms(options))))
    return 0


def _revise(options: argparse.Namespace) -> int:
    references = [_reference(text) for text in options.reference]
    roles = [reference["role"] for reference in references]
    edits = [{"instruction": text, "provider": options.provider, "references": roles} for text in options.instruction]
    brief = read_brief(
        {"name": options.name, "references": references, "edits": edits}, RevisionBrief, shown_as="This revision"
    )
    return _watched(lambda: revise(options.images, brief, review=options.review, **_terms(options)))


def _reconcile(options: argparse.Namespace) -> int:
    console.show_reconciled(reconcile(options.archive, **_accounts(options)))
    return 0


def _watched(run: Callable[[], CampaignResult]) -> int:
    """Runs a flow with its progress on the terminal, and sums it up."""
    last = Progress()

    def watch(count: Progress) -> None:
        nonlocal last
        last = count
        draw(count)

    try:
        with console.progress() as draw, watching(watch), reviewing_here():
            result = run()
    except KeyboardInterrupt:
        console.show_stopped(last)
        return STOPPED
    console.show_result(result)
    if any(failure.kind == BudgetExhausted.__name__ for failure in result.failures):
        return BudgetExhausted.exit_code
    return SOME_FAILED if result.failures else 0


def _terms(options: argparse.Namespace) -> dict[str, Any]:
    """Collects the keywords that all flows share."""
    return {"archive": options.archive, "edition": options.edition, "budget": options.budget, **_accounts(options)}


def _accounts(options: argparse.Namespace) -> dict[str, Any]:
    """Hands over the sandbox's credentials where it is asked for; saved blocks are found by the flow itself."""
    if options.sandbox is None:
        return {}
    scenario, sunra = sandbox_credentials(options.sandbox)
    return {"scenario": scenario, "sunra": sunra}


def _reference(text: str) -> dict[str, str]:
    role, equals, source = text.partition("=")
    if not equals or not source:
        raise BriefError(f"--reference {text!r}: write it as ROLE=FILE, such as product=mug.png.")
    return {"role": role, "source": source}


def _show(options: argparse.Namespace) -> int:
    console.show_image(asyncio.run(show(options.image, options.archive)), as_json=options.json)
    return 0
