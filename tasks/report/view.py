"""What a contact sheet shows, as plain values: made from a `Sheet`, with no bytes and no HTML.

Words of this page: a **frame** is one picture with its number; a **family** is one generated picture with everything
that was edited out of it; a **repeat** is a duplicate, folded under its keeper. Frames are numbered as on film: the
pictures of family 12 are `12`, `12A`, `12B`.
"""

import re
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise
from typing import Literal

from blocks.provider import Frozen
from tasks.measured import HOW_IN_WORDS, Drift
from tasks.models import Balance, Cost, Failure, Flagged, ImageRecord, Prompt, ReferenceUse, Round, Verdict
from tasks.opinions import Opinion
from tasks.report.curve import YieldCurve, yield_curve
from tasks.report.wording import Change, Words, changes_between, flag_in_words, highlight, origin_in_words

FrameState = Literal["keeper", "duplicate", "rejected", "unjudged", "archived"]


class Sheet(Frozen):
    """Everything that one contact sheet is made from: a campaign's outcome."""

    title: str
    archive_id: str
    campaign: str
    edition: str
    images: tuple[ImageRecord, ...]
    verdicts: tuple[Verdict, ...]
    failures: tuple[Failure, ...]
    cost: Cost
    balances: tuple[Balance, ...] = ()
    bought: int
    reused: int
    references: tuple[ReferenceUse, ...]
    opinions: tuple[Opinion, ...] = ()
    made_at: datetime
    rounds: tuple[Round, ...] = ()
    """Of a campaign that went on until it had a number of distinct pictures."""
    flagged: tuple[Flagged, ...] = ()
    """Edits that changed more or less than their step allows."""


class Frame(Frozen):
    """One picture on the sheet."""

    label: str
    sha256: str
    state: FrameState
    readable: bool
    image: ImageRecord | None = None
    verdict: Verdict | None = None
    repeats: str | None = None
    """The number of the frame that a duplicate repeats; None for other states and keepers of older campaigns."""
    opinion: Opinion | None = None
    before: str = ""
    """The instruction of the edit before; empty for a generated picture and for a first edit."""
    flagged: Flagged | None = None

    @property
    def instruction(self) -> str:
        """The text that made this picture out of its parent; empty for a generated one."""
        return self.image.request.prompt if self.image is not None and self.image.step > 0 else ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the instruction says otherwise than that of the edit before, where the two are variants."""
        return changes_between(self.before, self.instruction) if self.before and self.instruction else ()

    @property
    def drift(self) -> Drift | None:
        """How far an edit went from the picture before; None for others, and where nobody has measured it."""
        return None if self.image is None else self.image.drift

    @property
    def flags(self) -> tuple[str, ...]:
        """What a person should look at: a placeholder in the place of a picture, or an edit that went too far."""
        seen = () if self.image is None else self.image.checks.flags
        return (*seen, *(() if self.flagged is None else (self.flagged.kind,)))

    @property
    def notes(self) -> tuple[str, ...]:
        """The same in words; and that it is a keeper in other colours."""
        seen = () if self.image is None else self.image.checks.flags
        variant = (
            (self.verdict.reason,)
            if self.state == "keeper" and self.verdict is not None and self.verdict.is_color_variant
            else ()
        )
        return (*map(flag_in_words, seen), *(() if self.flagged is None else (self.flagged.reason,)), *variant)

    @property
    def how(self) -> str:
        """In what way a duplicate repeats its keeper, after a number of bits: `, mirrored`; empty for a copy."""
        return "" if self.verdict is None or self.verdict.how is None else HOW_IN_WORDS[self.verdict.how]


class Repeats(Frozen):
    """A keeper with the duplicates that are folded under it."""

    keeper: Frame
    duplicates: tuple[Frame, ...]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The keeper, then its duplicates."""
        return (self.keeper, *self.duplicates)


