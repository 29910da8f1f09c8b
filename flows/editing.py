"""The chain of edits: each step edits what came of the one before, guarded, and a person may have a say in between."""

from flows.guarding import flags_of, guarded_edits
from flows.review import ReviewDesk
from tasks.brief import RevisionBrief
from tasks.models import ImageRecord, Made, Production
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
        stage = f"edit {number} of {len(brief.edits)}"
        edited = await guarded_edits(brief, step, parents, references, studio, stage)
        known = len(so_far.made.images) + len(edited.made.images)
        so_far, parents = await desk.review(so_far, edited, step=number)
        so_far += Production(made=Made(flagged=flags_of(step, so_far.made.images[known:])))
    return so_far
