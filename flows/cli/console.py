"""What the terminal shows: progress while it lasts, tables at the end, errors in one paragraph.

On a terminal progress is drawn; elsewhere it is plain lines, few enough for a log.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from blocks.errors import KleinbildError
from flows.care import Reconciled
from flows.questions import Plan, Provenance
from tasks.estimate import Estimate
from tasks.models import Balance, CampaignResult, Failure
from tasks.progress import Progress as Count
from tasks.progress import Watcher
from tasks.review import Question
from tasks.shown import one_line

PROMPTS_SHOWN = 8
FACT_NAME_WIDTH = 22
LINE_EVERY = 0.1
"""Share of the shots after which another plain line is printed."""

PICTURES_SHOWN = 40
MAX_CAPTION = 100

_drawn: ContextVar[Progress | None] = ContextVar("kleinbild_drawn", default=None)
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

_out = Console(highlight=False, soft_wrap=True, emoji=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def _plain(text: str) -> str:
    """Makes a stranger's text fit for a terminal: no markup, no control sequences."""
    return escape(_CONTROL_CHARACTERS.sub(" ", text))


def show_error(error: KleinbildError) -> None:
    """Says what went wrong, in the error's own words."""
    _err.print(f"[bold red]{type(error).__name__}:[/] {_plain(str(error))}")


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
    _err.print(f"Stopped. {'; '.join(facts)}.")
    _err.print("Run the same command again to go on: what was bought is not bought twice.")


def is_interactive() -> bool:
    """Tells whether a person is there to be asked."""
    return sys.stdin.isatty() and _out.is_terminal


def asks_first(is_agreed: bool) -> bool:
    """Tells whether a person is there to be asked, and has not agreed already."""
    return not is_agreed and is_interactive()


def confirmed() -> bool:
    """Asks whether to buy."""
    return _out.input("Make these pictures? \\[y/N] ").strip().lower() in {"y", "yes"}


