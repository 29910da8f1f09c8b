"""Says which is damaged where a record and the catalogue say otherwise: the file, or the row that was made of it.

A record is written once, and never changed; its row holds a copy of it, and columns made from it. What was bought
proves itself by the shot key. For all else the columns are the third witness: the copy that fits them is the right one.
"""

from blocks.archive.catalogue import CatalogueEntry
from blocks.archive.layout import record_key, repeat_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from tasks.archive import read_record
from tasks.care.findings import Finding, FindingKind, parse_record
from tasks.models import ImageRecord
from tasks.records import catalogue_entry

_COLUMNS = tuple(name for name in CatalogueEntry.model_fields if name != "record_json")
_PROVEN = frozenset({"shot_key", "provider", "model", "seed"})
"""Columns that cannot speak against a record: its shot key is made of what they say."""
_SIGNED = frozenset({"signature_rule", "signature"})
"""Columns of a table of their own, which are measured, and can be at any time."""


async def check_against_row(record: ImageRecord, row: CatalogueEntry, store: Store) -> Finding | None:
    """Holds a record against its row; a row that another purchase of the same bytes has made is no word against it.

    A run that was killed between record and row is run again, and then makes the row from what it has brought home
    anew, which lies in `repeats/`.
    """
    found = check_row(record, row)
    if found is None or found.kind is FindingKind.CATALOGUE_DIFFERS or not await _is_of_repeat(record, row, store):
        return found
    return _row_differs(record, ["record_json"])


def check_row(record: ImageRecord, row: CatalogueEntry) -> Finding | None:
    """Holds a record against what the catalogue says of it, and says which of the two is damaged, or that none knows.

    Args:
        record: What its file says; it proves itself (`parse_record`).
        row: What the catalogue says.
    """
    differing = _columns_apart(record, row)
    kept = parse_record(record.sha256, row.record_json.encode())
    if isinstance(kept, ImageRecord) and kept != record:
        return _judge(record, kept, row)
    if kept != record:
        differing.append("record_json")
    return _row_differs(record, differing) if differing else None


def doubts_on(copy: ImageRecord, row: CatalogueEntry) -> tuple[str, ...]:
    """The columns of a row that speak against its own copy of a record, of those that no proof settles."""
    return tuple(name for name in _columns_apart(copy, row) if name not in _PROVEN | _SIGNED)


def _judge(record: ImageRecord, kept: ImageRecord, row: CatalogueEntry) -> Finding:
    """Asks the columns, where file and copy both prove themselves and are not the same."""
    said = ", ".join(name for name in ImageRecord.model_fields if getattr(record, name) != getattr(kept, name))
    # Of two shots no damage makes one of the other: both bought these bytes, and the record is of the first.
    if record.shot_key != kept.shot_key or _is_borne_out(record, kept, row):
        return _row_differs(record, [*_columns_apart(record, row), "record_json"])
    key = record_key(record.sha256)
    if _is_borne_out(kept, record, row):
        detail = f"It says otherwise than the catalogue, whose copy and columns agree, in {said}: it was changed."
        return Finding(kind=FindingKind.CHANGED, key=key, detail=detail)
    detail = f"Record and catalogue say otherwise in {said}, and nothing here tells which of them is right."
    return Finding(kind=FindingKind.DISPUTED, key=key, detail=detail)


def _is_borne_out(one: ImageRecord, other: ImageRecord, row: CatalogueEntry) -> bool:
    """Tells whether the columns side with one of two copies, in everything in which the copies' own would differ."""
    mine, yours = catalogue_entry(one), catalogue_entry(other)
    apart = [name for name in _COLUMNS if getattr(mine, name) != getattr(yours, name)]
    return bool(apart) and all(getattr(mine, name) == getattr(row, name) for name in apart)


def _columns_apart(record: ImageRecord, row: CatalogueEntry) -> list[str]:
    wanted = catalogue_entry(record).signed_as(row)
    return [name for name in _COLUMNS if getattr(wanted, name) != getattr(row, name)]


def _row_differs(record: ImageRecord, names: list[str]) -> Finding:
    detail = f"The catalogue says otherwise in {', '.join(names)}: rebuild it."
    return Finding(kind=FindingKind.CATALOGUE_DIFFERS, key=record_key(record.sha256), detail=detail)


async def _is_of_repeat(record: ImageRecord, row: CatalogueEntry, store: Store) -> bool:
    kept = parse_record(record.sha256, row.record_json.encode())
    if isinstance(kept, Finding) or kept.made_at == record.made_at:
        return False
    key = repeat_key(kept.shot_key, kept.output_index)
    try:
        return await store.head(key) is not None and read_record((await store.get(key)).decode()) == kept
    except (ArchiveError, ValueError):  # it is told as a finding of its own, and bears nothing out
        return False
