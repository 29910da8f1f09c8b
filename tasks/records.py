"""Records as rows and as a published schema: what the catalogue is made from, and what other programs may rely on.

`python -m tasks.records` writes `tasks/record.schema.json` anew.
"""

import json
from datetime import datetime
from pathlib import Path

from blocks.archive.catalogue import CatalogueEntry
from blocks.provider import Money
from tasks.measured import Checks, Drift
from tasks.models import RECORD_FORMAT, ImageRecord, Release, Shot
from tasks.signature import signature_row

SCHEMA_FILE = Path(__file__).with_name("record.schema.json")


def record_of(
    shot: Shot,
    *,
    sha256: str,
    job_id: str,
    output_index: int,
    campaign: str,
    edition: str,
    cost: Money | None,
    checks: Checks,
    made_at: datetime,
    drift: Drift | None = None,
    released: Release | None = None,
) -> ImageRecord:
    """Makes the record of a picture: what its shot says, and what became of it."""
    return ImageRecord(
        sha256=sha256,
        shot_key=shot.key,
        provider=shot.provider,
        sandbox=shot.sandbox,
        job_id=job_id,
        output_index=output_index,
        request=shot.request,
        prompt=shot.prompt,
        step=shot.step,
        parent_sha256=shot.parent_sha256,
        references=shot.references,
        again=shot.again,
        campaign=campaign,
        edition=edition,
        position=shot.position,
        cost=cost,
        checks=checks,
        drift=drift,
        released=released,
        made_at=made_at,
    )


def catalogue_entry(record: ImageRecord) -> CatalogueEntry:
    """Makes the row by which the catalogue finds a record."""
    rule, signature = signature_row(record.checks)
    return CatalogueEntry(
        sha256=record.sha256,
        size_bytes=record.checks.size_bytes,
        media_type=record.checks.media_type,
        width_px=record.checks.width_px,
        height_px=record.checks.height_px,
        shot_key=record.shot_key,
        provider=record.provider,
        model=record.request.model,
        prompt=record.prompt.text,
        seed=record.request.seed,
        parent_sha256=record.parent_sha256,
        campaign=record.campaign,
        edition=record.edition,
        step=record.step,
        fingerprint=bytes.fromhex(record.checks.fingerprint),
        signature_rule=rule,
        signature=signature,
        made_at=record.made_at,
        record_json=record.model_dump_json(),
    )


def record_schema() -> str:
    """Draws up the JSON Schema that the records of all formats so far keep, as the text of a file."""
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kleinbild:record:{RECORD_FORMAT}",
        **ImageRecord.model_json_schema(mode="validation"),
    }
    named["properties"]["format"]["maximum"] = RECORD_FORMAT
    return f"{json.dumps(named, indent=2, ensure_ascii=False)}\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(record_schema(), encoding="utf-8")
