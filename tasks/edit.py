"""Image + step -> image: an edit is a shot with a parent, made by the same two tasks as any other.

The picture that is edited is image 1; references follow in the order of their roles, and `@role` in the instruction
becomes "image 2" and so on, as the model's guide wants it said.
"""

from collections.abc import Sequence

from tasks.account import Account
from tasks.brief import Brief, EditStep
from tasks.models import ImageRecord, Prompt, Shot, derive_seed
from tasks.plan import edit_request
from tasks.prompts import parse, reference_numbers, render
from tasks.references import References, in_roles


def plan_edits(
    brief: Brief,
    step_number: int,
    parents: Sequence[ImageRecord],
    references: References,
    account: Account,
    edition: str,
) -> tuple[Shot, ...]:
    """Plans one step of the edit chain for each of its parents.

    Args:
        brief: The brief whose chain it is.
        step_number: 1 for the first edit.
        parents: Results of the step before.
        references: All references of the brief.
        account: With the provider of this step.
        edition: Salt of the seeds.
    """
    step = brief.edits[step_number - 1]
    return tuple(_plan(brief, step, step_number, parent, references, account, edition) for parent in parents)


def _plan(
    brief: Brief,
    step: EditStep,
    number: int,
    parent: ImageRecord,
    references: References,
    account: Account,
    edition: str,
) -> Shot:
    chosen = in_roles(references, step.references)
    seed = derive_seed("edit", brief.seed, edition, parent.sha256, number, step.instruction)
    text = instruction_for(brief, step, parent.prompt, seed)
    pictures = (parent.sha256, *(each.sha256 for each in chosen))
    return Shot(
        provider=step.provider,
        sandbox=account.sandbox,
        request=edit_request(step, account, text=text, seed=seed, pictures=pictures),
        prompt=Prompt(text=text, template=step.instruction, bindings=parent.prompt.bindings),
        position=parent.position,
        step=number,
        parent_sha256=parent.sha256,
        references=chosen,
    )


def instruction_for(brief: Brief, step: EditStep, prompt: Prompt, seed: int) -> str:
    """Finishes an instruction: axes as they were in the picture's own prompt, choices drawn, roles numbered."""
    values = {each.name: each.value for each in prompt.bindings if each.name in brief.axis_names}
    template = parse(step.instruction, brief.axis_names)
    unbound = {axis.name: axis.values[0] for axis in brief.axes}
    return reference_numbers(render(template, {**unbound, **values}, seed), step.references, first=2)
