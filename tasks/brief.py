"""The brief: the one typed document that describes a campaign. `tasks/brief_reading.py` reads it from YAML.

A brief that cannot work is refused here, with the place in the document and a way to mend it, before anything is
bought. What only a provider can know (its limits) is checked when the shots are planned.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from blocks.errors import BriefError
from blocks.provider import MAX_SEED, AspectRatio, Frozen, LoraWeight, Money, PictureFormat, ProviderName
from tasks.prompts import PromptSyntaxError, parse, reference_numbers

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
"""Names become folder names and keys: lower-case letters, digits and dashes."""

Role = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,30}$")]

MAX_PROMPTS = 10_000
"""More than this in one campaign is more often a mistake in a template than a wish."""

MAX_SHOTS = 20_000
"""More in one campaign is more often a slip of the pen than a wish; make several campaigns of it."""


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
    min_change: float | None = Field(
        default=None, ge=0, le=1, description="Share of the picture that has to change at least."
    )
    max_change: float | None = Field(
        default=None, ge=0, le=1, description="Share of the picture that may change at most."
    )
    on_change: Literal["flag", "retry", "stop"] = Field(
        default="flag",
        description="What to do with a result outside of these, or that changed nothing: flag it, retry with other "
        "seeds, or stop its chain.",
    )
    retries: int = Field(default=2, ge=1, le=10, description="New seeds at most for one result, with `retry`.")


class Dedupe(Frozen):
    """What counts as a repeat."""

    scope: Literal["campaign", "archive"] = Field(default="archive", description="What new pictures are compared with.")
    threshold: Literal["strict", "normal", "loose"] = "normal"
    distance_bits: int | None = Field(default=None, ge=0, le=96, description="Of 192; overrides the named threshold.")
    crops: bool = Field(default=True, description="Whether crops and small rotations of a picture are repeats of it.")
    mirror: bool = Field(default=True, description="Whether the mirror image of a picture is a repeat of it.")
    within_chain: bool = Field(
        default=False, description="Whether an edit may be a repeat of its own parent, or of another in its chain."
    )


class ReviewPolicy(Frozen):
    """How long a run waits for a person, and what it does when nobody comes."""

    timeout_hours: float = Field(default=24, gt=0, le=24 * 365)
    on_timeout: Literal["stop", "go_on"] = Field(
        default="stop", description="`go_on`: all distinct pictures are kept, and the run waits in its process."
    )


def _on_or_off(value: object) -> object:
    """Lets people write `review: true`."""
    if isinstance(value, bool):
        return {} if value else None
    return value


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
    review: Annotated[
        ReviewPolicy | None, BeforeValidator(_on_or_off, json_schema_input_type=bool | ReviewPolicy | None)
    ] = Field(default=None, description="Asks a person after generation and before each further edit: true, or terms.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        _refuse_twice("axes", [axis.name for axis in self.axes])
        _refuse_twice("references", [reference.role for reference in self.references])
        if self.budget is not None and self.budget.amount < 0:
            raise BriefError(f"budget: has to be 0 or more, got {self.budget}.", where="budget")
        known = {reference.role for reference in self.references}
        for where, settings in self.stages():
            _refuse_unknown_role(f"{where}.references", settings.references, known)
            if isinstance(settings, EditStep):
                _refuse_crossed_limits(where, settings)
        for where, template, settings in self.templates():
            _refuse_bad_template(where, template, self.axis_values)
            _refuse_unsent_role(where, template, known - set(settings.references))
        return self

    def stages(self) -> tuple[tuple[str, "Generation | EditStep"], ...]:
        """Lists what asks a model for pictures, with its place in the document, in order."""
        return tuple((f"edits.{number}", edit) for number, edit in enumerate(self.edits))

    def templates(self) -> tuple[tuple[str, str, "Generation | EditStep"], ...]:
        """Lists the texts in the prompt grammar, with their places in the document and the stage that sends them."""
        return tuple((f"edits.{number}.instruction", edit.instruction, edit) for number, edit in enumerate(self.edits))

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
    count: int | None = Field(
        default=None,
        ge=1,
        le=MAX_PROMPTS,
        description="Prompts to draw; all if left out. With `target_unique`, those of the first round.",
    )
    seeds: int = Field(default=1, ge=1, le=1000, description="Pictures of each prompt, each from its own seed.")
    generate: Generation = Generation()
    edit: Literal["keepers", "all"] = Field(default="keepers", description="Which generated pictures are edited.")
    target_unique: int | None = Field(
        default=None,
        ge=1,
        le=MAX_PROMPTS,
        description="Goes on in rounds until so many distinct pictures were generated, or the budget ends: "
        "with new prompts as long as there are any, then with further seeds.",
    )
    min_yield: float = Field(
        default=0.2, ge=0, le=1, description="Distinct pictures per paid one under which the rounds end."
    )

    def stages(self) -> tuple[tuple[str, Generation | EditStep], ...]:
        """Lists what asks a model for pictures; generation comes first."""
        return (("generate", self.generate), *super().stages())

    def templates(self) -> tuple[tuple[str, str, Generation | EditStep], ...]:
        """Lists the texts in the prompt grammar; prompts come first."""
        prompts = ((f"prompts.{number}", prompt, self.generate) for number, prompt in enumerate(self.prompts))
        return (*prompts, *super().templates())


def _refuse_crossed_limits(where: str, step: EditStep) -> None:
    if step.min_change is not None and step.max_change is not None and step.min_change > step.max_change:
        raise BriefError(
            f"{where}.min_change: is {step.min_change:g}, which is more than max_change, {step.max_change:g}: "
            "no edit can be both. Swap them, or leave one out.",
            where=f"{where}.min_change",
        )


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


def _refuse_unknown_role(where: str, roles: tuple[str, ...], known: set[str]) -> None:
    for role in roles:
        if role not in known:
            raise BriefError(f"{where}: no reference has the role {role!r}.{suggestion(role, known)}", where=where)


def _refuse_unsent_role(where: str, template: str, unsent: set[str]) -> None:
    """A model would take `@cup` for a word; whoever wrote it meant a picture."""
    for role in sorted(unsent):
        if reference_numbers(template, (role,), first=1) != template:
            raise BriefError(
                f"{where}: speaks of @{role}, which is not among the references of this stage.", where=where
            )


def suggestion(word: str, known: set[str]) -> str:
    """Ends a message with the nearest known word, or with all of them."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(sorted(known))}." if known else ""
