"""What an export says of each picture, in every format alike.

Readers of datasets guess the type of a field from the first few rows. So no field is ever null, a list, or missing in
some rows: what a picture has not is an empty text.
"""

from typing import Any, NamedTuple

from blocks.provider import Frozen
from tasks.export.captions import caption_of
from tasks.export.family import Family
from tasks.export.select import Chosen
from tasks.export.terms import Terms
from tasks.measured import MediaType
from tasks.provenance.identity import system_of
from tasks.provenance.source_type import source_type_of

SUFFIXES: dict[MediaType, str] = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


class Row(Frozen):
    """Facts about one picture of an export."""

    image_sha256: str
    """By which the archive knows it: of the bytes as received."""
    file_sha256: str
    """Of the bytes in the export."""
    caption: str
    verdict: str
    width_px: int
    height_px: int
    system: str
    model: str
    seed: int
    step: int
    parent_sha256: str
    reference_sha256s: str
    """Separated by spaces."""
    campaign: str
    edition: str
    made_at: str
    digital_source_type: str
    provenance: str
    """Which marks the bytes carry: `none` stands here too, wherever a single picture ends up."""

    def facts(self, *, with_caption: bool) -> dict[str, Any]:
        """The row as a reader finds it."""
        return self.model_dump(exclude=None if with_caption else {"caption"})


class Facts(NamedTuple):
    """What is known of a picture before its copy is made."""

    chosen: Chosen
    family: Family
    terms: Terms

    def row(self, file_sha256: str) -> Row:
        """The row, once the copy is there."""
        record, terms = self.chosen.record, self.terms
        lineage = self.family.lineage_of(record)
        return Row(
            image_sha256=record.sha256,
            file_sha256=file_sha256,
            caption=caption_of(record, lineage.ancestors, terms.captions),
            verdict=self.chosen.verdict,
            width_px=record.checks.width_px,
            height_px=record.checks.height_px,
            system=system_of(record),
            model=record.request.model,
            seed=record.request.seed,
            step=record.step,
            parent_sha256=record.parent_sha256 or "",
            reference_sha256s=" ".join(use.sha256 for use in record.references),
            campaign=record.campaign,
            edition=record.edition,
            made_at=record.made_at.isoformat(timespec="seconds"),
            digital_source_type=source_type_of(record, lineage),
            provenance=terms.provenance,
        )
