import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from PIL import Image

from tasks.archive import read_record
from tasks.measured import Quality
from tasks.models import RECORD_FORMAT, ImageRecord
from tasks.near import FINGERPRINT_RULE
from tasks.records import SCHEMA_FILE, catalogue_entry, record_schema
from tasks.signature import SIGNATURE_RULE, packed, sign

ImageOf = Callable[..., ImageRecord]
STORED = Path(__file__).parent / "stored"


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_bytes())
    return found


def test_the_published_schema_is_that_of_the_model() -> None:
    """Whoever changes the record changes the file with it: `python -m tasks.records`."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == record_schema()


def test_records_of_every_format_are_stored_here() -> None:
    """Each former format has a record that was really written by it."""
    formats = sorted(json.loads(path.read_bytes())["format"] for path in STORED.glob("record-format-*.json"))

    assert formats == list(range(1, RECORD_FORMAT))


@pytest.mark.parametrize("path", sorted(STORED.glob("record-format-*.json")), ids=lambda path: path.stem)
def test_a_record_of_a_former_format_is_read(path: Path) -> None:
    """What an earlier version has written is read, keeps its number, and claims nothing that nobody has looked at."""
    written = json.loads(path.read_bytes())
    record = read_record(path.read_text(encoding="utf-8"))

    jsonschema.validate(written, schema())
    assert json.loads(record.model_dump_json(exclude_unset=True)) == written
    assert record.format == written["format"]
    assert record.checks.pixels_blake3 is None
    if record.format < 3:
        assert (record.checks.signature, record.drift) == (None, None)
    if record.format == 1:
        assert (record.checks.pixels_sha256, record.checks.quality, record.checks.flags) == (None, None, ())
        assert (record.checks.content_credentials, record.checks.credentials_state) == (None, None)
    assert catalogue_entry(record).parent_sha256 == written["parent_sha256"]


def test_the_row_holds_the_signature(image_of: ImageOf, make_picture: Callable[..., Image.Image]) -> None:
    """In the form that is read by the million; of an old record, its fingerprint alone, by the rule of fingerprints."""
    old, signature = image_of(), sign(make_picture())
    new = old.model_copy(update={"checks": old.checks.model_copy(update={"signature": signature})})
    found = [(row.signature_rule, row.signature) for row in (catalogue_entry(old), catalogue_entry(new))]

    assert found == [(FINGERPRINT_RULE, bytes(24)), (SIGNATURE_RULE, packed(signature))]


def test_a_record_of_today_keeps_the_schema(image_of: ImageOf) -> None:
    """Every field, as it is written."""
    record = image_of()
    quality = Quality(sharpness=1.5, contrast=0.2, clipped_share=0.0, entropy_bits=7.0)
    checks = record.checks.model_copy(
        update={"pixels_blake3": "c" * 64, "quality": quality, "flags": ("flat",), "content_credentials": "present"}
    )
    written = json.loads(record.model_copy(update={"checks": checks}).model_dump_json())

    jsonschema.validate(written, schema())
    assert written["format"] == RECORD_FORMAT
    assert written["checks"]["flags"] == ["flat"]


@pytest.mark.parametrize("change", [{"format": RECORD_FORMAT + 1}, {"weather": "rain"}, {"sha256": None}])
def test_what_is_no_record_breaks_the_schema(image_of: ImageOf, change: dict[str, Any]) -> None:
    """The schema refuses something: newer formats, unknown fields, missing names."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(image_of().model_dump_json()), **change}, schema())
