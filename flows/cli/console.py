"""What the terminal shows: progress while it lasts, tables at the end, errors in one paragraph.

On a terminal progress is drawn; elsewhere it is plain lines, few enough for a log.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from blocks.errors import KleinbildError
from flows.cli.screen import err, out, plain
from flows.questions import Plan
from tasks.models import Balance, CampaignResult, Failure, Flagged
from tasks.placeholders import said_of_placeholders
from tasks.progress import Milestones, Watcher
from tasks.progress import Progress as Count
from tasks.review import Question
from tasks.rounds import yield_line
from tasks.shown import one_line

PROMPTS_SHOWN = 8
PICTURES_SHOWN = 40
MAX_CAPTION = 100

_drawn: ContextVar[Progress | None] = ContextVar("kleinbild_drawn", default=None)


def show_error(error: KleinbildError) -> None:
    """Says what went wrong, in the error's own words."""
    err.print(f"[bold red]{type(error).__name__}:[/] {plain(str(error))}")


def show_stopped(count: Count) -> None:
    """Says what Ctrl-C has left behind, and what remains to be done."""
    waiting = count.planned - count.settled - count.running
    facts = [f"{count.made} shots were made", f"{count.reused} were had before"]
    if count.running:
        facts.append(f"{count.running} are still running at the provider, and the next run collects them")
    if waiting + count.skipped:
        facts.append(f"{waiting + count.skipped} were not bought")
    if count.failed:
        facts.append(f"{count.failed} failed")
    err.print(f"Stopped. {'; '.join(facts)}.")
    err.print("Run the same command again to go on: what was bought is not bought twice.")


def is_interactive() -> bool:
    """Tells whether a person is there to be asked."""
    return sys.stdin.isatty() and out.is_terminal


def asks_first(is_agreed: bool) -> bool:
    """Tells whether a person is there to be asked, and has not agreed already."""
    return not is_agreed and is_interactive()


def confirmed(question: str = "Make these pictures?") -> bool:
    """Asks whether to buy."""
    return out.input(f"{question} \\[y/N] ").strip().lower() in {"y", "yes"}


@contextmanager
def progress() -> Iterator[Watcher]:
    """Shows how far a campaign is, for as long as the context is open."""
    if not err.is_terminal:
        yield _PlainLines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as drawn, _drawing(drawn):
        row = drawn.add_task("starting", total=None, facts="")
        yield lambda count: drawn.update(
            row,
            description=count.stage,
            total=count.planned or None,
            completed=count.settled,
            facts=plain(count.facts),
        )


@contextmanager
def _drawing(drawn: Progress) -> Iterator[None]:
    token = _drawn.set(drawn)
    try:
        yield
    finally:
        _drawn.reset(token)


@contextmanager
def calm() -> Iterator[None]:
    """Draws no progress while the context is open: somebody is typing."""
    drawn = _drawn.get()
    if drawn is None:
        yield
        return
    drawn.stop()
    try:
        yield
    finally:
        drawn.start()


def show_question(question: Question) -> None:
    """Shows what a person is asked: pictures by their numbers, and where to look at them."""
    out.print(f"\n[bold]{plain(question.title)}[/] · edition {plain(question.edition)}: {question.text}")
    for candidate in question.asked[:PICTURES_SHOWN]:
        out.print(f"  {candidate.label:>4}  {plain(one_line(candidate.image.request.prompt, MAX_CAPTION))}")
    if len(question.asked) > PICTURES_SHOWN:
        out.print(f"   … and {len(question.asked) - PICTURES_SHOWN} more on the contact sheet")
    out.print(f"contact sheet  {plain(question.contact_sheet)}")
    out.print(f"next           {plain(question.following)}")
    if question.decided_at is not None:
        out.print(f"Filled in with what was decided on {question.decided_at:%Y-%m-%d %H:%M} UTC.")
    if question.complaint:
        show_complaint(question.complaint)


def show_complaint(message: str) -> None:
    """Says why an answer cannot be used."""
    out.print(f"[yellow]{plain(message)}[/]")


