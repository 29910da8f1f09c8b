"""The facts of a contact sheet as JSON inside its page: for the filter, the large view and the grid. Pure.

What many pictures share (prompts, instructions, settings) stands there once, in tables that the pictures point into.
"""

from collections.abc import Iterable
from typing import Generic, Literal, TypeVar

from pydantic import Field

from blocks.provider import Frozen
from tasks.models import ImageRecord
from tasks.report.view import Frame, FrameState, SheetView, shown_provider

T = TypeVar("T")

_SAFE_IN_SCRIPT = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
"""No text can end the element that the JSON stands in, nor begin another."""


class PromptFacts(Frozen):
    """A prompt, and the choices that made it: axis and value."""

    text: str
    axes: tuple[tuple[str, str], ...] = ()


class Settings(Frozen):
    """What many pictures were made with alike; `rows` are only ever read, in this order."""

    provider: str
    model: str
    size: tuple[int, int]
    rows: tuple[tuple[str, str], ...] = ()


class Item(Frozen):
    """One picture; what is left at its default is not written."""

    label: str
    sha: str
    state: FrameState | Literal["reference"] = "keeper"
    lost: bool = False
    prompt: int = Field(default=-1, description="Which of the prompts.")
    text: int = Field(default=-1, description="Which of the texts was sent; none where it was the prompt's own.")
    settings: int = Field(default=-1, description="Which of the settings.")
    seed: int = -1
    step: int = 0
    made: str = ""
    job: str = ""
    parent: str = ""
    references: tuple[str, ...] = ()
    keeper: str = ""
    bits: int = 0
    how: str = Field(default="", description="In what way it repeats its keeper, as `, mirrored`; none: as a copy.")
    reason: str = ""
    flags: tuple[str, ...] = ()
    stars: int = 0
    kept: bool = False
    changes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="The flags in words.")
    changed: float = Field(default=-1, description="Share that an edit changed; -1: not measured.")
    shift: float = Field(default=0, description="Delta E of the shift of all colours.")
    heat: str = Field(default="", description="Where: a hexadecimal digit for each of 16 x 16 places; none: nowhere.")


class Island(Frozen):
    """Everything that the page's script knows."""

    archive: str
    campaign: str
    edition: str
    prompts: tuple[PromptFacts, ...]
    texts: tuple[str, ...]
    settings: tuple[Settings, ...]
    items: tuple[Item, ...]

    def as_script(self) -> str:
        """JSON that may stand in a `script` element of type `application/json`."""
        return self.model_dump_json(exclude_defaults=True).translate(_SAFE_IN_SCRIPT)


class _Table(Generic[T]):
    """Numbers values in the order in which they first come up."""

    def __init__(self) -> None:
        self._places: dict[T, int] = {}

    def place(self, value: T) -> int:
        return self._places.setdefault(value, len(self._places))

    @property
    def values(self) -> tuple[T, ...]:
        return tuple(self._places)


class _Writer:
    def __init__(self) -> None:
        self.prompts: _Table[PromptFacts] = _Table()
        self.texts: _Table[str] = _Table()
        self.settings: _Table[Settings] = _Table()

    def item(self, frame: Frame) -> Item:
        item = Item(label=frame.label, sha=frame.sha256, state=frame.state, lost=not frame.readable)
        if frame.image is None:
            return item
        said = {"stars": frame.opinion.stars, "kept": frame.opinion.is_kept} if frame.opinion is not None else {}
        return item.model_copy(update={**self._origin(frame.image), **_verdict(frame), **_drift(frame), **said})

    def _origin(self, image: ImageRecord) -> dict[str, object]:
        sent, prompt = image.request.prompt, image.prompt
        axes = tuple((each.name, each.value) for each in prompt.bindings)
        return {
            "prompt": self.prompts.place(PromptFacts(text=prompt.text, axes=axes)),
            "text": -1 if sent == prompt.text else self.texts.place(sent),
            "settings": self.settings.place(_settings(image)),
            "seed": image.request.seed,
            "step": image.step,
            "made": f"{image.made_at:%Y-%m-%d %H:%M}",
            "job": image.job_id,
            "parent": image.parent_sha256 or "",
            "references": tuple(use.sha256 for use in image.references),
        }


def build_island(view: SheetView) -> Island:
    """Collects the facts of everything that the page shows: the campaign's pictures, then what they came from."""
    sheet, writer = view.sheet, _Writer()
    items = [writer.item(frame) for frame in view.all_frames]
    items += [
        Item(label=frame.label, sha=frame.sha256, state="reference", lost=not frame.readable)
        for frame in view.references
    ]
    return Island(
        archive=sheet.archive_id,
        campaign=sheet.campaign,
        edition=sheet.edition,
        prompts=writer.prompts.values,
        texts=writer.texts.values,
        settings=writer.settings.values,
        items=tuple(items),
    )


def _verdict(frame: Frame) -> dict[str, object]:
    verdict = frame.verdict
    facts: dict[str, object] = {
        "flags": frame.flags,
        "notes": frame.notes,
        "changes": tuple((change.kind, change.text) for change in frame.changes),
    }
    if verdict is not None and verdict.kind != "keeper":
        facts |= {"bits": verdict.distance_bits, "reason": verdict.reason}
        facts |= {"keeper": verdict.keeper_sha256, "how": frame.how} if verdict.kind == "duplicate" else {}
    return facts


def _drift(frame: Frame) -> dict[str, object]:
    drift = frame.drift
    if drift is None:
        return {}
    heat = "".join(f"{-(-level // 17):x}" for level in bytes.fromhex(drift.places))  # 16 levels show as much as 256
    return {"changed": drift.changed_share, "shift": drift.color_shift, "heat": heat if heat.strip("0") else ""}


def _settings(image: ImageRecord) -> Settings:
    checks = image.checks
    return Settings(
        provider=shown_provider(image),
        model=image.request.model,
        size=(checks.width_px, checks.height_px),
        rows=tuple(_rows(image)),
    )


def _rows(image: ImageRecord) -> Iterable[tuple[str, str]]:
    request = image.request
    if request.steps is not None:
        yield "steps", str(request.steps)
    if request.guidance is not None:
        yield "guidance", str(request.guidance)
    yield from (("LoRA", f"{lora.id} × {lora.scale}") for lora in request.loras)
    yield "cost", "not said" if image.cost is None else str(image.cost)
