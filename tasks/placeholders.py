"""Pictures that look like what a provider sends in the place of one that its moderation holds back: told, never judged.

They were paid for, and may be what was asked for. `tasks/quality.py` says what is flat.
"""

from collections.abc import Iterable, Sequence

from tasks.models import ImageRecord

MAX_NAMED = 12
NAME_DIGITS = 12


def placeholders_among(images: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Picks the pictures that are all one colour, each once."""
    return tuple({image.sha256: image for image in images if "flat" in image.checks.flags}.values())


def said_of_placeholders(images: Iterable[ImageRecord]) -> str:
    """Says in a sentence which pictures a person should look at; nothing where there are none."""
    return sentence_on([image.sha256[:NAME_DIGITS] for image in placeholders_among(images)])


def sentence_on(names: Sequence[str]) -> str:
    """The same of pictures that are named already, such as by their numbers on a contact sheet."""
    if not names:
        return ""
    shown = ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
    what = "1 picture is" if len(names) == 1 else f"{len(names)} pictures are"
    return f"{what} all one colour, as where a provider's moderation holds a picture back: {shown}"
