"""Image + step -> image: an edit is a shot with a parent, made by the same two tasks as any other.

The picture that is edited is image 1; references follow in the order of their roles, and `@role` in the instruction
becomes "image 2" and so on, as the model's guide wants it said.
"""

from collections.abc import Sequence

from tasks.brief import EditStep, RevisionBrief
from tasks.models import ImageRecord, Prompt, Shot, derive_seed
from tasks.plan import complete_request
from tasks.prompts import parse, reference_numbers, render
from tasks.references import References, in_roles
from tasks.studio import Studio


def plan_edits(
    brief: RevisionBrief,
    step: EditStep,
    parents: Sequence[ImageRecord],
    references: References,
    studio: Studio,
    take: int = 0,
) -> tuple[Shot, ...]:
    """Plans one step of the edit chain for each of its parents.

    Args:
        brief: The brief whose chain it is.
        step: One of its steps.
        parents: Results of the step before.
        references: All references of the brief.
        studio: Open account with the step's provider, and the edition that salts the seeds.
        take: 0 for the first attempt; each further one has the same text and a seed of its own.
    """
    account = studio.account(step.provider)
    chosen = in_roles(references, step.references)

    def shot(parent: ImageRecord) -> Shot:
        origin = ("edit", brief.seed, studio.run.edition, parent.sha256, step.instruction)
        text = instruction_for(brief, step, parent.prompt, derive_seed(*origin))
        seed = derive_seed(*origin, take) if take else derive_seed(*origin)
        pictures = (parent.sha256, *(each.sha256 for each in chosen))
        return Shot(
            provider=step.provider,
            sandbox=account.sandbox,
            request=complete_request(step, account.provider.capabilities, text=text, seed=seed, references=pictures),
            prompt=Prompt(text=text, template=step.instruction, bindings=parent.prompt.bindings),
            position=parent.position,
            step=parent.step + 1,
            parent_sha256=parent.sha256,
            references=chosen,
        )

    return tuple(shot(parent) for parent in parents)


def instruction_for(brief: RevisionBrief, step: EditStep, prompt: Prompt, seed: int) -> str:
    """Finishes an instruction: axes as they were in the picture's own prompt, choices drawn, roles numbered."""
    bound = {each.name: each.value for each in prompt.bindings}
    values = {axis.name: bound.get(axis.name, axis.values[0]) for axis in brief.axes}
    template = parse(step.instruction, brief.axis_names)
    return reference_numbers(render(template, values, seed), step.references, first=2)
