"""The brief: the one typed document that describes a campaign, and how it is read from YAML.

A brief that cannot work is refused here, with the place in the document and a way to mend it, before anything is
bought. What only a provider can know (its limits) is checked when the shots are planned.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from blocks.errors import BriefError
from blocks.provider import MAX_SEED, AspectRatio, Frozen, LoraWeight, Money, PictureFormat, ProviderName
from tasks.documents import read_yaml, shortened
from tasks.prompts import PromptSyntaxError, parse

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
"""Names become folder names and keys: lower-case letters, digits and dashes."""

Role = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,30}$")]

MAX_PROMPTS = 10_000
"""More than this in one campaign is more often a mistake in a template than a wish."""


class Axis(Frozen):
    """A named list of values; `${name}` in a prompt stands for one of them, the same at every place."""

    name: Role
    values: tuple[str, ...] = Field(min_length=1)


class ReferenceSource(Frozen):
    """A reference picture: its role, and the file (relative to the brief) or URL that it is read from."""

    role: Role
    source: str = Field(min_length=1)

    @property
    def is_url(self) -> bool:
        """True where it is read from the web."""
        return self.source.lower().startswith(("http://", "https://"))


def _pairs(first: str, second: str) -> BeforeValidator:
    """Lets people write `{light: [dawn, noon]}` where the model is a list of small objects."""

    def read(value: object) -> object:
        if isinstance(value, Mapping):
            return [{first: key, second: item} for key, item in value.items()]
        return value

    return BeforeValidator(read)


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ModelSettings(Frozen):
    """How a model is asked, for generation and edits alike. What is left out is the provider's default."""

    model: str | None = Field(
        default=None, description="Another model id of the provider; its klein model if left out."
    )
    width_px: int | None = Field(default=None, description="Scenario only: 128 to 2048, a multiple of 16.")
    height_px: int | None = Field(default=None, description="Scenario only: 128 to 2048, a multiple of 16.")
    aspect_ratio: AspectRatio | None = Field(default=None, description="Sunra only.")
    steps: int | None = Field(default=None, description="Inference steps.")
    guidance: float | None = Field(default=None, description="Scenario only: how closely the prompt is followed.")
    output_format: PictureFormat | None = Field(default=None, description="Sunra only.")
    loras: tuple[LoraWeight, ...] = ()
    references: tuple[Role, ...] = Field(default=(), description="Roles of the reference pictures to send, in order.")


class Generation(ModelSettings):
    """How pictures are generated from prompts."""

    provider: ProviderName = "scenario"
    outputs: int = Field(default=1, description="Pictures of one job, where the provider can make several.")


class EditStep(ModelSettings):
    """One edit, applied to the result of the step before. The picture itself is image 1, references follow."""

    instruction: str = Field(min_length=1)
    provider: ProviderName = "sunra"


class Dedupe(Frozen):
    """What counts as a repeat."""

    scope: Literal["campaign", "archive"] = Field(default="archive", description="What new pictures are compared with.")
    threshold: Literal["strict", "normal", "loose"] = "normal"
    distance_bits: int | None = Field(default=None, ge=0, le=96, description="Of 192; overrides the named threshold.")


