"""Where decisions are kept: one file each in the archive, written once, for ever."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from blocks.archive.archive import Archive
from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import decision_key
from blocks.archive.store import Store
from blocks.errors import BriefError
from blocks.provider import Frozen
from tasks.brief import Dedupe
from tasks.decision_file import DecisionFile
from tasks.dedupe import Wishes, rule_text
from tasks.edition_file import put_verdicts
from tasks.grouping import KEPT, TOLD_APART, Pair
from tasks.models import sha256_of
from tasks.review import DECISION_FORMAT, Decision, Standing
from tasks.rulings import Ruling, Rulings, keep_rulings, restored, rulings_in
from tasks.shown import one_line
from tasks.studio import Studio
from tasks.versioned import read_versioned

_DIGITS = 20
_NAMED = 3
_NAME_SHOWN = 80


class TakenIn(Frozen):
    """What became of a decisions file."""

    key: str
    decision: Decision
    is_new: bool
    changed_verdicts: int


class Ruled(Frozen):
    """What became of a ruling."""

    ruling: Ruling
    is_new: bool
    changed_verdicts: int


async def decisions_of(studio: Studio) -> tuple[Decision, ...]:
    """Reads all decisions on this edition of the campaign.

    Raises:
        ArchiveError: One of them is damaged, or was written by a newer version.
    """
    return await decisions_on(studio.run.campaign, studio.run.edition, studio.archive.store)


async def wishes_of(studio: Studio, rule: Dedupe) -> Wishes:
    """Reads what people have said of the pictures of this edition, and were told of them by the same rule.

    Raises:
        ArchiveError: As in `decisions_of`.
    """
    standing, rulings = Standing(await decisions_of(studio)), await rulings_in(studio.archive.store)
    told = await studio.archive.catalogue.verdicts_of(studio.run.campaign, studio.run.edition)
    text = rule_text(rule)
    return Wishes(
        rejected=standing.rejected,
        kept=standing.kept,
        stars=standing.stars,
        apart=rulings.apart,
        keepers_before=frozenset(row.sha256 for row in told if (row.kind, row.rule) == ("keeper", text)),
    )


async def keep_decision(decision: Decision, studio: Studio) -> None:
    """Writes a decision. A flow run decides once at each place: where it has decided already, that holds."""
    await _write(decision, studio.archive.store)


async def take_in(file: DecisionFile, archive: Archive, now: datetime) -> TakenIn:
    """Takes what was marked on a contact sheet into the archive, once; the catalogue's verdicts follow at once.

    To keep a duplicate is to restore it, for all campaigns.

    Raises:
        BriefError: The file belongs to another archive, or marks pictures that the campaign does not have; nothing
            was changed.
        ArchiveError: An earlier decision is damaged, or the archive cannot be written.
    """
    await refuse_strangers(file, archive)
    decision = file.decided(now)
    is_new = await _write(decision, archive.store)
    await keep_rulings(await _restored_by(decision, archive), archive.store)
    changed = await follow_decisions(file.campaign, file.edition, archive)
    return TakenIn(key=decision_key(decision_id(decision)), decision=decision, is_new=is_new, changed_verdicts=changed)


def decision_id(decision: Decision) -> str:
    """Names a decision by its edition, and by the flow run and the place in it that asked, or by the file it was in."""
    place = _digest(decision.run_id, str(decision.step), str(decision.round))
    return f"{_edition_id(decision.campaign, decision.edition)}-{place}"


async def refuse_strangers(file: DecisionFile, archive: Archive) -> None:
    """Makes sure that a file belongs to this archive, and speaks of pictures of its campaign alone.

    Raises:
        BriefError: It does not.
    """
    if file.archive != archive.id:
        raise BriefError(
            f"These decisions were made on a contact sheet of another archive, {one_line(file.archive, _NAME_SHOWN)}; "
            f"this one is {archive.id}. Name the right one with --archive."
        )
    known = {each.sha256 for each in await archive.catalogue.images_of(file.campaign, file.edition)}
    strangers = [mark.sha256 for mark in file.marks if mark.sha256 not in known]
    if strangers:
        named = ", ".join(sha256[:12] for sha256 in strangers[:_NAMED])
        more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
        place = f"{one_line(file.campaign, _NAME_SHOWN)}, edition {one_line(file.edition, _NAME_SHOWN)},"
        raise BriefError(f"{place} has no picture {named}{more}: nothing was taken in.")


async def follow_decisions(campaign: str, edition: str, archive: Archive) -> int:
    """Brings the verdicts on an edition up to what was decided; the next run judges duplicates anew.

    Returns:
        How many verdicts were changed.
    """
    rulings = await rulings_in(archive.store)
    standing = Standing(await decisions_on(campaign, edition, archive.store, rulings))
    rows = await archive.catalogue.verdicts_of(campaign, edition)
    followed = [as_decided(row, standing, rulings.apart) for row in rows]
    changed = sum(row != new for row, new in zip(rows, followed, strict=True))
    if changed:
        await put_verdicts(campaign, edition, followed, archive)
    return changed


async def take_ruling(ruling: Ruling, archive: Archive) -> Ruled:
    """Takes a ruling into the archive; the verdicts in the catalogue follow at once, in all campaigns.

    Raises:
        ArchiveError: An earlier decision is damaged, or the archive cannot be written.
    """
    is_new = await keep_rulings([ruling], archive.store) > 0
    rows = [row for sha256 in ruling.images for row in await archive.catalogue.verdicts_for(sha256)]
    editions = sorted({(row.campaign, row.edition) for row in rows})
    changed = [await follow_decisions(*edition, archive) for edition in editions]
    return Ruled(ruling=ruling, is_new=is_new, changed_verdicts=sum(changed))


async def _restored_by(decision: Decision, archive: Archive) -> list[Ruling]:
    """What a decision has kept although it was found to be a duplicate."""
    rows = await archive.catalogue.verdicts_of(decision.campaign, decision.edition)
    duplicates = {row.sha256 for row in rows if row.kind == "duplicate"}
    kept = duplicates & (set(decision.shown) - set(decision.rejected))
    return [restored(sha256, "sheet", decision.decided_at) for sha256 in sorted(kept)]


def as_decided(row: VerdictRow, standing: Standing, apart: AbstractSet[Pair] = frozenset()) -> VerdictRow:
    """Brings one verdict up to what holds now."""
    reason = standing.rejected.get(row.sha256)
    is_told_apart = frozenset((row.sha256, row.keeper_sha256)) in apart
    is_no_duplicate = row.kind == "duplicate" and (row.sha256 in standing.kept or is_told_apart)
    if reason is None and row.kind != "rejected" and not is_no_duplicate:
        return row
    if reason is not None and row.kind == "rejected":
        return row
    kind = "keeper" if reason is None else "rejected"
    kept = TOLD_APART if is_told_apart and row.sha256 not in standing.kept else KEPT
    itself = {"keeper_sha256": row.sha256, "distance_bits": 0}
    return row.model_copy(update={"kind": kind, "reason": reason or kept, **itself})


async def _write(decision: Decision, store: Store) -> bool:
    data = f"{decision.model_dump_json(indent=2)}\n".encode()
    return await store.put_if_absent(decision_key(decision_id(decision)), data)


async def decisions_on(
    campaign: str, edition: str, store: Store, rulings: Rulings | None = None
) -> tuple[Decision, ...]:
    """Reads all decisions on an edition of a campaign, what was restored for all of them included.

    Args:
        campaign: Its name.
        edition: The edition's.
        store: Where they lie.
        rulings: What is said for all campaigns, where it was read before.

    Raises:
        ArchiveError: As `decisions_of`.
    """
    prefix = decision_key(_edition_id(campaign, edition)).removesuffix(".json")
    own = [
        read_versioned(Decision, DECISION_FORMAT, key, await store.get(key)) async for key in store.list(f"{prefix}-")
    ]
    rulings = await rulings_in(store) if rulings is None else rulings
    return (*own, *rulings.decisions_for(campaign, edition))


def _edition_id(campaign: str, edition: str) -> str:
    return f"review-{_digest(campaign, edition)}"


def _digest(*parts: str) -> str:
    return sha256_of("\n".join(parts).encode())[:_DIGITS]
