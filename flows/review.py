"""The review as a stage: archives and shows what is made so far, asks which pictures go on, makes some of them again.

What people decided holds for the edition: without a review, too, a picture that was put aside stays so, and one that
was made again with another text is replaced by its successor.
"""

import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from prefect.context import FlowRunContext

from flows.asking import ask
from flows.events import tell_review_waiting
from flows.stages import judge_images, make_pictures, record
from tasks.again import shot_again
from tasks.brief import Brief, ReviewPolicy, RevisionBrief
from tasks.decided import decisions_of, keep_decision
from tasks.models import ImageRecord, Production, Verdict
from tasks.references import References
from tasks.report.arrange import number_frames
from tasks.report.question import question_markdown
from tasks.report.view import label_order
from tasks.review import Answer, Candidate, Outcome, Question, Standing, decide, understand
from tasks.studio import Studio


class _Stage(NamedTuple):
    """One stage that a person is asked about."""

    before: Production
    step: int
    policy: ReviewPolicy


class ReviewDesk:
    """Where the pictures of one run are reviewed, stage by stage.

    Args:
        brief: Says what follows each stage, and which pictures are worth an edit.
        policy: How long a person is waited for; None where nobody is asked.
        references: All references of the brief.
        studio: Everything that the run holds open.
    """

    def __init__(
        self, brief: RevisionBrief, policy: ReviewPolicy | None, references: References, studio: Studio
    ) -> None:
        self._brief = brief
        self._policy = policy
        self._references = references
        self._studio = studio
        self._run_id = _flow_run_id() or studio.run.run_id

    async def review(
        self, before: Production, latest: Production, step: int
    ) -> tuple[Production, tuple[ImageRecord, ...]]:
        """Has the pictures of a stage reviewed.

        Args:
            before: What the stages before have made.
            latest: What this stage has made.
            step: 0 after generation, n after the n-th edit; after the last edit nothing is asked.

        Returns:
            All that is made by now, and the pictures of this stage that go on.

        Raises:
            ReviewTimedOut: Nobody answered in time; what is made is archived.
        """
        if self._policy is not None and (step == 0 or step < len(self._brief.edits)):
            latest = await self._asked(_Stage(before, step, self._policy), latest)
        else:
            latest = await self._as_decided(latest)
        return before + latest, await self._going_on(before + latest, latest.made.images, step)

    async def _as_decided(self, latest: Production) -> Production:
        """Follows what was decided in earlier runs, as far as it goes."""
        while (grown := await self._made_again(latest, latest.made.images)) is not latest:
            latest = grown
        return latest

    async def _asked(self, stage: _Stage, latest: Production) -> Production:
        """Asks about all pictures, and then about those that came of the answers."""
        settled: set[str] = set()
        for round_ in itertools.count(1):
            decided = await self._decided(stage, latest, settled, round_)
            if not decided:
                break
            settled |= decided
            latest = await self._made_again(latest, [image for image in latest.made.images if image.sha256 in settled])
        return latest

    async def _made_again(self, latest: Production, images: Sequence[ImageRecord]) -> Production:
        """Makes those of the images again that somebody gave another text for; returns what it was given if none."""
        planned = {shot.key for shot in latest.shots}
        shots = tuple(shot for shot in (await self._standing()).again(images) if shot.key not in planned)
        if not shots:
            return latest
        self._studio.tally.change(stage="making again")
        return latest + Production(shots=shots, made=await make_pictures(shots, self._studio))

    async def _decided(
        self, stage: _Stage, latest: Production, settled: Collection[str], round_: int
    ) -> frozenset[str]:
        """Returns the pictures that this round has decided on; none where there is nothing left to ask."""
        for decision in await decisions_of(self._studio):
            if (decision.run_id, decision.step, decision.round) == (self._run_id, stage.step, round_):
                return frozenset(decision.shown)  # before this run was suspended, or its worker died
        if self._studio.halted_by is not None:
            return frozenset()
        question = await self._question(stage, latest, settled, round_)
        return await self._answered(question, stage.policy) if question.asked else frozenset()

    async def _question(self, stage: _Stage, latest: Production, settled: Collection[str], round_: int) -> Question:
        """Archives and shows what is made so far, and asks about what is not settled of the latest stage."""
        recorded = await record(self._brief, stage.before + latest, self._references, self._studio)
        question = Question(
            campaign=self._studio.run.campaign,
            edition=self._studio.run.edition,
            title=self._brief.shown_title,
            step=stage.step,
            round=round_,
            following=_following(self._brief, stage.step),
            candidates=self._candidates(stage, latest, settled, recorded.verdicts),
            contact_sheet=self._studio.address_of(recorded.contact_sheet_key),
        )
        standing = await self._standing()
        earlier = {"earlier": standing.answer_to(question), "decided_at": standing.decided_at(question)}
        return question.model_copy(update=earlier)

    def _candidates(
        self, stage: _Stage, latest: Production, settled: Collection[str], verdicts: Sequence[Verdict]
    ) -> tuple[Candidate, ...]:
        """Lists what is not settled yet, in the order of the sheet and with its numbers."""
        labels = number_frames((stage.before + latest).made.images)
        repeats = {verdict.sha256 for verdict in verdicts if verdict.kind == "duplicate"}
        stays_behind = latest.made.stays_behind | (repeats if self._goes_by_verdict(stage.step) else set())
        images = {image.sha256: image for image in reversed(latest.made.images) if image.sha256 not in settled}
        candidates = (
            Candidate(label=labels[sha256], image=image, is_asked=sha256 not in stays_behind)
            for sha256, image in images.items()
        )
        return tuple(sorted(candidates, key=lambda each: label_order(each.label)))

    async def _answered(self, question: Question, policy: ReviewPolicy) -> frozenset[str]:
        """Asks, keeps what is decided, and returns the pictures that are settled by it."""
        self._studio.tally.change(stage="waiting for review")
        given = await ask(question, policy, understood=self._understood, announce=self._announce)
        if given.outcome is None:  # nobody answered: what holds, holds
            return frozenset(each.image.sha256 for each in given.question.candidates)
        decision = decide(given.question, given.outcome, by=given.by, run_id=self._run_id, decided_at=datetime.now(UTC))
        await keep_decision(decision, self._studio)
        return frozenset(decision.shown)

    def _understood(self, question: Question, answer: Answer) -> Outcome:
        """Makes sense of an answer, and holds new texts against the provider's limits."""
        outcome = understand(question, answer)
        images = {each.image.sha256: each.image for each in question.candidates}
        for each in outcome.again:
            shot = shot_again(images[each.sha256], each.prompt)
            self._studio.account(shot.provider).provider.check(shot.request)
        return outcome

    async def _announce(self, question: Question) -> str:
        """Tells the world that a form waits, and writes the page above it."""
        tell_review_waiting(
            self._studio.run,
            question.title,
            question=question.text,
            pictures=len(question.asked),
            contact_sheet=question.contact_sheet,
        )
        return await question_markdown(question, self._studio.archive.store)

    async def _going_on(self, so_far: Production, images: Sequence[ImageRecord], step: int) -> tuple[ImageRecord, ...]:
        """Picks what is worth an edit: nothing rejected or left behind, no repeats unless the brief wants all."""
        if self._brief.edits and self._goes_by_verdict(step):
            verdicts = await judge_images(self._brief, so_far.made, self._studio)
            kept = {verdict.sha256 for verdict in verdicts if verdict.kind == "keeper"}
            return tuple(image for image in images if image.sha256 in kept)
        stays_behind = {*(await self._standing()).rejected, *so_far.made.stays_behind}
        return tuple(image for image in images if image.sha256 not in stays_behind)

    def _goes_by_verdict(self, step: int) -> bool:
        return step == 0 and isinstance(self._brief, Brief) and self._brief.edit == "keepers"

    async def _standing(self) -> Standing:
        return Standing(await decisions_of(self._studio))


def _following(brief: RevisionBrief, step: int) -> str:
    """Says what happens to the pictures that are kept."""
    if step >= len(brief.edits):
        return "the final contact sheet"
    return f"edit {step + 1} of {len(brief.edits)}, “{brief.edits[step].instruction}”"


def _flow_run_id() -> str | None:
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else None
