"""What all of Scenario's requests and answers have in common: how a value is written, and how much is believed.

Requests are strict: a field that is not listed cannot be sent. That matters most for `dryRun`, a query parameter: in a
body it is ignored and the request runs, and is paid for (observed by Scenario's own Blender add-on).

Answers are tolerant: unknown fields are ignored, unknown statuses pass, and an optional field of an odd shape reads as
absent, so that a surprise in `progress` never costs a job id that was paid for. Required are only the ids and a status.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasGenerator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel


def _as_vendor_time(moment: datetime) -> str:
    """Formats a time as the vendor's examples do: `2023-02-03T11:19:41.579Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _absent_if_odd(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


def _no_dots(identifier: str) -> str:
    if identifier in {".", ".."}:
        raise ValueError("an id cannot be a step in a path")
    return identifier


Tolerant = WrapValidator(_absent_if_odd)
"""Marks an optional field of an answer: what cannot be read counts as absent."""

VendorId = Annotated[str, Field(min_length=1), AfterValidator(_no_dots)]
VendorTime = Annotated[AwareDatetime, PlainSerializer(_as_vendor_time)]
CreativeUnits = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""Scenario's money. Fractions are normal: 17.75 was seen for one picture."""

Text = Annotated[str | None, Tolerant]
Number = Annotated[float | None, Field(allow_inf_nan=False), Tolerant]
WholeNumber = Annotated[int | None, Tolerant]
Cost = Annotated[CreativeUnits | None, Tolerant]
Ids = Annotated[tuple[VendorId, ...] | None, Tolerant]


class ScenarioRequest(BaseModel):
    """A request body or query: knows its vendor's names, refuses all others."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=AliasGenerator(serialization_alias=to_camel),
        hide_input_in_errors=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Gives what is sent. What is `None` is left out: Scenario would take a null for a value."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ScenarioAnswer(BaseModel):
    """An answer: takes what it knows, ignores the rest. Inputs stay out of its errors, for URLs in them are signed."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, hide_input_in_errors=True
    )
