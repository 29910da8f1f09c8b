"""The decisions file that a contact sheet saves: what people marked in a browser, read as the stranger's text it is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from blocks.errors import BriefError
from tasks.models import sha256_of
from tasks.opinions import MOST_STARS, Stars
from tasks.review import Decision
from tasks.shown import one_line

DECISIONS_FORMAT = 1
"""Version of the file. It only grows; a reader refuses what is newer than itself."""

MOST_BYTES = 16 * 1024 * 1024
MOST_MARKS = 100_000
MOST_LETTERS = 400
QUESTION = "Marks on the contact sheet"

_NAMED_DIGITS = 12

Sha256 = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MOST_LETTERS)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Header(BaseModel):
    """What a file of any format says. What a later one adds is passed over, so that its number can be read."""

    kind: Literal["kleinbild-decisions"]
    format: int


class Mark(_Strict):
    """What somebody thinks of one picture; `keep` also takes a rejection back."""

    sha256: Sha256
    verdict: Literal["reject", "keep"] | None = None
    stars: int | None = Field(default=None, ge=0, le=MOST_STARS)

    @model_validator(mode="after")
    def _says_something(self) -> "Mark":
        if self.verdict is None and self.stars is None:
            raise ValueError(f"picture {self.sha256[:_NAMED_DIGITS]} has neither a verdict nor stars")
        return self


class DecisionFile(_Strict):
    """All marks that somebody made on one contact sheet, as they were when the file was saved."""

    kind: Literal["kleinbild-decisions"]
    format: Literal[1]
    archive: Name
    campaign: Name
    edition: Name
    saved_at: AwareDatetime = Field(strict=False)
    marks: tuple[Mark, ...] = Field(min_length=1, max_length=MOST_MARKS, strict=False)

    @model_validator(mode="after")
    def _names_each_picture_once(self) -> "DecisionFile":
        seen: set[str] = set()
        for mark in self.marks:
            if mark.sha256 in seen:
                raise ValueError(f"picture {mark.sha256[:_NAMED_DIGITS]} is marked twice")
            seen.add(mark.sha256)
        return self

    @property
    def id(self) -> str:
        """Names what the file says: the same marks, saved at the same time, have the same name."""
        return sha256_of(self.model_dump_json().encode())

    def decided(self, now: datetime) -> Decision:
        """Makes it a decision on the pictures that were rejected or kept, with stars beside it.

        Args:
            now: No decision is later than this, whatever the clock of the other machine says: it would hold for ever.
        """
        judged = [mark for mark in self.marks if mark.verdict is not None]
        return Decision(
            rejected=tuple(mark.sha256 for mark in judged if mark.verdict == "reject"),
            campaign=self.campaign,
            edition=self.edition,
            step=0,
            round=0,
            question=QUESTION,
            shown=tuple(mark.sha256 for mark in judged),
            stars=tuple(Stars(sha256=mark.sha256, stars=mark.stars) for mark in self.marks if mark.stars is not None),
            by="sheet",
            run_id=f"sheet-{self.id}",
            decided_at=min(self.saved_at, now),
        )


def read_decision_file(data: bytes, shown_as: str) -> DecisionFile:
    """Reads a decisions file.

    Args:
        data: The bytes as they came.
        shown_as: What the messages call it.

    Raises:
        BriefError: It is too large, no decisions file, damaged, or of a newer format; with what is wrong, and where.
    """
    if len(data) > MOST_BYTES:
        raise BriefError(f"{shown_as} is larger than {MOST_BYTES} bytes, and no decisions file.")
    try:
        written = _Header.model_validate_json(data).format
        if written > DECISIONS_FORMAT:
            raise BriefError(
                f"{shown_as} has format {written}; this version reads formats up to {DECISIONS_FORMAT}: "
                "update Kleinbild."
            )
        return DecisionFile.model_validate_json(data)
    except ValidationError as error:
        raise BriefError(f"{shown_as} is no decisions file of a contact sheet: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """Says the first thing that is wrong; never the input, which can be anything."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return one_line(f"{where}: {first['msg']}" if where else first["msg"], MOST_LETTERS)
