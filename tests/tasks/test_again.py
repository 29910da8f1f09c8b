from collections.abc import Callable

from blocks.provider import PictureRequest
from tasks.again import shot_again
from tasks.models import ImageRecord, Prompt, ReferenceUse

ImageOf = Callable[..., ImageRecord]


def test_a_shot_is_made_again_with_nothing_but_its_text_changed(image_of: ImageOf) -> None:
    """Seed, settings, references and place stay; the text is literal, but for the roles, which are counted."""
    cup = ReferenceUse(role="cup", sha256="c" * 64)
    request = PictureRequest(model="klein", prompt="old", seed=5, steps=3, references=("a" * 64, "c" * 64))
    generated = image_of(references=(cup,), request=request, position=9)
    edited = generated.model_copy(update={"parent_sha256": "a" * 64, "step": 1})
    text = "{a|b} ${x} @cup, not info@cup"

    first, second = shot_again(generated, text), shot_again(edited, text)
    assert first.request == request.model_copy(update={"prompt": "{a|b} ${x} image 1, not info@cup"})
    assert second.request == request.model_copy(update={"prompt": "{a|b} ${x} image 2, not info@cup"})
    assert (second.position, second.step, second.parent_sha256, second.references) == (9, 1, "a" * 64, (cup,))
    assert first.prompt == Prompt(text="{a|b} ${x} image 1, not info@cup", template=text)