@contextmanager
def progress() -> Iterator[Watcher]:
    """Shows how far a campaign is, for as long as the context is open."""
    if not _err.is_terminal:
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
    with Progress(*columns, console=_err, transient=True) as drawn, _drawing(drawn):
        row = drawn.add_task("starting", total=None, facts="")
        yield lambda count: drawn.update(
            row,
            description=count.stage,
            total=count.planned or None,
            completed=count.settled,
            facts=_plain(_facts(count)),
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
    _out.print(f"\n[bold]{_plain(question.title)}[/] · edition {_plain(question.edition)}: {question.text}")
    for candidate in question.asked[:PICTURES_SHOWN]:
        _out.print(f"  {candidate.label:>4}  {_plain(one_line(candidate.image.request.prompt, MAX_CAPTION))}")
    if len(question.asked) > PICTURES_SHOWN:
        _out.print(f"   … and {len(question.asked) - PICTURES_SHOWN} more on the contact sheet")
    _out.print(f"contact sheet  {_plain(question.contact_sheet)}")
    _out.print(f"next           {_plain(question.following)}")
    if question.decided_at is not None:
        _out.print(f"Filled in with what was decided on {question.decided_at:%Y-%m-%d %H:%M} UTC.")
    if question.complaint:
        show_complaint(question.complaint)


def show_complaint(message: str) -> None:
    """Says why an answer cannot be used."""
    _out.print(f"[yellow]{_plain(message)}[/]")


def show_prompt(text: str) -> None:
    """Asks for a line, and leaves the cursor behind it."""
    _out.print(_plain(text), end="")


class _PlainLines:
    """Prints a line at each stage, and after each tenth of the shots."""

    def __init__(self) -> None:
        self._stage = ""
        self._settled = 0

    def __call__(self, count: Count) -> None:
        if count.planned == 0:
            return  # nothing to count yet
        is_next = count.settled - self._settled >= max(1.0, count.planned * LINE_EVERY)
        if count.stage != self._stage or is_next:
            self._stage, self._settled = count.stage, count.settled
            _err.print(f"{count.stage}: {count.settled} of {count.planned} shots; {_plain(_facts(count))}")


def _facts(count: Count) -> str:
    words = [f"{count.made} made", f"{count.running} running"]
    words += [f"{count.reused} had"] if count.reused else []
    words += [f"{count.failed} failed"] if count.failed else []
    words += [f"{count.skipped} not bought"] if count.skipped else []
    return f"{', '.join(words)} · {count.spent}"


def show_plan(plan: Plan) -> None:
    """Shows counts, prices and the first prompts."""
    table = Table(title=_plain(plan.title), title_justify="left")
    for heading in ("stage", "provider"):
        table.add_column(heading)
    for heading in ("shots", "price each", "at most"):
        table.add_column(heading, justify="right")
    for line in plan.estimate.lines:
        price = "unknown" if line.price is None else str(line.price)
        total = "unknown" if line.total is None else str(line.total)
        table.add_row(line.stage, line.provider, str(line.shots), price, total)
    table.add_section()
    table.add_row("all", "", str(plan.estimate.shots), "", _total(plan.estimate))
    _out.print(table)
    _out.print(
        f"{len(plan.prompts)} prompts of {plan.combinations:,} possible; "
        f"{plan.already_made} of the generated shots are in the archive already and cost nothing."
    )
    for prompt in plan.prompts[:PROMPTS_SHOWN]:
        _out.print(f"  · {_plain(prompt.text)}")
    if len(plan.prompts) > PROMPTS_SHOWN:
        _out.print(f"  … and {len(plan.prompts) - PROMPTS_SHOWN} more")


def _total(estimate: Estimate) -> str:
    """Says the price of all; an unknown price is no zero."""
    known = [str(amount) for amount in estimate.total.amounts]
    unknown = ["unknown"] if any(line.price is None for line in estimate.lines) else []
    return " + ".join(known + unknown) or str(estimate.total)


def show_result(result: CampaignResult) -> None:
    """Sums a campaign up."""
    table = Table(title=f"{_plain(result.campaign)} · edition {_plain(result.edition)}", title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    figures = {
        "pictures": len(result.images),
        "keepers": len(result.keepers),
        "near-duplicates": len(result.duplicates),
        **({"rejected": len(result.rejected)} if result.rejected else {}),
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
    _out.print(table)
    if result.failures:
        _show_failures(result.failures)
    _out.print(f"archive        {_plain(result.archive)}")
    _out.print(f"contact sheet  {_plain(result.contact_sheet)}")


def _add_balance(table: Table, balance: Balance) -> None:
    """Adds what all runs cost together; what is open or lost only where there is any."""
    for name, amount in balance.amounts():
        if amount != "0" or name == "paid":
            table.add_row(f"all runs: {name}, {balance.unit}", amount)


def _show_failures(failures: tuple[Failure, ...]) -> None:
    """Says each reason once, with the number of shots that it struck."""
    for (kind, message), number in Counter((each.kind, each.message) for each in failures).most_common():
        _out.print(f"[yellow]{number} ×[/] {_plain(kind)}: {_plain(message)}")


def show_reconciled(reconciled: tuple[Reconciled, ...]) -> None:
    """Shows what became of shots that had been left open."""
    if not reconciled:
        _out.print("Nothing is open: every shot is done, failed or released, or belongs to a run that is at work.")
        return
    table = Table(title="shots that were left open", title_justify="left")
    for heading in ("campaign", "edition", "provider", "shot", "was", "is", "note"):
        table.add_column(heading)
    for each in reconciled:
        cells = (each.campaign, each.edition, each.provider, each.shot_key[:12], each.was, each.now, each.note)
        table.add_row(*(escape(cell) for cell in cells))
    _out.print(table)


def show_image(provenance: Provenance, *, as_json: bool) -> None:
    """Shows everything that is known of an image."""
    record = provenance.record
    if as_json:
        _out.print_json(record.model_dump_json())
        return
    # No table: it would break digests at the width of the terminal, and they are there to be copied.
    for name, value in (("image", record.sha256), *_facts_of(provenance)):
        _out.print(f"{_plain(name):<{FACT_NAME_WIDTH}} {_plain(value)}")


def _facts_of(provenance: Provenance) -> Iterator[tuple[str, str]]:
    record, checks = provenance.record, provenance.record.checks
    yield "prompt", record.request.prompt
    yield from ((f"  {each.name}", each.value) for each in record.prompt.bindings)
    yield "seed", str(record.request.seed)
    yield "model", f"{record.request.model} ({record.provider}{', sandbox' if record.sandbox else ''})"
    yield "size", f"{checks.width_px} x {checks.height_px} px, {checks.media_type}, {checks.size_bytes} bytes"
    yield "made", f"{record.made_at:%Y-%m-%d %H:%M:%S} UTC, job {record.job_id}, output {record.output_index}"
    yield (
        "campaign",
        f"{record.campaign} · edition {record.edition} · {'edit ' if record.step else 'step '}{record.step}",
    )
    yield "cost", str(record.cost) if record.cost else "unknown"
    yield "parent", record.parent_sha256 or "none: generated from text"
    yield from ((f"reference {each.role}", each.sha256) for each in record.references)
    yield from (("edited into", sha256) for sha256 in provenance.edits)
    yield from ((f"verdict in {each.campaign}", f"{each.kind}: {each.reason}") for each in provenance.verdicts)
    yield "shot key", record.shot_key
    yield "file", provenance.file
