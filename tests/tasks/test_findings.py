from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.archive.layout import object_key, record_key
from blocks.errors import BriefError
from tasks.findings import Finding, FindingKind, Inventory, check_row, compare, days_of_fraction, is_due, parse_record
from tasks.models import ImageRecord
from tasks.records import catalogue_entry

ImageOf = Callable[..., ImageRecord]
A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
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
        (Inventory(set(), {A}, {A}, {}), FindingKind.CATALOGUE_DIFFERS, record_key(A)),
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


def test_a_row_is_held_against_the_record(image_of: ImageOf) -> None:
    """Each column that says otherwise is named; a row that was written by an earlier version says the same."""
    record = image_of()
    row = catalogue_entry(record)
    as_format_1_wrote_it = record.model_dump_json(exclude={"checks": {"pixels_sha256", "quality", "flags"}})

    assert check_row(record, row) is None
    assert check_row(record, row.model_copy(update={"record_json": as_format_1_wrote_it})) is None
    wrong = row.model_copy(update={"seed": 2, "prompt": "a cup", "record_json": "{}"})
    assert check_row(record, wrong) == Finding(
        kind=FindingKind.CATALOGUE_DIFFERS,
        key=record_key(A),
        detail="The catalogue says otherwise in prompt, seed, record_json: rebuild it.",
    )
