"""Which pictures an export holds."""

import asyncio
from collections.abc import Iterable
from typing import Literal, NamedTuple

from blocks.archive.catalogue import Catalogue, CatalogueEntry
from tasks.archive import read_record
from tasks.export.terms import Wanted
from tasks.models import ImageRecord

Standing = Literal["keeper", "duplicate", "rejected", "none"]


class Chosen(NamedTuple):
    """A picture that goes out, and what was said of it."""

    record: ImageRecord
    verdict: Standing


async def select(catalogue: Catalogue, wanted: Wanted) -> tuple[Chosen, ...]:
    """Picks pictures, in the order of their SHA-256s: as good as shuffled, and the same on every machine.

    Raises:
        ArchiveError: A record was written by a newer version.
    """
    found = await catalogue.search(wanted.search)
    standings = {each.sha256: standing_of(each.verdicts) for each in found}
    matching = [sha256 for sha256, standing in standings.items() if wanted.verdict in {"any", standing}]
    entries = await catalogue.entries(matching)
    records = await asyncio.to_thread(_read, entries, wanted.prompt)
    return tuple(Chosen(record, standings[record.sha256]) for record in records)


def standing_of(verdicts: Iterable[str]) -> Standing:
    """What several editions say of one picture, in a word.

    A person's no counts everywhere; for the rest, a picture that is a keeper anywhere is one.
    """
    said = set(verdicts)
    order: tuple[Standing, ...] = ("rejected", "keeper", "duplicate")
    return next((standing for standing in order if standing in said), "none")


def _read(entries: Iterable[CatalogueEntry], text: str | None) -> list[ImageRecord]:
    records = [read_record(entry.record_json) for entry in entries]
    return [record for record in records if text is None or _says(record, text.casefold())]


def _says(record: ImageRecord, folded: str) -> bool:
    return any(folded in text.casefold() for text in (record.prompt.text, record.request.prompt))