class Family(Frozen):
    """One generated picture and all that was edited out of it."""

    root: Frame
    strips: tuple[tuple[Frame, ...], ...]
    """The edit chains, each from the root to its last edit; empty where nothing was edited."""
    repeats: tuple[Repeats, ...]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every picture of the family once, the root first."""
        return tuple({frame.sha256: frame for strip in ((self.root,), *self.strips) for frame in strip}.values())

    @property
    def comparisons(self) -> tuple[tuple[Frame, Frame], ...]:
        """What is worth a before and after: each whole chain, then its single steps."""
        whole = [(strip[0], strip[-1]) for strip in self.strips]
        steps = [pair for strip in self.strips for pair in pairwise(strip)]
        pairs = {(before.sha256, after.sha256): (before, after) for before, after in whole + steps}
        return tuple(pair for pair in pairs.values() if pair[0].readable and pair[1].readable)

    @property
    def is_measured(self) -> bool:
        """True where somebody can be shown where an edit changed its picture."""
        return any(frame.drift is not None for frame in self.frames)

    @property
    def keepers(self) -> int:
        """How many of its pictures are neither duplicates nor rejected."""
        return sum(frame.state in {"keeper", "unjudged"} for frame in self.frames)


class Section(Frozen):
    """A prompt with the families that it made."""

    prompt: Prompt
    families: tuple[Family, ...]

    @property
    def runs(self) -> tuple[tuple[Family, ...], ...]:
        """The families in order, cut into runs: those without edits, and those with them, which need more room."""
        return tuple(tuple(run) for _, run in groupby(self.families, key=lambda family: family.strips != ()))

    @property
    def words(self) -> tuple[Words, ...]:
        """The prompt's text, cut where a chosen value stands."""
        return highlight(self.prompt)


class Axis(Frozen):
    """An axis of the prompts, with the values that it took, in the order in which they came up."""

    name: str
    values: tuple[str, ...]


class FailureGroup(Frozen):
    """Failures of one kind."""

    kind: str
    failures: tuple[Failure, ...]


class SheetView(Frozen):
    """The whole page."""

    sheet: Sheet
    sections: tuple[Section, ...]
    archive_repeats: tuple[Repeats, ...]
    """Duplicates of pictures that an older campaign had made."""
    failures: tuple[FailureGroup, ...]
    references: tuple[Frame, ...]

    @cached_property
    def all_frames(self) -> tuple[Frame, ...]:
        """Every picture on the page once: the campaign's own by number, then those from the archive."""
        families = (family for section in self.sections for family in section.families)
        groups = [*self.archive_repeats]
        shown: dict[str, Frame] = {}
        for family in families:
            shown |= {frame.sha256: frame for frame in family.frames}
            groups += family.repeats
        for group in groups:
            shown |= {frame.sha256: frame for frame in group.frames if frame.sha256 not in shown}
        return tuple(sorted(shown.values(), key=lambda frame: (frame.image is None, label_order(frame.label))))

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Every picture that this campaign made, once, by number."""
        return tuple(frame for frame in self.all_frames if frame.image is not None)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each picture stands among all frames, by SHA-256."""
        return {frame.sha256: place for place, frame in enumerate(self.all_frames)}

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """What the campaign's pictures can be told apart by: every axis of its prompts with its values."""
        values: dict[str, dict[str, None]] = {}
        for frame in self.frames:
            for binding in frame.image.prompt.bindings if frame.image is not None else ():
                values.setdefault(binding.name, {})[binding.value] = None
        return tuple(Axis(name=name, values=tuple(chosen)) for name, chosen in values.items())

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """Who made the pictures."""
        return tuple(dict.fromkeys(shown_provider(frame.image) for frame in self.frames if frame.image is not None))

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models that made the pictures, as the providers name them."""
        return tuple(dict.fromkeys(frame.image.request.model for frame in self.frames if frame.image is not None))

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """0 for generated pictures, n for the n-th edit of a chain."""
        return tuple(sorted({frame.image.step for frame in self.frames if frame.image is not None}))

    @cached_property
    def origin(self) -> str:
        """Who made the pictures, as the AI mark says it."""
        return origin_in_words(self.sheet.images)

    @cached_property
    def yield_curve(self) -> YieldCurve | None:
        """How many distinct pictures the paid ones brought; None for a campaign without rounds."""
        return yield_curve(self.sheet.rounds)

    @cached_property
    def flagged(self) -> int:
        """How many pictures a person should look at."""
        return sum(bool(frame.flags) for frame in self.frames)

    def count(self, state: FrameState) -> int:
        """How many of the campaign's pictures are in a state."""
        return sum(frame.state == state for frame in self.frames)


def shown_provider(image: ImageRecord) -> str:
    """Names who made a picture; the sandbox is no vendor."""
    return f"{image.provider} (sandbox)" if image.sandbox else image.provider


def label_order(label: str) -> tuple[int, int, str]:
    """Sorts frame numbers as film does: 2, 2A, 2B, 10."""
    digits = re.match(r"\d*", label)
    number = digits.group() if digits else ""
    letters = label[len(number) :]
    return (int(number or 0), len(letters), letters)
