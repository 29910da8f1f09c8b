import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.archive.layout import object_key, record_key
from blocks.errors import BriefError
from tasks.care.findings import (
    DATABASE,
    Finding,
    FindingKind,
    Inventory,
    compare,
    days_of_fraction,
    is_due,
    parse_record,
)
from tasks.models import ImageRecord
from tests.tasks.care.upkeep import bought

ImageOf = Callable[..., ImageRecord]
A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
STORED = Path(__file__).parents[1] / "stored"
DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))


@pytest.mark.parametrize(("text", "days"), [("1/30", 30), ("1", 1), ("1/1", 1), (" 1 / 7 ", 7), ("1/9999", 9999)])
def test_a_fraction_is_a_number_of_days(text: str, days: int) -> None:
    """One thirtieth each day is everything in thirty days."""
    assert days_of_fraction(text) == days


@pytest.mark.parametrize("text", ["", "0", "1/0", "2/30", "1/30x", "-1/3", "0.1", "1/10000", "1/٣"])
def test_what_is_no_fraction_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(BriefError, match="is no fraction of the form 1/30"):
        days_of_fraction(text)


@given(st.integers(0, 2**256 - 1).map("{:064x}".format), DAYS, st.integers(1, 400))
def test_each_picture_has_its_turn_once(sha256: str, first: date, every_days: int) -> None:
    """In any so many days in a row exactly one, whenever one begins to count."""
    days = [first + timedelta(days=number) for number in range(every_days)]

    assert sum(is_due(sha256, day, every_days) for day in days) == 1


def test_a_sound_archive_has_no_findings() -> None:
    """A picture, its edit, and a reference that has no record of its own."""
    inventory = Inventory(rows={A, B}, records={A, B}, objects={A, B, C}, named={A: B, C: B})

    assert list(compare(inventory)) == []


@pytest.mark.parametrize(
    ("inventory", "kind", "key"),
    [
        (Inventory({A}, {A}, set(), {}), FindingKind.RECORD_WITHOUT_OBJECT, record_key(A)),
        (Inventory({A}, set(), {A}, {}), FindingKind.OBJECT_WITHOUT_RECORD, object_key(A)),
        (Inventory({A}, set(), set(), {}), FindingKind.MISSING, object_key(A)),
        (Inventory({A}, {A}, {A}, {B: A}), FindingKind.MISSING, object_key(B)),
        (Inventory({B}, {A, B}, {A, B}, {}), FindingKind.CATALOGUE_DIFFERS, record_key(A)),
        (Inventory(set(), {A, B}, {A, B}, {}), FindingKind.CATALOGUE_DIFFERS, DATABASE),
        (Inventory(set(), set(), {A}, {}), FindingKind.ORPHANED, object_key(A)),
    ],
)
def test_each_gap_is_found_once(inventory: Inventory, kind: FindingKind, key: str) -> None:
    """One loss, one finding, at the place where it is to be mended; only an orphan is no damage."""
    (finding,) = compare(inventory)

    assert (finding.kind, finding.key) == (kind, key)
    assert finding.is_damage == (kind is not FindingKind.ORPHANED)


def test_what_a_shot_is_to_be_made_from_is_no_orphan() -> None:
    """References are stored before anything is bought: no record names them yet."""
    assert list(compare(Inventory(set(), set(), {A}, {}, also_named={A}))) == []


SETS = st.frozensets(st.sampled_from([A, B, C, D]))


@given(SETS, SETS, SETS, st.dictionaries(st.sampled_from([A, B, C, D]), st.just(A)))
def test_an_archive_without_findings_has_everything(
    rows: frozenset[str], records: frozenset[str], objects: frozenset[str], named: dict[str, str]
) -> None:
    """No findings: rows and records are the same pictures, all bytes are there, and nothing else is."""
    findings = list(compare(Inventory(rows, records, objects, named)))

    is_whole = rows == records and objects == records | named.keys()
    assert (findings == []) == is_whole
    assert len(set(findings)) == len(findings)


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"", FindingKind.UNREADABLE, "is no record"),
        (b"\xff\xfe", FindingKind.UNREADABLE, "is no record"),
        (b'{"format": 1, "sha256": "x"}', FindingKind.UNREADABLE, "is no record"),
        (b'{"format": 99, "sha256": "x"}', FindingKind.UNREADABLE, "update Kleinbild"),
    ],
)
def test_a_record_that_cannot_be_read_is_a_finding(data: bytes, kind: FindingKind, said: str) -> None:
    """Damaged, or from the future: said, and the walk goes on."""
    found = parse_record(A, data)

    assert isinstance(found, Finding)
    assert (found.kind, found.key) == (kind, record_key(A))
    assert said in found.detail


def test_a_record_under_another_name_is_a_finding(image_of: ImageOf) -> None:
    """A file that was copied over another is whole, and wrong."""
    found = parse_record(B, image_of().model_dump_json().encode())

    assert found == Finding(
        kind=FindingKind.CHANGED, key=record_key(B), detail=f"It is the record of another picture, {A}."
    )


@pytest.mark.parametrize(
    "changed",
    [{"prompt": "a rug"}, {"seed": 2}, {"outputs": 10**30}, {"guidance": float("nan")}],
    ids=lambda each: "".join(each),
)
def test_a_record_proves_itself_by_its_shot_key(changed: dict[str, object], image_of: ImageOf) -> None:
    """One letter of what was bought is enough; the file is whole JSON, and a record, all the same."""
    record = bought(image_of())
    other = record.model_copy(update={"request": record.request.model_copy(update=changed)})
    found = parse_record(A, json.dumps(other.model_dump(mode="json") | {"request": _said(other)}).encode())

    assert parse_record(A, record.model_dump_json().encode()) == record
    assert isinstance(found, Finding)
    assert (found.kind, found.key) == (FindingKind.CHANGED, record_key(A))
    assert "shot key" in found.detail


def _said(record: ImageRecord) -> dict[str, object]:
    return record.request.model_dump()


@pytest.mark.parametrize("path", sorted(STORED.glob("record-format-*.json")), ids=lambda path: path.stem)
def test_records_of_former_formats_prove_themselves(path: Path) -> None:
    """Nobody accuses what an earlier version has written."""
    data = path.read_bytes()

    assert isinstance(parse_record(json.loads(data)["sha256"], data), ImageRecord)
