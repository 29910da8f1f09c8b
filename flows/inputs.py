"""What people hand to a flow, in Python and in the form of the Prefect UI, and what the flow makes of it.

A parameter's type here accepts more than its form shows: in Python a brief is a model or a path, in the form it is a
few fields. One object per parameter and no alternatives: the server then names the very field that is wrong.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from blocks.archive.block import ImageArchive
from blocks.errors import BriefError
from tasks.brief import Brief, RevisionBrief
from tasks.brief_form import BriefForm, RevisionForm
from tasks.brief_reading import AnyBrief, load_brief, load_revision, read_brief


def read_brief_input(value: object) -> Brief:
    """Makes a brief of whatever names one: a model, a path, a filled-in form, a whole document.

    Raises:
        BriefError: One line for each thing that is wrong.
    """
    named = _named(value, Brief, BriefForm)
    return load_brief(named)


def read_revision_input(value: object) -> RevisionBrief:
    """Makes the terms of a revision of whatever names them, as `read_brief_input` does.

    Raises:
        BriefError: One line for each thing that is wrong.
    """
    return load_revision(_named(value, RevisionBrief, RevisionForm))


def _named(value: object, model: type[AnyBrief], form: type[BriefForm | RevisionForm]) -> AnyBrief | Path:
    if isinstance(value, model | Path):
        return value
    if isinstance(value, str):
        return Path(value)
    if not isinstance(value, Mapping):
        raise BriefError(f"brief: has to be a form, a path or a brief, got {type(value).__name__}.", where="brief")
    if not set(value) <= set(form.model_fields):
        return read_brief(value, model, shown_as="The brief")
    filled = read_brief(value, form, shown_as="The brief")
    return Path(filled.file) if filled.file else read_brief(filled.document(), model, shown_as="The brief")


def read_archive_input(value: object) -> ImageArchive | Path | str | None:
    """Takes whatever names an archive: a block, a folder, or a saved block as `image-archive/NAME`.

    Raises:
        BriefError: It is none of these.
    """
    if value is None or isinstance(value, ImageArchive | Path | str):
        return value
    if isinstance(value, Mapping):
        return read_brief(value, ImageArchive, shown_as="The archive")
    raise BriefError(f"archive: has to be a block or a folder, got {type(value).__name__}.", where="archive")


class _ReadBy:
    """Reads a parameter in our own words; shows people the form of another type."""

    def __init__(self, read: Callable[[object], object], shown: Any) -> None:
        self._read = read
        self._shown = shown

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Says so to pydantic."""
        shown = handler.generate_schema(self._shown)
        return core_schema.no_info_plain_validator_function(self._read, json_schema_input_schema=shown)


BriefInput = Annotated[Brief, _ReadBy(read_brief_input, BriefForm)]
RevisionInput = Annotated[RevisionBrief, _ReadBy(read_revision_input, RevisionForm)]
ArchiveInput = Annotated[ImageArchive | Path | str | None, _ReadBy(read_archive_input, ImageArchive | None)]
BudgetInput = Annotated[
    Decimal | None,
    Field(ge=0, allow_inf_nan=False),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}),
]
