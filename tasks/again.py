"""A picture that is made again with another text: nothing else about it changes."""

from blocks.provider import Frozen
from tasks.models import ImageRecord, Prompt, Shot
from tasks.prompts import reference_numbers


class Reprompt(Frozen):
    """A picture that is made again: same seed and settings, another text."""

    sha256: str
    shot_key: str
    prompt: str


def shot_again(image: ImageRecord, prompt: str) -> Shot:
    """Plans a picture once more with another text: the same seed, settings, parent and place in the plan.

    The text is taken as it is; only `@role` becomes the number of its picture, as everywhere.
    """
    first = 1 if image.parent_sha256 is None else 2
    text = reference_numbers(prompt, [use.role for use in image.references], first)
    return Shot(
        provider=image.provider,
        sandbox=image.sandbox,
        request=image.request.model_copy(update={"prompt": text}),
        prompt=Prompt(text=text, template=prompt, bindings=image.prompt.bindings),
        position=image.position,
        step=image.step,
        parent_sha256=image.parent_sha256,
        references=image.references,
    )
