"""How a brief is read from YAML or a form, and how what is wrong with it is put into words for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from blocks.errors import BriefError
from blocks.provider import LoraWeight, Money
from tasks.brief import (
    Axis,
    Brief,
    Dedupe,
    EditStep,
    Generation,
    ReferenceSource,
    ReviewPolicy,
    RevisionBrief,
    suggestion,
)
from tasks.documents import read_yaml, shortened

AnyBrief = TypeVar("AnyBrief", bound=RevisionBrief)
AnyForm = TypeVar("AnyForm", bound=BaseModel)


def load_brief(source: Brief | str | Path) -> Brief:
    """Reads a brief from a YAML file; a brief that is one already is handed through.

    Reference files are named relative to the brief's own folder.

    Raises:
        BriefError: The file is missing, is no YAML, or describes no campaign that could run.
    """
    return source if isinstance(source, Brief) else _load(Path(source), Brief)


def load_revision(source: RevisionBrief | str | Path) -> RevisionBrief:
    """Reads the edits of a revision from a YAML file, as `load_brief` does.

    Raises:
        BriefError: As in `load_brief`.
    """
    return source if isinstance(source, RevisionBrief) else _load(Path(source), RevisionBrief)


def _load(path: Path, model: type[AnyBrief]) -> AnyBrief:
    brief = read_brief(read_yaml(path), model, shown_as=path.name)
    beside = tuple(_beside(path.parent, each) for each in brief.references)
    return brief.model_copy(update={"references": beside})


def read_brief(document: Mapping[Any, Any], model: type[AnyForm], *, shown_as: str) -> AnyForm:
    """Makes a brief of what a YAML file or a form holds.

    Raises:
        BriefError: One line for each thing that is wrong.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [_in_words(item, model) for item in error.errors() if not _only_follows(item, error.errors())]
        raise BriefError("\n".join([f"{shown_as} cannot be used:", *(f"  - {line}" for line in lines)])) from error
    except BriefError as error:
        raise BriefError(f"{shown_as} cannot be used: {error}", where=error.where) from error


_IN_WORDS = {
    "string_type": "has to be a text; numbers, dates and yes or no need quotes around them",
    "tuple_type": "has to be a list",
    "model_type": "has to be a mapping",
    "too_short": "needs at least one entry",
}
"""pydantic speaks to programmers: these kinds of its errors are put into words for people."""


def _in_words(item: Any, model: type[BaseModel]) -> str:
    place = _place(item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown field.{suggestion(str(item['loc'][-1]), _fields_at(item['loc'][:-1], model))}"
    if item["type"] == "missing":
        return f"{place}: is missing."
    return f"{place}: {_IN_WORDS.get(item['type'], item['msg'])} (got {shortened(item['input'])})."


def _only_follows(item: Any, others: Sequence[Any]) -> bool:
    """Tells whether a list counts as too short only because its entries are wrong."""
    own = item["loc"]
    return item["type"] == "too_short" and any(len(o["loc"]) > len(own) and o["loc"][: len(own)] == own for o in others)


def _place(location: tuple[int | str, ...]) -> str:
    place = ".".join(str(part) for part in location) or "the brief"
    return place if place.isprintable() and len(place) <= 100 else shortened(place)


def _fields_at(location: tuple[int | str, ...], brief: type[BaseModel]) -> set[str]:
    models: Mapping[str, type[BaseModel]] = {
        "generate": Generation,
        "edits": EditStep,
        "dedupe": Dedupe,
        "budget": Money,
        "axes": Axis,
        "references": ReferenceSource,
        "loras": LoraWeight,
        "review": ReviewPolicy,
    }
    names = [part for part in location if isinstance(part, str) and part in models]
    return set((models[names[-1]] if names else brief).model_fields)


def _beside(folder: Path, reference: ReferenceSource) -> ReferenceSource:
    if reference.is_url:
        return reference
    try:
        path = Path(reference.source).expanduser()
    except RuntimeError as error:  # `~name` where there is nobody of that name
        where = f"references.{reference.role}"
        raise BriefError(f"{where}: there is no home folder {reference.source!r} begins with.", where=where) from error
    return reference.model_copy(update={"source": str(folder / path)})
