from collections.abc import Callable

from tasks.models import ImageRecord
from tasks.placeholders import MAX_NAMED, placeholders_among, said_of_placeholders


def flat(image: ImageRecord, number: int) -> ImageRecord:
    checks = image.checks.model_copy(update={"flags": ("flat",)})
    return image.model_copy(update={"sha256": f"{number:064x}"[::-1], "checks": checks})


def test_pictures_of_one_colour_are_named(image_of: Callable[..., ImageRecord]) -> None:
    """Each once, by how it begins; where there are none, nothing is said."""
    first, second = flat(image_of(), 1), flat(image_of(), 2)

    assert placeholders_among([first, image_of(), second, first]) == (first, second)
    assert said_of_placeholders([image_of()]) == ""
    assert said_of_placeholders([first, image_of()]) == (
        "1 picture is all one colour, as where a provider's moderation holds a picture back: 100000000000"
    )


def test_only_so_many_are_named(image_of: Callable[..., ImageRecord]) -> None:
    """The contact sheet flags them all."""
    said = said_of_placeholders(flat(image_of(), number) for number in range(MAX_NAMED + 3))

    assert said.startswith(f"{MAX_NAMED + 3} pictures are all one colour")
    assert said.endswith(" and 3 more")
