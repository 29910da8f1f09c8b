"""The drift guard: makes one step of edits, and acts where an edit changed more or less than its step allows.

What the guard does depends on nothing but the pictures and the brief: a run that is repeated plans the very same
attempts, and finds them in the archive.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from flows.stages import pictures_by_shot
from tasks.brief import EditStep, RevisionBrief
from tasks.change_limits import Fault, fault_of, nearest
from tasks.edit import plan_edits
from tasks.measured import Drift
from tasks.models import Flagged, ImageRecord, Made, Production, Shot
from tasks.parents import drift_in_archive
from tasks.references import References
from tasks.studio import Studio

Outcome = Literal["kept", "replaced", "stopped"]


class _Attempt(NamedTuple):
    """One edit of a picture, and what is wrong with it."""

    image: ImageRecord
    step: int
    fault: Fault | None


async def guarded_edits(
    brief: RevisionBrief,
    step: EditStep,
    parents: Sequence[ImageRecord],
    references: References,
    studio: Studio,
    stage: str,
) -> Production:
    """Applies one step to each of its parents, and follows the step's policy on what changed too much or too little.

    A retry that makes no picture is the last one of its parent.

    Args:
        brief: The brief whose step it is.
        step: How much may change, and what to do otherwise.
        parents: The pictures to edit.
        references: All references of the brief.
        studio: Open accounts.
        stage: What people call this step.

    Returns:
        All attempts; what is flagged says which of them are edited no further.
    """
    made = Production()
    attempts: dict[str, list[_Attempt]] = {parent.sha256: [] for parent in parents}
    due, most = tuple(parents), 1 + (step.retries if step.on_change == "retry" else 0)
    for take in range(most):
        studio.tally.change(stage=f"{stage}, attempt {take + 1}" if take else stage)
        shots = plan_edits(brief, step, due, references, studio, take)
        by_shot = await pictures_by_shot(shots, studio)
        made += Production(shots=shots, made=Made.of(by_shot.values()))
        judged = await _judged(step, shots, by_shot, studio)
        for parent_sha256, attempt in judged.items():
            attempts[parent_sha256].append(attempt)
        at_fault = {parent_sha256 for parent_sha256, attempt in judged.items() if attempt.fault is not None}
        due = tuple(parent for parent in due if parent.sha256 in at_fault)
        if not due:
            break
    return made + Production(made=Made(flagged=_flagged(step, attempts.values())))


def flags_of(step: EditStep, images: Iterable[ImageRecord]) -> tuple[Flagged, ...]:
    """Flags pictures that a person had made with a text of their own: they go on, as the person wanted."""
    attempts = (_Attempt(image, image.step, fault_of(step, image.drift)) for image in images)
    return tuple(_flag(each, each.fault, "kept") for each in attempts if each.fault is not None)


async def _judged(
    step: EditStep, shots: Iterable[Shot], by_shot: Mapping[str, Made], studio: Studio
) -> dict[str, _Attempt]:
    """Holds what was made of each parent against the limits; parents of which nothing was made are left out."""
    pairs = [(shot, image) for shot in shots for image in by_shot[shot.key].images]
    drifts = await asyncio.gather(*(_drift_of(image, shot, step, studio) for shot, image in pairs))
    return {
        shot.parent_sha256 or "": _Attempt(image, shot.step, fault_of(step, drift))
        for (shot, image), drift in zip(pairs, drifts, strict=True)
    }


async def _drift_of(image: ImageRecord, shot: Shot, step: EditStep, studio: Studio) -> Drift | None:
    """Says how far an edit went: as its record has it, or measured anew where somebody wants to know.

    Bytes that came twice have one record, which may be that of another edit, or of the parent itself.
    """
    if image.drift is not None and image.parent_sha256 == shot.parent_sha256:
        return image.drift
    has_limits = step.min_change is not None or step.max_change is not None
    if shot.parent_sha256 is None or not (has_limits or image.sha256 == shot.parent_sha256):
        return None
    return await drift_in_archive(shot.parent_sha256, image.sha256, studio)


def _flagged(step: EditStep, attempts: Iterable[Sequence[_Attempt]]) -> tuple[Flagged, ...]:
    """Flags every attempt that is at fault, each picture once; what goes on anywhere is not said to stay behind."""
    chains = [(tries, nearest([each.fault for each in tries])) for tries in attempts if tries]
    kept = [_kept(step, tries, chosen) for tries, chosen in chains]
    behind = [flag for tries, chosen in chains for flag in _left_behind(step, tries, chosen)]
    going = {tries[chosen].image.sha256 for tries, chosen in chains if not _stops(step, tries[chosen])}
    flags = [flag for flag in kept if flag is not None] + [flag for flag in behind if flag.sha256 not in going]
    return tuple({flag.sha256: flag for flag in reversed(flags)}.values())[::-1]


def _kept(step: EditStep, tries: Sequence[_Attempt], chosen: int) -> Flagged | None:
    attempt = tries[chosen]
    if attempt.fault is None or _stops(step, attempt):
        return None
    nearest_of = f"; the nearest of {len(tries)} attempts" if len(tries) > 1 else ""
    return _flag(attempt, attempt.fault, "kept", nearest_of)


def _left_behind(step: EditStep, tries: Sequence[_Attempt], chosen: int) -> Iterable[Flagged]:
    for place, attempt in enumerate(tries):
        if attempt.fault is None:
            continue
        if _stops(step, attempt):
            yield _flag(attempt, attempt.fault, "stopped", "; its chain ends here")
        elif place != chosen:
            yield _flag(attempt, attempt.fault, "replaced", "; another attempt goes on")


def _stops(step: EditStep, attempt: _Attempt) -> bool:
    return step.on_change == "stop" and attempt.fault is not None


def _flag(attempt: _Attempt, fault: Fault, outcome: Outcome, said: str = "") -> Flagged:
    return Flagged(
        sha256=attempt.image.sha256,
        step=attempt.step,
        kind=fault.kind,
        outcome=outcome,
        reason=f"{fault.reason}{said}",
    )
