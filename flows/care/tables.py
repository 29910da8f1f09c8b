"""What the upkeep tells in the Prefect UI: one table per run, as an artifact. Prefect renders Markdown in its cells."""

from collections.abc import Sequence

from prefect.artifacts import acreate_table_artifact
from prefect.context import FlowRunContext

from blocks.provider import Frozen
from tasks.care.rebuild import Rebuilt
from tasks.care.repair import Repaired
from tasks.care.sweep import Swept
from tasks.care.verify import Verified
from tasks.rejudging import Rejudged
from tasks.report.markdown import escape
from tasks.shown import one_line

MAX_ROWS = 1000
"""Prefect stores artifacts in its database; a store that is gone would be a million rows."""

MAX_DETAIL = 300


class _Row(Frozen):
    what: str
    key: str
    detail: str


async def publish_findings(verified: Verified) -> None:
    """Creates the artifact `verify`: everything that was found."""
    rows = [_row(finding.kind, finding.key, finding.detail) for finding in verified.findings]
    await _publish("verify", rows, said_of_look(verified))


async def publish_mendings(repaired: Repaired) -> None:
    """Creates the artifact `repair`: what was mended, and what could not be."""
    rows = [
        _row("mended" if each.is_mended else "left as it is", each.finding.key, f"{each.finding.detail} {each.note}")
        for each in repaired.mendings
    ]
    mended = sum(each.is_mended for each in repaired.mendings)
    await _publish("repair", rows, f"{mended} of {len(rows)} mended; {repaired.copies}")


async def publish_rebuilt(rebuilt: Rebuilt) -> None:
    """Creates the artifact `rebuild`: records that could not be read."""
    rows = [_row(finding.kind, finding.key, finding.detail) for finding in rebuilt.findings]
    said = f"{rebuilt.records} records; {rebuilt.added} rows were new, {rebuilt.corrected} said otherwise"
    await _publish("rebuild", rows, ". ".join((said, *said_of_lost(rebuilt))))


async def publish_swept(swept: Swept) -> None:
    """Creates the artifact `gc`: every picture that was moved or deleted."""
    done = {"into the trash": swept.trashed, "deleted": swept.deleted, "put back": swept.restored}
    rows = [_row(what, sha256, "") for what, sha256s in done.items() for sha256 in sha256s]
    said = "Only looked: nothing was changed" if swept.is_dry else "Done"
    await _publish("gc", rows, f"{said}; {len(swept.waiting)} wait in the trash")


def said_of_lost(rebuilt: Rebuilt) -> tuple[str, ...]:
    """Says in sentences what was put back beside the rows, and what is still to be done or cannot be known."""
    restored = rebuilt.shots + rebuilt.open_shots
    said = []
    if restored or rebuilt.verdicts:
        said.append(f"{rebuilt.shots} finished shots and {rebuilt.verdicts} verdicts were put back")
    if rebuilt.open_shots:
        said.append(
            f"{rebuilt.open_shots} shots have pictures that are not here, or that lie in quarantine: the next run of "
            "their campaign, or `reconcile`, collects them, and buys nothing"
        )
    if rebuilt.unjudged:
        said.append(
            f"{rebuilt.unjudged} pictures are in editions that no file says the verdicts of: they are unjudged until "
            "their campaign is run again, which buys nothing"
        )
    if restored:
        said.append(
            "Shots that failed, were lost or under way left no record: their money is not counted, and what was under "
            "way may be bought again"
        )
    return tuple(said)


async def publish_rejudged(rejudged: Rejudged) -> None:
    """Creates the artifact `dedupe`: which verdicts change, with a few examples of each change."""
    rows = [
        _row(f"{change.before} -> {change.after}, {change.count} in all", example.sha256, example.reason)
        for change in rejudged.changes
        for example in change.examples
    ]
    await _publish("dedupe", rows, said_of_rejudged(rejudged))


def said_of_rejudged(rejudged: Rejudged) -> str:
    """Sums up in one line what judging anew has changed, or would."""
    changed = sum(change.count for change in rejudged.changes)
    uncompared = f"; {rejudged.uncompared} could not be compared" if rejudged.uncompared else ""
    return (
        f"{rejudged.pictures} pictures, {rejudged.keepers} distinct{uncompared}: {changed} verdicts "
        f"{'changed' if rejudged.is_applied else 'would change'}, {rejudged.same} say the same"
    )


def said_of_look(verified: Verified) -> str:
    """Sums a look up in one line."""
    share = "all" if verified.every_days == 1 else f"1/{verified.every_days}, the turn of {verified.day}"
    damage = sum(finding.is_damage for finding in verified.findings)
    return (
        f"{verified.records} records, {verified.objects} objects; read {verified.looked_at} ({share}), "
        f"{verified.read_bytes / 1e6:.1f} MB{', and decoded them' if verified.deep else ''}: "
        f"{damage} damaged, {len(verified.findings) - damage} orphaned"
    )


def _row(what: str, key: str, detail: str) -> _Row:
    return _Row(what=what, key=escape(key), detail=escape(one_line(detail, MAX_DETAIL)))


async def _publish(key: str, rows: Sequence[_Row], said: str) -> None:
    if FlowRunContext.get() is None:
        return
    left_out = f" · the first {MAX_ROWS} of {len(rows)}" if len(rows) > MAX_ROWS else ""
    table = [row.model_dump() for row in rows[:MAX_ROWS]]
    await acreate_table_artifact(table, key=key, description=f"{escape(said)}{left_out}")
