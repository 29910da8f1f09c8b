"""What an export is asked for."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from pydantic import Field

from blocks.archive.search import Search
from blocks.errors import BriefError
from blocks.provider import Frozen
from tasks.provenance.marking import ProvenanceMode

ExportFormat = Literal["imagefolder", "webdataset", "parquet", "zip", "kohya"]
CaptionKind = Literal["chain", "prompt", "none"]
"""What a picture's caption is: its prompt with the instructions of all edits after it; its own prompt or instruction
alone; or nothing at all."""

WantedVerdict = Literal["keeper", "duplicate", "rejected", "any"]


class Wanted(Frozen):
    """Which pictures: all that is said has to hold."""

    campaign: str | None = Field(default=None, description="That has bought them, or that they belong to.")
    edition: str | None = None
    verdict: WantedVerdict = "keeper"
    since: date | None = Field(default=None, description="First day (UTC) on which they were made.")
    until: date | None = Field(default=None, description="Last day (UTC) on which they were made.")
    prompt: str | None = Field(default=None, description="Text in the prompt or instruction, in either case.")

    @property
    def search(self) -> Search:
        """The part of it that the catalogue answers."""
        return Search(
            campaign=self.campaign,
            edition=self.edition,
            made_from=None if self.since is None else _midnight(self.since),
            made_before=None if self.until is None else _midnight(self.until) + timedelta(days=1),
        )

    def __str__(self) -> str:
        said = {name: str(value) for name, value in self if value is not None}
        return ", ".join(f"{name} {value!r}" for name, value in said.items())


class Terms(Frozen):
    """What an export holds, and in which form."""

    format: ExportFormat = "imagefolder"
    filter: Wanted = Wanted()
    captions: CaptionKind = "chain"
    provenance: ProvenanceMode = "xmp"
    with_prompt: bool = Field(default=False, description="Whether the XMP says the prompt.")


def check(terms: Terms) -> None:
    """Refuses what contradicts itself.

    Raises:
        BriefError: Saying what to change.
    """
    if terms.format == "kohya" and terms.captions == "none":
        raise BriefError("A kohya export is pairs of pictures and captions: choose captions `chain` or `prompt`.")
    if terms.with_prompt and terms.provenance in {"none", "keep"}:
        raise BriefError(
            f"The prompt goes into the XMP, which provenance `{terms.provenance}` does not write: choose `xmp` or "
            "`full`, or leave the prompt out."
        )
    since, until = terms.filter.since, terms.filter.until
    if since is not None and until is not None and since > until:
        raise BriefError(f"No day is between {since} and {until}: the first day comes first.")
    if until == date.max:
        raise BriefError(f"{until} has no day after it: leave the last day out.")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
