"""What a look at an archive can find, and the rules by which it is found: no input and no output here."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from blocks.archive.layout import object_key, record_key
from blocks.errors import ArchiveError, BadPicture, BriefError
from blocks.provider import Frozen
from tasks.archive import read_record
from tasks.checks import decode_and_check
from tasks.models import ImageRecord, sha256_of
from tasks.replay import shot_of

DATABASE = "database"
"""Where what is found of the database as a whole lies: it is a file of the archive, or on a server."""

_FRACTION = re.compile(r"1(?:/([1-9][0-9]{0,3}))?")
_DIGITS_OF_TURN = 16


class FindingKind(StrEnum):
    """What can be wrong with one thing in an archive."""

    MISSING = "missing"
    """Something names a picture, as a parent, a reference or in the catalogue, and nothing of it is there."""
    CHANGED = "changed"
    """The bytes are not those of their name; or a record is not what it was written as."""
    UNREADABLE = "unreadable"
    """The store cannot read it, or what is read is no record or no picture."""
    RECORD_WITHOUT_OBJECT = "record_without_object"
    OBJECT_WITHOUT_RECORD = "object_without_record"
    """The catalogue knows the picture, its bytes are there, and its record is gone."""
    CATALOGUE_DIFFERS = "catalogue_differs"
    """The record is the truth; the catalogue can be rebuilt."""
    DISPUTED = "disputed"
    """Record and catalogue say otherwise, and nothing tells which is right (`tasks/care/witnesses.py`)."""
    ORPHANED = "orphaned"
    """Nothing names it. No damage: a run that was killed, or is just at work, leaves such objects."""


class Finding(Frozen):
    """One thing in an archive that is not as it should be."""

    kind: FindingKind
    key: str
    detail: str

    @property
    def is_damage(self) -> bool:
        """False for what merely lies around."""
        return self.kind is not FindingKind.ORPHANED


class ArchiveDamaged(ArchiveError):
    """A look at an archive has found damage.

    Args:
        message: How much, where, and what to do.
        findings: All that was found.
    """

    def __init__(self, message: str, *, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Inventory:
    """Which pictures are where, by SHA-256.

    Args:
        rows: Known to the catalogue.
        records: With a record.
        objects: With bytes.
        named: Parents and references, each with the picture that names it.
        also_named: What something outside the records names, such as the references of shots that are not made yet.
    """

    rows: Set[str]
    records: Set[str]
    objects: Set[str]
    named: Mapping[str, str]
    also_named: Set[str] = frozenset()


def days_of_fraction(text: str) -> int:
    """Reads a fraction of the archive, as `1/30`: the number of days in which each picture has its turn.

    Raises:
        BriefError: It is no such fraction.
    """
    found = _FRACTION.fullmatch(text.replace(" ", ""))
    if found is None:
        raise BriefError(f"{text!r} is no fraction of the form 1/30, from 1/1 to 1/9999.", where="fraction")
    return int(found[1] or 1)


def is_due(sha256: str, day: date, every_days: int) -> bool:
    """Tells whether it is a picture's turn: on exactly one of any `every_days` days in a row, the same everywhere."""
    return int(sha256[:_DIGITS_OF_TURN], 16) % every_days == day.toordinal() % every_days


def compare(inventory: Inventory) -> Iterator[Finding]:
    """Holds bytes, records, catalogue and names against each other."""
    yield from _records(inventory)
    for sha256 in sorted(inventory.rows - inventory.records):
        if sha256 in inventory.objects:
            detail = "The catalogue knows this picture and its bytes are here, but its record is gone."
            yield Finding(kind=FindingKind.OBJECT_WITHOUT_RECORD, key=object_key(sha256), detail=detail)
        else:
            detail = "The catalogue knows this picture, but its bytes and its record are gone."
            yield Finding(kind=FindingKind.MISSING, key=object_key(sha256), detail=detail)
    for sha256 in sorted(inventory.named.keys() - inventory.objects - inventory.records - inventory.rows):
        detail = f"Picture {inventory.named[sha256]} was made from it, and it is not here."
        yield Finding(kind=FindingKind.MISSING, key=object_key(sha256), detail=detail)
    known = inventory.records | inventory.rows | inventory.named.keys() | inventory.also_named
    for sha256 in sorted(inventory.objects - known):
        yield Finding(kind=FindingKind.ORPHANED, key=object_key(sha256), detail="Nothing names it.")


def _records(inventory: Inventory) -> Iterator[Finding]:
    for sha256 in sorted(inventory.records - inventory.objects):
        detail = "The record is here, but the bytes of the picture are gone."
        yield Finding(kind=FindingKind.RECORD_WITHOUT_OBJECT, key=record_key(sha256), detail=detail)
    if inventory.records and not inventory.rows:
        detail = f"The catalogue is empty beside {len(inventory.records)} records: run `rebuild`."
        yield Finding(kind=FindingKind.CATALOGUE_DIFFERS, key=DATABASE, detail=detail)
        return
    for sha256 in sorted(inventory.records - inventory.rows):
        detail = "The catalogue does not know this record: rebuild it."
        yield Finding(kind=FindingKind.CATALOGUE_DIFFERS, key=record_key(sha256), detail=detail)


def check_bytes(key: str, sha256: str, data: bytes, *, deep: bool) -> Finding | None:
    """Looks at a picture's bytes. CPU work.

    Args:
        key: Where they were read.
        sha256: Their name.
        data: The bytes.
        deep: Whether to decode them too.
    """
    found = sha256_of(data)
    if found != sha256:
        detail = f"Its {len(data)} bytes are not those of its name: they have the SHA-256 {found}."
        return Finding(kind=FindingKind.CHANGED, key=key, detail=detail)
    if deep:
        try:
            decode_and_check(data, "It")
        except BadPicture as error:
            detail = f"The bytes are those of its name, and no picture. {error}"
            return Finding(kind=FindingKind.UNREADABLE, key=key, detail=detail)
    return None


def parse_record(sha256: str, data: bytes) -> ImageRecord | Finding:
    """Reads a record, or says what is wrong with it.

    JSON that can be read may have been changed all the same: what was bought is held against the shot key.
    """
    key = record_key(sha256)
    try:
        record = read_record(data.decode())
    except (ArchiveError, ValueError) as error:  # ValueError: pydantic's and the decoder's way of saying "damaged"
        said = str(error) if isinstance(error, ArchiveError) else "It is no record: bring it back from a backup."
        return Finding(kind=FindingKind.UNREADABLE, key=key, detail=said)
    if record.sha256 != sha256:
        detail = f"It is the record of another picture, {record.sha256}."
        return Finding(kind=FindingKind.CHANGED, key=key, detail=detail)
    if not proves_itself(record):
        detail = "What it says was bought is not what its shot key was made of: it was changed."
        return Finding(kind=FindingKind.CHANGED, key=key, detail=detail)
    return record


def proves_itself(record: ImageRecord) -> bool:
    """Tells whether a record's shot key is that of what it says was bought, in the words of any format so far."""
    try:
        return shot_of(record).key == record.shot_key
    except ValueError:  # a number that canonical JSON has no form for: no shot was ever made of it
        return False
