"""Judges a whole archive anew: all pictures of all campaigns, held against each other by one rule.

In a campaign the keepers of the archive stay keepers, whatever comes after them. Here everything counts alike, so the
best of a group becomes its keeper. What people have decided holds. Verdicts are records: nothing is ever deleted.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from blocks.archive.archive import Archive
from blocks.archive.catalogue import CatalogueEntry, VerdictRow
from blocks.provider import Frozen
from tasks.archive import read_record, verdict_row
from tasks.brief import Dedupe
from tasks.care.verify import AT_ONCE, Progress
from tasks.decided import as_decided, decisions_on
from tasks.dedupe import WORKERS, Roots, Wishes, entrant_of, rule_text, verdict_on
from tasks.edition_file import put_verdicts
from tasks.grouping import Entrant, group
from tasks.likeness import Alikeness
from tasks.models import ImageRecord, Verdict
from tasks.review import Standing
from tasks.rulings import Rulings, rulings_in
from tasks.signature import is_comparable

UNJUDGED = "unjudged"
ANOTHER = "duplicate of another"
MOST_EXAMPLES = 3

Edition = tuple[str, str]
"""Its campaign, and its name."""


class Example(Frozen):
    """One verdict that changes."""

    sha256: str
    campaign: str
    edition: str
    was: str
    reason: str


class Change(Frozen):
    """Verdicts that change alike."""

    before: str
    after: str
    count: int
    examples: tuple[Example, ...]


class RuleCount(Frozen):
    """How many verdicts on record were found by one rule."""

    rule: str
    count: int


class Rejudged(Frozen):
    """What judging an archive anew says otherwise than the verdicts on record."""

    rule: str
    pictures: int
    """Pictures that were compared."""
    uncompared: int
    """Pictures that are signed by another rule, or not at all: their verdicts stay as they are."""
    keepers: int
    same: int
    """Verdicts that say the same, in the same or in other words."""
    reworded: int
    changes: tuple[Change, ...]
    rules: tuple[RuleCount, ...]
    """The rules of the verdicts on record, the most frequent first."""
    is_applied: bool = False


class _Compared(Frozen):
    """One verdict on record, and what is said now."""

    before: VerdictRow | None
    after: VerdictRow

    @property
    def change(self) -> tuple[str, str] | None:
        """What it was and what it is; None where that is the same."""
        before = UNJUDGED if self.before is None else self.before.kind
        if self.before is None or before != self.after.kind:
            return before, self.after.kind
        return None if self.before.keeper_sha256 == self.after.keeper_sha256 else (before, ANOTHER)


class _Gallery(NamedTuple):
    """Everything that is compared."""

    entrants: tuple[Entrant, ...]
    of_shot: Mapping[str, Sequence[str]]
    uncompared: int


async def rejudge(
    archive: Archive,
    rule: Dedupe,
    *,
    is_applied: bool = False,
    on_read: Progress = lambda done, due: None,
    on_placed: Progress = lambda done, due: None,
) -> Rejudged:
    """Judges all pictures of an archive, and says what changes; writes it only where it is told to.

    Safe beside runs at work: each writes the verdicts on its own edition when it ends.

    Args:
        archive: The open archive.
        rule: What counts as a repeat.
        is_applied: Write the verdicts.
        on_read: Told how many records are read.
        on_placed: Told how many pictures are placed.

    Raises:
        ArchiveError: A decision or a record cannot be read, or the database not be written.
    """
    rulings = await rulings_in(archive.store)
    editions = sorted(await archive.catalogue.editions())
    standings = {each: Standing(await decisions_on(*each, archive.store, rulings)) for each in editions}
    wishes = _wishes(standings.values(), rulings)
    gallery = await _read(archive, rule, wishes, on_read)
    placings = await asyncio.to_thread(
        group, gallery.entrants, Alikeness.of(rule), apart=wishes.apart, workers=WORKERS, on_progress=on_placed
    )
    verdicts = {each.name: verdict_on(each, rule, {}) for each in placings}
    compared: list[_Compared] = []
    for edition in editions:
        now = await _compare(edition, gallery.of_shot, verdicts, standings[edition], archive)
        compared += now
        if is_applied and any(each.before != each.after for each in now):
            await put_verdicts(*edition, [each.after for each in now], archive)
    changes = _changes(compared)
    moved = sum(change.count for change in changes)
    rules = Counter(each.before.rule for each in compared if each.before is not None)
    return Rejudged(
        rule=rule_text(rule),
        pictures=len(placings),
        uncompared=gallery.uncompared,
        keepers=sum(verdict.kind == "keeper" for verdict in verdicts.values()),
        same=len(compared) - moved,
        reworded=sum(each.change is None and each.before != each.after for each in compared),
        changes=changes,
        rules=tuple(RuleCount(rule=name, count=count) for name, count in rules.most_common()),
        is_applied=is_applied,
    )


async def _read(archive: Archive, rule: Dedupe, wishes: Wishes, on_read: Progress) -> _Gallery:
    """Enters all pictures that can be compared. A replay is none: it repeats another one on purpose."""
    signed = await archive.catalogue.signatures()
    comparable = {each.sha256: each.signature for each in signed if is_comparable(each.rule, each.signature)}
    roots = Roots({each.sha256: each.parent_sha256 for each in signed}, within_chain=rule.within_chain)
    entrants: list[Entrant] = []
    of_shot: defaultdict[str, list[str]] = defaultdict(list)
    sha256s = sorted(comparable)
    for start in range(0, len(sha256s), AT_ONCE):
        batch = sha256s[start : start + AT_ONCE]
        rows = await archive.catalogue.entries(batch)
        for image in await asyncio.to_thread(_records, rows):
            if image.again is None:
                entrants.append(entrant_of(image, comparable[image.sha256], roots, wishes))
                of_shot[image.shot_key].append(image.sha256)
        on_read(start + len(batch), len(sha256s))
    return _Gallery(tuple(entrants), of_shot, await archive.catalogue.count() - len(comparable))


def _records(rows: Iterable[CatalogueEntry]) -> list[ImageRecord]:
    return [read_record(row.record_json) for row in rows]


async def _compare(
    edition: Edition,
    of_shot: Mapping[str, Sequence[str]],
    verdicts: Mapping[str, Verdict],
    standing: Standing,
    archive: Archive,
) -> list[_Compared]:
    """Says for each picture of an edition what its verdict was, and what it is; others stay as they are."""
    shots = await archive.catalogue.members_of(*edition)
    before = {row.sha256: row for row in await archive.catalogue.verdicts_of(*edition)}
    sha256s = dict.fromkeys([sha256 for shot in shots for sha256 in of_shot.get(shot.shot_key, ())])
    judged = [verdicts[sha256] for sha256 in [*sha256s, *before] if sha256 in verdicts]
    after = before | {verdict.sha256: verdict_row(verdict, *edition) for verdict in judged}
    return [_Compared(before=before.get(sha256), after=as_decided(row, standing)) for sha256, row in after.items()]


def _wishes(standings: Iterable[Standing], rulings: Rulings) -> Wishes:
    """What people have said in any campaign. What was rejected in one leads nobody in all of them."""
    stars: dict[str, int] = {}
    rejected: dict[str, str] = {}
    kept: set[str] = set()
    for standing in standings:
        rejected |= standing.rejected
        kept |= standing.kept
        stars |= {sha256: max(count, stars.get(sha256, 0)) for sha256, count in standing.stars.items()}
    return Wishes(rejected=rejected, kept=frozenset(kept), stars=stars, apart=rulings.apart)


def _changes(compared: Iterable[_Compared]) -> tuple[Change, ...]:
    """Counts the verdicts that change, the most frequent change first, each with the nearest as examples."""
    alike: defaultdict[tuple[str, str], list[_Compared]] = defaultdict(list)
    for each in compared:
        if each.change is not None:
            alike[each.change].append(each)
    ordered = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Change(before=before, after=after, count=len(those), examples=tuple(map(_example, those[:MOST_EXAMPLES])))
        for (before, after), those in ordered
    )


def _example(compared: _Compared) -> Example:
    before, after = compared.before, compared.after
    return Example(
        sha256=after.sha256,
        campaign=after.campaign,
        edition=after.edition,
        was="" if before is None else before.reason,
        reason=after.reason,
    )
