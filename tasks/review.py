"""The review: what a person is asked about pictures, what may be answered, and what follows from it. Pure.

A **question** shows the pictures that would go on. An **answer** is what a person types; a **decision** is what it
means: which pictures are put aside, and which are made again with another text. Decisions are kept for ever
(`tasks/decided.py`).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from blocks.errors import KleinbildError
from blocks.provider import Frozen
from tasks.again import Reprompt, shot_again
from tasks.brief import ReviewPolicy, RevisionBrief
from tasks.frame_numbers import UnclearAnswer, read_frame, read_frames, write_frames
from tasks.models import ImageRecord, Shot
from tasks.opinions import Opinion, Stars

DECISION_FORMAT = 2
"""Version of the decision files in an archive. It only grows; a reader refuses what is newer than itself.

2 added what comes from a contact sheet: stars.
"""

REJECTED = "rejected in review"
MADE_AGAIN = "made again in review, with another text"

MAX_NUMBERS_LENGTH = 20_000
MAX_PROMPT_LENGTH = 20_000
MAX_NOTE_LENGTH = 2_000

Channel = Literal["form", "terminal", "callback", "sheet", "command"]


class ReviewTimedOut(KleinbildError):
    """Nobody answered in time. What was made is archived; a later run asks again."""


class Candidate(Frozen):
    """A picture that can be rejected or made again."""

    label: str = Field(description="Its number on the contact sheet.")
    image: ImageRecord
    is_asked: bool = Field(default=True, description="False for repeats: they do not go on anyway.")


class Shown(Frozen):
    """Which picture a number meant when a question was put."""

    label: str
    sha256: str
    is_asked: bool


class Again(Frozen):
    """A picture to be made again, and the text to make it with."""

    number: Annotated[str, Field(max_length=20)]
    prompt: Annotated[str, Field(max_length=MAX_PROMPT_LENGTH)]


class Answer(Frozen):
    """What a person typed. Nothing at all keeps everything."""

    reject: str = Field(default="", max_length=MAX_NUMBERS_LENGTH)
    keep_only: str = Field(default="", max_length=MAX_NUMBERS_LENGTH)
    again: tuple[Again, ...] = ()
    note: str = Field(default="", max_length=MAX_NOTE_LENGTH)


class Question(Frozen):
    """What a person is asked: which of these pictures go on?"""

    campaign: str
    edition: str
    title: str
    step: int = Field(ge=0, description="0: after generation; n: after the n-th edit.")
    round: int = Field(ge=1, description="Pictures that were made again are asked about in the next round.")
    following: str = Field(description="What comes next for the pictures that are kept: `edit 1 of 2, …`.")
    candidates: tuple[Candidate, ...]
    contact_sheet: str = Field(description="An address for the browser, or a path.")
    earlier: Answer = Field(default=Answer(), description="What was decided before, or typed: where to start from.")
    decided_at: datetime | None = Field(default=None, description="When it was decided before, if ever.")
    complaint: str = Field(default="", description="Why an answer could not be used, and the question is asked again.")

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """The pictures that go on unless somebody says no."""
        return tuple(each for each in self.candidates if each.is_asked)

    @property
    def shown(self) -> tuple[Shown, ...]:
        """What the numbers mean here."""
        return tuple(
            Shown(label=each.label, sha256=each.image.sha256, is_asked=each.is_asked) for each in self.candidates
        )

    def as_shown(self, shown: Sequence[Shown]) -> "Question":
        """Gives the question as it was put, for an answer that goes by the numbers of that time.

        A run that begins again from its top may have more pictures than it had, anywhere in its plan. Those are left
        out: nobody has seen them, and they are asked about in the next round.
        """
        images = {each.image.sha256: each.image for each in self.candidates}
        candidates = tuple(
            Candidate(label=each.label, image=images[each.sha256], is_asked=each.is_asked)
            for each in shown
            if each.sha256 in images
        )
        return self.model_copy(update={"candidates": candidates})

    @property
    def text(self) -> str:
        """The question in one sentence."""
        count = len(self.asked)
        return f"Which of {count} pictures go on?" if count > 1 else "Does this picture go on?"


class Outcome(Frozen):
    """What an answer means for the pictures of its question."""

    rejected: tuple[str, ...] = ()
    again: tuple[Reprompt, ...] = ()
    note: str = ""


class Decision(Outcome):
    """What a person decided, for ever."""

    format: int = DECISION_FORMAT
    campaign: str
    edition: str
    step: int
    round: int
    question: str
    shown: tuple[str, ...] = Field(description="SHA-256 of every picture that was decided on.")
    stars: tuple[Stars, ...] = ()
    by: Channel
    run_id: str = Field(description="The flow run that asked.")
    decided_at: datetime


def policy_of(brief: RevisionBrief, *, is_wanted: bool) -> ReviewPolicy | None:
    """Says on which terms a person is asked; None where nobody is."""
    return brief.review or (ReviewPolicy() if is_wanted else None)


def timed_out(policy: ReviewPolicy) -> ReviewTimedOut:
    """Makes the error of a review that nobody answered."""
    return ReviewTimedOut(
        f"Nobody answered within {policy.timeout_hours:g} hours. What was made is archived: run the same edition again "
        "to be asked again."
    )


def understand(question: Question, answer: Answer) -> Outcome:
    """Finds out what an answer means.

    Raises:
        UnclearAnswer: It names pictures that are not there, contradicts itself, or asks for the same picture again.
    """
    by_label = {each.label: each.image for each in question.candidates}
    labels = tuple(by_label)
    named = dict(_texts(answer.again, labels))
    rejected = set(read_frames(answer.reject, labels))
    kept = set(read_frames(answer.keep_only, labels))
    _refuse_both("rejected and kept", rejected & kept)
    _refuse_both("rejected and made again", rejected & set(named))
    if kept:
        rejected |= {each.label for each in question.asked} - kept - named.keys()
    again = tuple(_reprompt(label, by_label[label], text) for label, text in named.items())
    return Outcome(
        rejected=tuple(by_label[label].sha256 for label in labels if label in rejected),
        again=again,
        note=cleaned(answer.note),
    )


def decide(question: Question, outcome: Outcome, *, by: Channel, run_id: str, decided_at: datetime) -> Decision:
    """Makes an outcome a decision on the pictures that were asked about, and on those that it names beside them."""
    named = {*outcome.rejected, *(each.sha256 for each in outcome.again)}
    shown = (each.image.sha256 for each in question.candidates if each.is_asked or each.image.sha256 in named)
    return Decision(
        **dict(outcome),
        campaign=question.campaign,
        edition=question.edition,
        step=question.step,
        round=question.round,
        question=question.text,
        shown=tuple(dict.fromkeys(shown)),
        by=by,
        run_id=run_id,
        decided_at=decided_at,
    )


class Standing:
    """What holds now: of all decisions on a picture the latest."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.rejected: dict[str, str] = {}
        """SHA-256 of what is put aside, and why."""
        self._stars: dict[str, int] = {}
        self._kept: set[str] = set()
        self._again: dict[str, Reprompt] = {}
        self._decided_at: dict[str, datetime] = {}
        for decision in sorted(decisions, key=lambda each: (each.decided_at, each.run_id, each.step, each.round)):
            self._overrule(decision)

    def again(self, images: Iterable[ImageRecord]) -> tuple[Shot, ...]:
        """Plans anew those of these pictures that are to be made again."""
        wanted = {image.sha256: image for image in images if image.sha256 in self._again}
        return tuple(shot_again(image, self._again[sha256].prompt) for sha256, image in wanted.items())

    @property
    def kept(self) -> frozenset[str]:
        """SHA-256 of what was kept by name: on a contact sheet, or by restoring it."""
        return frozenset(self._kept)

    @property
    def stars(self) -> dict[str, int]:
        """The stars of pictures that have any."""
        return {sha256: stars for sha256, stars in self._stars.items() if stars}

    @property
    def opinions(self) -> tuple[Opinion, ...]:
        """What was said on contact sheets: stars, and pictures that were kept by name."""
        named = sorted({*self._kept, *(sha256 for sha256, stars in self._stars.items() if stars)})
        return tuple(
            Opinion(sha256=sha256, stars=self._stars.get(sha256, 0), is_kept=sha256 in self._kept) for sha256 in named
        )

    def answer_to(self, question: Question) -> Answer:
        """Writes what was decided on these pictures before as an answer to this question."""
        labels = {each.image.sha256: each.label for each in question.candidates}
        again = [
            Again(number=labels[sha256], prompt=each.prompt) for sha256, each in self._again.items() if sha256 in labels
        ]
        rejected = [label for sha256, label in labels.items() if self.rejected.get(sha256) == REJECTED]
        return Answer(reject=write_frames(rejected), again=tuple(again))

    def decided_at(self, question: Question) -> datetime | None:
        """When these pictures were decided on for the last time, if ever."""
        shas = (each.image.sha256 for each in question.candidates)
        return max((self._decided_at[sha256] for sha256 in shas if sha256 in self._decided_at), default=None)

    def _overrule(self, decision: Decision) -> None:
        for sha256 in decision.shown:
            self._decided_at[sha256] = decision.decided_at
            self.rejected.pop(sha256, None)
            self._again.pop(sha256, None)
        self._kept -= {*decision.rejected, *(each.sha256 for each in decision.again)}
        if decision.by in {"sheet", "command"}:  # a review that lets a picture go on takes nothing back
            self._kept |= set(decision.shown) - set(decision.rejected)
        self._stars |= {each.sha256: each.stars for each in decision.stars}
        self.rejected |= dict.fromkeys(decision.rejected, REJECTED)
        self.rejected |= {each.sha256: MADE_AGAIN for each in decision.again}
        self._again |= {each.sha256: each for each in decision.again}


def cleaned(text: str) -> str:
    """Leaves out what no text has: control characters but line breaks and tabs, and halves of characters."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(char for char in whole if char in "\n\t" or unicodedata.category(char) != "Cc").strip()


def _texts(again: Sequence[Again], labels: Sequence[str]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for each in again:
        label, text = read_frame(each.number, labels), cleaned(each.prompt)
        if label in seen:
            raise UnclearAnswer(f"{label} is to be made again twice: give one text.")
        if not text:
            raise UnclearAnswer(f"{label} is to be made again, but there is no text for it.")
        seen.add(label)
        yield label, text


def _reprompt(label: str, image: ImageRecord, text: str) -> Reprompt:
    if shot_again(image, text).key == image.shot_key:
        raise UnclearAnswer(f"The new text for {label} is the old one, and would give the same picture.")
    return Reprompt(sha256=image.sha256, shot_key=image.shot_key, prompt=text)


def _refuse_both(what: str, labels: set[str]) -> None:
    if labels:
        raise UnclearAnswer(f"{write_frames(labels)} cannot be both {what}.")
