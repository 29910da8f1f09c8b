"""What the terminal shows of the upkeep: progress while it lasts, and tables of what was found and done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from flows.care import Reconciled
from flows.care.tables import said_of_look, said_of_lost
from flows.cli.screen import err, out, plain
from tasks.care.findings import Finding
from tasks.care.rebuild import Rebuilt
from tasks.care.repair import Repaired
from tasks.care.sweep import Swept
from tasks.care.verify import Verified
from tasks.steps import StepWatcher

FINDINGS_SHOWN = 200


@contextmanager
def step_progress() -> Iterator[StepWatcher]:
    """Shows how far a stage is, for as long as the context is open; in a log nothing, for the end says it all."""
    if not err.is_terminal:
        yield lambda stage, done, due: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as drawn:
        row = drawn.add_task("listing", total=None)
        yield lambda stage, done, due: drawn.update(row, description=stage, total=due, completed=done)


def show_verified(verified: Verified) -> None:
    """Sums up a look that found no damage."""
    show_findings(verified.findings)
    out.print(f"Sound. {plain(said_of_look(verified))}.")


def show_findings(findings: Sequence[Finding]) -> None:
    """Lists what was found, damage first."""
    if not findings:
        return
    table = _table("what was found", "what", "where", "details")
    for finding in sorted(findings, key=lambda each: not each.is_damage)[:FINDINGS_SHOWN]:
        table.add_row(finding.kind.replace("_", " "), plain(finding.key), plain(finding.detail))
    out.print(table)
    if len(findings) > FINDINGS_SHOWN:
        out.print(f"… and {len(findings) - FINDINGS_SHOWN} more; the run's artifact has them.")


def show_repaired(repaired: Repaired) -> None:
    """Lists what was mended, and what could not be."""
    if repaired.mendings:
        table = _table("damage", "where", "what", "became", "how, or why not")
        for each in repaired.mendings[:FINDINGS_SHOWN]:
            became = "mended" if each.is_mended else "[yellow]left[/]"
            table.add_row(plain(each.finding.key), each.finding.kind.replace("_", " "), became, plain(each.note))
        out.print(table)
    left = sum(not each.is_mended for each in repaired.mendings)
    out.print(f"{len(repaired.mendings) - left} mended, {left} left as they are, {repaired.copies}.")


def show_rebuilt(rebuilt: Rebuilt) -> None:
    """Sums up a rebuild."""
    show_findings(rebuilt.findings)
    same = rebuilt.records - rebuilt.added - rebuilt.corrected - len(rebuilt.findings)
    out.print(
        f"{rebuilt.records} records: {rebuilt.added} rows were missing, {rebuilt.corrected} said otherwise, "
        f"{same} were right."
    )
    for sentence in said_of_lost(rebuilt):
        out.print(f"{sentence}.")


def show_swept(swept: Swept) -> None:
    """Lists what was taken out, or would be."""
    would = "would be " if swept.is_dry else ""
    for what, sha256s in (("put back", swept.restored), ("moved into the trash", swept.trashed)):
        for sha256 in sha256s:
            out.print(f"{would}{what}  {sha256}")
    for sha256 in swept.deleted:
        out.print(f"{would}deleted for good  {sha256}")
    out.print(
        f"{len(swept.trashed)} {would}moved into the trash ({swept.trashed_bytes / 1e6:.1f} MB), "
        f"{len(swept.deleted)} {would}deleted for good ({swept.deleted_bytes / 1e6:.1f} MB), "
        f"{len(swept.restored)} {would}put back, {len(swept.waiting)} wait in the trash."
    )
    if swept.is_dry and (swept.trashed or swept.deleted or swept.restored):
        out.print("Nothing was changed: add --yes to do it.")


def show_reconciled(reconciled: tuple[Reconciled, ...]) -> None:
    """Shows what became of shots that had been left open."""
    if not reconciled:
        out.print("Nothing is open: every shot is done, failed or released, or belongs to a run that is at work.")
        return
    table = _table("shots that were left open", "campaign", "edition", "provider", "shot", "was", "is", "note")
    for each in reconciled:
        cells = (each.campaign, each.edition, each.provider, each.shot_key[:12], each.was, each.now, each.note)
        table.add_row(*(plain(cell) for cell in cells))
    out.print(table)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
