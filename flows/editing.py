"""The chain of edits: each step edits what came of the one before, and a person may have a say in between."""

from flows.review import ReviewDesk
from flows.stages import make_pictures
from tasks.brief import RevisionBrief
from tasks.edit import plan_edits
from tasks.models import ImageRecord, Production
from tasks.references import References
from tasks.studio import Studio


async def edit_chain(
    brief: RevisionBrief,
    so_far: Production,
    parents: tuple[ImageRecord, ...],
    references: References,
    studio: Studio,
    desk: ReviewDesk,
) -> Production:
    """Applies the edits of a brief one after the other, each to the results of the one before that go on.

    Args:
        brief: The brief whose edits they are.
        so_far: What the run has made before.
        parents: The pictures that the first edit is applied to.
        references: All references of the brief.
        studio: Open accounts.
        desk: Where the results of each step are reviewed.

    Returns:
        What was made before, and all edits.
    """
    for number, step in enumerate(brief.edits, start=1):
        studio.tally.change(stage=f"edit {number} of {len(brief.edits)}")
        shots = plan_edits(brief, step, parents, references, studio)
        edited = Production(shots=shots, made=await make_pictures(shots, studio))
        so_far, parents = await desk.review(so_far, edited, step=number)
    return so_far
