from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from blocks.archive.archive import Archive
from blocks.archive.catalogue import CatalogueEntry
from blocks.archive.layout import record_key, repeat_key
from tasks.care.findings import Finding, FindingKind
from tasks.care.witnesses import check_against_row, check_row, doubts_on
from tasks.models import ImageRecord, Prompt
from tasks.records import catalogue_entry
from tests.money import cu
from tests.tasks.care.upkeep import bought

ImageOf = Callable[..., ImageRecord]
OF_A_COLUMN: list[dict[str, Any]] = [
    {"campaign": "cards2"},
    {"edition": "2"},
    {"parent_sha256": "c" * 64},
    {"prompt": Prompt(text="a rug", template="a mug")},
]
OF_NO_COLUMN: list[dict[str, Any]] = [{"cost": cu(6)}, {"job_id": "job-2"}, {"position": 1}]


@pytest.fixture
def record(image_of: ImageOf) -> ImageRecord:
    return bought(image_of())


def with_copy(row: CatalogueEntry, copy: ImageRecord) -> CatalogueEntry:
    return row.model_copy(update={"record_json": copy.model_dump_json()})


def kind_of(finding: Finding | None) -> FindingKind | None:
    return None if finding is None else finding.kind


def test_a_row_is_held_against_the_record(record: ImageRecord) -> None:
    """Each column that says otherwise is named; a row that was written by an earlier version says the same."""
    row = catalogue_entry(record)
    as_format_1_wrote_it = record.model_dump_json(exclude={"checks": {"pixels_sha256", "quality", "flags"}})

    assert check_row(record, row) is None
    assert check_row(record, row.model_copy(update={"record_json": as_format_1_wrote_it})) is None
    wrong = row.model_copy(update={"seed": 2, "prompt": "a cup", "record_json": "{}"})
    assert check_row(record, wrong) == Finding(
        kind=FindingKind.CATALOGUE_DIFFERS,
        key=record_key(record.sha256),
        detail="The catalogue says otherwise in prompt, seed, record_json: rebuild it.",
    )


@pytest.mark.parametrize("change", OF_A_COLUMN, ids=lambda each: "".join(each))
def test_the_columns_tell_which_copy_is_right(change: dict[str, Any], record: ImageRecord) -> None:
    """The same difference is damage of the file, or of the row, as the columns say."""
    row, other = catalogue_entry(record), record.model_copy(update=change)

    assert kind_of(check_row(other, row)) is FindingKind.CHANGED
    assert kind_of(check_row(record, with_copy(row, other))) is FindingKind.CATALOGUE_DIFFERS


@pytest.mark.parametrize("change", OF_NO_COLUMN, ids=lambda each: "".join(each))
def test_where_no_column_knows_nobody_is_believed(change: dict[str, Any], record: ImageRecord) -> None:
    """Either may be the damaged one; what they differ in is said."""
    found = check_row(record.model_copy(update=change), catalogue_entry(record))

    assert kind_of(found) is FindingKind.DISPUTED
    assert found is not None
    assert "".join(change) in found.detail


def test_columns_that_fit_neither_copy_tell_nothing(record: ImageRecord) -> None:
    """Three campaigns are three words, and none of them counts for more."""
    row = catalogue_entry(record).model_copy(update={"campaign": "third"})

    assert kind_of(check_row(record.model_copy(update={"campaign": "other"}), row)) is FindingKind.DISPUTED


def test_a_column_that_is_damaged_by_itself_is_no_witness(record: ImageRecord) -> None:
    """It speaks only where the copies differ."""
    row = catalogue_entry(record).model_copy(update={"width_px": 1})

    assert kind_of(check_row(record.model_copy(update={"campaign": "other"}), row)) is FindingKind.CHANGED
    assert kind_of(check_row(record, row)) is FindingKind.CATALOGUE_DIFFERS


def test_a_copy_that_proves_nothing_is_the_damaged_one(record: ImageRecord) -> None:
    """Its request is not that of its shot key."""
    request = record.request.model_copy(update={"prompt": "a rug"})
    row = with_copy(catalogue_entry(record), record.model_copy(update={"request": request}))

    assert kind_of(check_row(record, row)) is FindingKind.CATALOGUE_DIFFERS


def test_two_shots_that_made_the_same_bytes_are_no_damage_of_the_record(record: ImageRecord) -> None:
    """Two runs may write record and row crosswise; the record is of the shot that was first."""
    assert kind_of(check_row(record, catalogue_entry(bought(record, seed=2)))) is FindingKind.CATALOGUE_DIFFERS


async def test_a_row_that_a_repeat_has_made_is_no_word_against_the_record(
    archive: Archive, record: ImageRecord
) -> None:
    """A run was killed between record and row, and has brought the picture home once more, in another edition."""
    again = record.model_copy(update={"edition": "2", "made_at": record.made_at + timedelta(hours=1)})
    row = catalogue_entry(again)
    assert kind_of(await check_against_row(record, row, archive.store)) is FindingKind.CHANGED

    key = repeat_key(again.shot_key, again.output_index)
    await archive.store.put_if_absent(key, again.model_dump_json().encode())
    assert kind_of(await check_against_row(record, row, archive.store)) is FindingKind.CATALOGUE_DIFFERS
    damaged = record.model_copy(update={"edition": "3"})
    assert kind_of(await check_against_row(damaged, catalogue_entry(record), archive.store)) is FindingKind.CHANGED


def test_a_row_speaks_against_its_own_copy(record: ImageRecord) -> None:
    """In what no proof settles: what was bought is proven, and a signature is measured anew at will."""
    row = catalogue_entry(record)

    assert doubts_on(record, row) == ()
    assert doubts_on(record, row.model_copy(update={"seed": 9, "signature": b"", "signature_rule": ""})) == ()
    assert doubts_on(record, row.model_copy(update={"campaign": "other"})) == ("campaign",)
