"""Images + verdicts -> archive: which images belong to a campaign, and what was said about each.

The bytes and records are there already, from the moment they were paid for (`tasks/ingest.py`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from blocks.archive.catalogue import Catalogue, VerdictRow
from blocks.archive.layout import object_key
from blocks.archive.ledger import LedgerEntry
from blocks.errors import ArchiveError, BriefError
from tasks.dedupe import Known
from tasks.edition_file import put_verdicts
from tasks.models import RECORD_FORMAT, Balance, ImageRecord, Shot, Verdict
from tasks.run_log import run_log
from tasks.signature import SIGNATURE_RULE, is_comparable, signature_row
from tasks.studio import Studio


class _Header(BaseModel):
    """What a record of any format says. What a later one adds is passed over, so that its number can be read."""

    format: int
    sha256: str


@task(name="archive", cache_policy=NO_CACHE)
async def archive(shots: Sequence[Shot], verdicts: Sequence[Verdict], studio: Studio) -> int:
    """Writes down what belongs to the campaign and what was said about it; returns the number of images."""
    run = studio.run
    members = [(shot.key, shot.position, shot.step) for shot in shots]
    await studio.archive.catalogue.add_members(run.campaign, run.edition, members)
    rows = [verdict_row(verdict, run.campaign, run.edition) for verdict in verdicts]
    await put_verdicts(run.campaign, run.edition, rows, studio.archive)
    return len(verdicts)


async def archived_images(entries: Iterable[LedgerEntry], studio: Studio) -> dict[str, tuple[ImageRecord, ...]]:
    """Finds the images of shots that are done, by shot key.

    A shot whose images are not all in the archive any more is left out: it is collected again, which buys nothing.
    """
    done = list(entries)
    known = await _kept((sha256 for entry in done for sha256 in entry.images), studio)
    return {
        entry.shot_key: tuple(known[sha256] for sha256 in entry.images)
        for entry in done
        if entry.images and all(sha256 in known for sha256 in entry.images)
    }


async def _kept(sha256s: Iterable[str], studio: Studio) -> dict[str, ImageRecord]:
    """Reads the records of those images that the catalogue knows and whose bytes the store has."""
    known = await studio.archive.catalogue.entries(sha256s)
    heads = await asyncio.gather(*(studio.archive.store.head(object_key(each.sha256)) for each in known))
    there = (each for each, head in zip(known, heads, strict=True) if head is not None)
    return {each.sha256: read_record(each.record_json) for each in there}


async def images_of_others(studio: Studio, made_before: datetime | None = None) -> tuple[Known, ...]:
    """Lists what new images are held against: all of the archive but what belongs to this campaign and edition.

    Args:
        studio: The archive, and the campaign and edition.
        made_before: Leaves out what is not older than this.

    What another rule has signed cannot be compared: the run's log says how many pictures that are.
    """
    run = studio.run
    signed = await studio.archive.catalogue.signatures(
        exclude_campaign=run.campaign, exclude_edition=run.edition, made_before=made_before
    )
    known = tuple(
        Known(
            sha256=each.sha256,
            signature=each.signature,
            parent_sha256=each.parent_sha256,
            is_keeper=not each.is_repeat,
        )
        for each in signed
        if is_comparable(each.rule, each.signature)
    )
    if len(known) < len(signed) and made_before is None:  # rounds ask again and again: it is said once, at the end
        run_log().warning(
            "%d pictures of the archive are signed by another rule, and were not compared: `dedupe --sign` signs them.",
            len(signed) - len(known),
        )
    return known


async def signed_anew(images: Iterable[ImageRecord], studio: Studio) -> tuple[Known, ...]:
    """Finds the signatures of images that were signed anew since their records were written."""
    old = [each for each in images if signature_row(each.checks)[0] != SIGNATURE_RULE]
    rows = await studio.archive.catalogue.entries(each.sha256 for each in old)
    return tuple(
        Known(sha256=row.sha256, signature=row.signature, parent_sha256=row.parent_sha256, is_keeper=False)
        for row in rows
        if is_comparable(row.signature_rule, row.signature)
    )


async def balances_of(studio: Studio) -> tuple[Balance, ...]:
    """Adds up the money of all runs of this edition: a campaign that is run again costs nothing, and is not free."""
    totals = await studio.archive.ledger.totals(studio.run.campaign, studio.run.edition)
    return tuple(Balance.model_validate(each.model_dump()) for each in totals.units)


async def find_image(name: str, catalogue: Catalogue) -> ImageRecord:
    """Finds an image by its SHA-256 or a prefix of it.

    Raises:
        BriefError: There is none, or more than one.
    """
    found = await catalogue.find_prefix(name)
    if not found:
        raise BriefError(f"No image in the archive begins with {name!r}.")
    if len(found) > 1:
        shown = ", ".join(each.sha256[:12] for each in found)
        raise BriefError(f"{name!r} names more than one image: {shown}. Give more digits.")
    return read_record(found[0].record_json)


def read_record(text: str) -> ImageRecord:
    """Reads a record.

    Raises:
        ArchiveError: It was written by a newer version.
    """
    header = _Header.model_validate_json(text)
    if header.format > RECORD_FORMAT:
        raise ArchiveError(
            f"Record {header.sha256} has format {header.format}; this version reads formats up to {RECORD_FORMAT}: "
            "update Kleinbild."
        )
    return ImageRecord.model_validate_json(text)


def verdict_row(verdict: Verdict, campaign: str, edition: str) -> VerdictRow:
    """Makes the row that the catalogue keeps of a verdict."""
    return VerdictRow(
        campaign=campaign,
        edition=edition,
        sha256=verdict.sha256,
        kind=verdict.kind,
        keeper_sha256=verdict.keeper_sha256,
        distance_bits=verdict.distance_bits,
        reason=verdict.reason,
        rule=verdict.rule,
    )
