"""Commands that make pictures, and the one that only says what would be made."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blocks.errors import BriefError, BudgetExhausted
from flows.campaign import campaign
from flows.cli import console
from flows.cli.arguments import add_review, add_terms, command_of, terms
from flows.cli.terminal import reviewing_here
from flows.questions import plan_of
from flows.revise import revise
from tasks.brief import RevisionBrief
from tasks.brief_reading import load_brief, read_brief
from tasks.models import CampaignResult
from tasks.progress import Progress, watching

SOME_FAILED = 7
STOPPED = 130


def add_to(commands: Any) -> None:
    """Adds `campaign`, `plan` and `revise`."""
    _add_campaign(commands)
    _add_plan(commands)
    _add_revise(commands)


def _add_campaign(commands: Any) -> None:
    command = command_of(commands, "campaign", "make the pictures of a brief", _campaign)
    command.add_argument("brief", type=Path, metavar="BRIEF.yaml")
    command.add_argument("--yes", action="store_true", help="do not ask before buying")
    add_review(command)
    add_terms(command)


def _add_plan(commands: Any) -> None:
    command = command_of(commands, "plan", "say what a brief would make and cost; buys nothing", _plan)
    command.add_argument("brief", type=Path, metavar="BRIEF.yaml")
    add_terms(command)


def _add_revise(commands: Any) -> None:
    command = command_of(commands, "revise", "edit images of the archive further", _revise)
    command.add_argument("images", nargs="+", metavar="IMAGE", help="SHA-256 of an image, or how it begins")
    command.add_argument("-i", "--instruction", action="append", required=True, help="an edit; several make a chain")
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="ROLE=FILE", help="a picture to call @ROLE"
    )
    command.add_argument("--provider", choices=["scenario", "sunra"], default="sunra")
    command.add_argument("--name", default="revisions", help="campaign that the results belong to")
    add_review(command)
    add_terms(command)


def _campaign(options: argparse.Namespace) -> int:
    brief = load_brief(options.brief)
    agreed = terms(options)
    if console.asks_first(options.yes or options.sandbox is not None):
        console.show_plan(asyncio.run(plan_of(brief, **agreed)))
        if not console.confirmed():
            return 0
    return _watched(lambda: campaign(brief, review=options.review, **agreed))


def _plan(options: argparse.Namespace) -> int:
    console.show_plan(asyncio.run(plan_of(load_brief(options.brief), **terms(options))))
    return 0


def _revise(options: argparse.Namespace) -> int:
    references = [_reference(text) for text in options.reference]
    roles = [reference["role"] for reference in references]
    edits = [{"instruction": text, "provider": options.provider, "references": roles} for text in options.instruction]
    brief = read_brief(
        {"name": options.name, "references": references, "edits": edits}, RevisionBrief, shown_as="This revision"
    )
    return _watched(lambda: revise(options.images, brief, review=options.review, **terms(options)))


def _reference(text: str) -> dict[str, str]:
    role, equals, source = text.partition("=")
    if not equals or not source:
        raise BriefError(f"--reference {text!r}: write it as ROLE=FILE, such as product=mug.png.")
    return {"role": role, "source": source}


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