class RevisionBrief(Frozen):
    """What shall be made of pictures that exist: references, a chain of edits, and the terms of the work."""

    name: Name
    title: str | None = Field(default=None, max_length=200)
    axes: Annotated[tuple[Axis, ...], _pairs("name", "values")] = ()
    seed: int = Field(default=0, ge=0, le=MAX_SEED, description="Where all random choices of this brief start.")
    references: Annotated[tuple[ReferenceSource, ...], _pairs("role", "source")] = ()
    edits: tuple[EditStep, ...] = Field(default=(), description="A chain: each step edits the result of the last one.")
    dedupe: Dedupe = Dedupe()
    budget: Money | None = Field(default=None, description="Amount and unit that this campaign may cost.")
    archive: str | None = Field(default=None, description="Folder of the archive.")
    on_lost: Literal["hold", "resubmit"] = Field(
        default="hold", description="What to do with a shot of which nobody can say whether it was bought."
    )
    job_timeout_seconds: float = Field(default=900, gt=0, le=86_400)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        _refuse_twice("axes", [axis.name for axis in self.axes])
        _refuse_twice("references", [reference.role for reference in self.references])
        if self.budget is not None and self.budget.amount < 0:
            raise BriefError(f"budget: has to be 0 or more, got {self.budget}.", where="budget")
        for where, template in self.templates():
            _refuse_bad_template(where, template, self.axis_values)
        known = {reference.role for reference in self.references}
        for stage, settings in self.stages():
            where = f"{stage}.references"
            for role in settings.references:
                if role not in known:
                    raise BriefError(
                        f"{where}: no reference has the role {role!r}.{suggestion(role, known)}", where=where
                    )
        return self

    def stages(self) -> tuple[tuple[str, "Generation | EditStep"], ...]:
        """Lists what asks a model for pictures, with its place in the document, in order."""
        return tuple((f"edits.{number}", edit) for number, edit in enumerate(self.edits))

    def templates(self) -> tuple[tuple[str, str], ...]:
        """Lists the texts in the prompt grammar, with their places in the document."""
        return tuple((f"edits.{number}.instruction", edit.instruction) for number, edit in enumerate(self.edits))

    @property
    def providers(self) -> tuple[ProviderName, ...]:
        """Names the providers that are needed, in the order of the stages."""
        return tuple(dict.fromkeys(settings.provider for _, settings in self.stages()))

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names that `${…}` may use."""
        return tuple(axis.name for axis in self.axes)

    @property
    def axis_values(self) -> dict[str, tuple[str, ...]]:
        """What `${…}` may stand for, by name."""
        return {axis.name: axis.values for axis in self.axes}

    @property
    def shown_title(self) -> str:
        """What people read above the contact sheet."""
        return self.title or self.name.replace("-", " ").capitalize()


class Brief(RevisionBrief):
    """What a campaign shall make: prompts to begin with, and what shall be made of their pictures."""

    prompts: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = Field(min_length=1)
    count: int | None = Field(default=None, ge=1, le=MAX_PROMPTS, description="Prompts to draw; all if left out.")
    seeds: int = Field(default=1, ge=1, le=1000, description="Pictures of each prompt, each from its own seed.")
    generate: Generation = Generation()
    edit: Literal["keepers", "all"] = Field(default="keepers", description="Which generated pictures are edited.")

    def stages(self) -> tuple[tuple[str, Generation | EditStep], ...]:
        """Lists what asks a model for pictures; generation comes first."""
        return (("generate", self.generate), *super().stages())

    def templates(self) -> tuple[tuple[str, str], ...]:
        """Lists the texts in the prompt grammar; prompts come first."""
        return (*((f"prompts.{number}", prompt) for number, prompt in enumerate(self.prompts)), *super().templates())


AnyBrief = TypeVar("AnyBrief", bound=RevisionBrief)


def _refuse_twice(where: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BriefError(f"{where}: {name!r} stands there twice.", where=where)


def _refuse_bad_template(where: str, template: str, axes: Mapping[str, Sequence[str]]) -> None:
    try:
        parsed = parse(template, tuple(axes))
    except PromptSyntaxError as error:
        raise PromptSyntaxError(f"{where}: {error}", where=where, line=error.line, column=error.column) from error
    if parsed.may_be_blank(axes):
        raise BriefError(f"{where}: can come out empty, and there is no picture of nothing. Add a word.", where=where)


def suggestion(word: str, known: set[str]) -> str:
    """Ends a message with the nearest known word, or with all of them."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(sorted(known))}." if known else ""


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


def read_brief(document: Mapping[Any, Any], model: type[AnyBrief], *, shown_as: str) -> AnyBrief:
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


def _in_words(item: Any, model: type[RevisionBrief]) -> str:
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


def _fields_at(location: tuple[int | str, ...], brief: type[RevisionBrief]) -> set[str]:
    models: Mapping[str, type[BaseModel]] = {
        "generate": Generation,
        "edits": EditStep,
        "dedupe": Dedupe,
        "budget": Money,
        "axes": Axis,
        "references": ReferenceSource,
        "loras": LoraWeight,
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