def show_prompt(text: str) -> None:
    """Asks for a line, and leaves the cursor behind it."""
    out.print(plain(text), end="")


class _PlainLines:
    """Prints a line at each stage, and after each tenth of the shots."""

    def __init__(self) -> None:
        self._milestones = Milestones()

    def __call__(self, count: Count) -> None:
        if self._milestones.is_next(count):
            err.print(f"{count.stage}: {count.settled} of {count.planned} shots; {plain(count.facts)}")


def show_plan(plan: Plan) -> None:
    """Shows counts, prices and the first prompts."""
    table = Table(title=plain(plan.title), title_justify="left")
    for heading in ("stage", "provider"):
        table.add_column(heading)
    target = plan.estimate.target_unique
    for heading in ("shots", "price each", "at most" if target is None else "at least"):
        table.add_column(heading, justify="right")
    for line in plan.estimate.lines:
        price = "unknown" if line.price is None else str(line.price)
        total = "unknown" if line.total is None else str(line.total)
        table.add_row(line.stage, line.provider, str(line.shots), price, total)
    table.add_section()
    table.add_row("all", "", str(plan.estimate.shots), "", plan.estimate.price)
    out.print(table)
    out.print(
        f"{len(plan.prompts)} prompts of {plan.combinations:,} possible; "
        f"{plan.already_made} of the generated shots are in the archive already and cost nothing."
    )
    if target is not None:
        out.print(
            f"Goes on in rounds until {target:,} pictures are distinct: each one that repeats another costs one more. "
            "The budget ends the rounds, and so does a yield below min_yield."
        )
    for prompt in plan.prompts[:PROMPTS_SHOWN]:
        out.print(f"  · {plain(prompt.text)}")
    if len(plan.prompts) > PROMPTS_SHOWN:
        out.print(f"  … and {len(plan.prompts) - PROMPTS_SHOWN} more")


def show_result(result: CampaignResult) -> None:
    """Sums a campaign up."""
    table = Table(title=f"{plain(result.campaign)} · edition {plain(result.edition)}", title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    figures = {
        "pictures": len(result.images),
        "keepers": len(result.keepers),
        "near-duplicates": len(result.duplicates),
        **({"rejected": len(result.rejected)} if result.rejected else {}),
        **({"edits flagged": len(result.flagged)} if result.flagged else {}),
        "shots bought now": result.bought,
        "shots had before": result.reused,
        "shots failed": len(result.failures),
    }
    for name, number in figures.items():
        table.add_row(name, str(number))
    table.add_section()
    table.add_row("spent now", str(result.cost))
    for balance in result.balances:
        _add_balance(table, balance)
    out.print(table)
    if result.failures:
        _show_failures(result.failures)
    _show_flagged(result.flagged)
    if held_back := said_of_placeholders(result.images):
        out.print(f"[yellow]look[/] {held_back}.")
    if result.rounds:
        out.print(f"distinct       {plain(result.rounds[-1].message)}; {plain(yield_line(result.rounds))}")
    out.print(f"archive        {plain(result.archive)}")
    out.print(f"contact sheet  {plain(result.contact_sheet)}")


def _add_balance(table: Table, balance: Balance) -> None:
    """Adds what all runs cost together; what is open or lost only where there is any."""
    for name, amount in balance.amounts():
        if amount != "0" or name == "paid":
            table.add_row(f"all runs: {name}, {balance.unit}", amount)


def _show_flagged(flagged: tuple[Flagged, ...]) -> None:
    """Says which edits changed more or less than they should have."""
    for each in flagged[:PICTURES_SHOWN]:
        out.print(f"[yellow]edit {each.step}[/] {each.sha256[:12]}: {plain(each.reason)}")
    if len(flagged) > PICTURES_SHOWN:
        out.print(f"  … and {len(flagged) - PICTURES_SHOWN} more, flagged on the contact sheet")


def _show_failures(failures: tuple[Failure, ...]) -> None:
    """Says each reason once, with the number of shots that it struck."""
    for (kind, message), number in Counter((each.kind, each.message) for each in failures).most_common():
        out.print(f"[yellow]{number} ×[/] {plain(kind)}: {plain(message)}")
