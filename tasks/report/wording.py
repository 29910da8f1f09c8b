"""What stands out: the values that axes chose in a prompt, words that differ from the edit before, and flags. Pure."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from blocks.provider import Frozen
from tasks.measured import PictureFlag
from tasks.models import ImageRecord, Prompt

MOST_WORDS = 400
LEAST_ALIKE = 0.5
"""Two texts with less in common are not variants of each other: marking nearly every word would say nothing."""

_WORD = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")


_FLAGS: dict[PictureFlag, str] = {
    "flat": "all one colour: perhaps a placeholder of the provider",
    "black": "all black: perhaps a placeholder of the provider",
    "released": "refused by the gate, and taken in by a person",
}


class Words(Frozen):
    """A piece of a prompt, and the axis that chose it."""

    text: str
    axis: str | None = None


class Change(Frozen):
    """A piece of a text, as it stands to the text before it."""

    kind: Literal["same", "added", "removed"]
    text: str


def origin_in_words(images: Sequence[ImageRecord]) -> str:
    """Says who made the pictures: the mark that page and overview always carry."""
    drawn = sum(image.sandbox for image in images)
    if not drawn:
        return "AI-generated with FLUX.2 [klein]"
    if drawn == len(images):
        return "Drawn by the sandbox, the local stand-in for FLUX.2 [klein]: no model was involved"
    others = f"{drawn} of {len(images)} pictures were drawn by the sandbox, its local stand-in"
    return f"AI-generated with FLUX.2 [klein]; {others}"


def flag_in_words(flag: PictureFlag) -> str:
    """Says why a person should look at a picture."""
    return _FLAGS[flag]


def highlight(prompt: Prompt) -> tuple[Words, ...]:
    """Cuts a prompt's text where a chosen value stands, the longest value first, each value once."""
    words = [Words(text=prompt.text)]
    for binding in sorted(prompt.bindings, key=lambda binding: -len(binding.value)):
        words = _mark_first(words, binding.value, binding.name)
    return tuple(words)


def _mark_first(words: list[Words], value: str, axis: str) -> list[Words]:
    for index, piece in enumerate(words):
        # Not inside a longer word: "red" is not in "restored".
        match = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", piece.text) if piece.axis is None and value else None
        if match:
            cut = [Words(text=piece.text[: match.start()]), Words(text=value, axis=axis)]
            cut.append(Words(text=piece.text[match.end() :]))
            return [*words[:index], *(part for part in cut if part.text), *words[index + 1 :]]
    return words


def changes_between(before: str, after: str) -> tuple[Change, ...]:
    """Marks what is new in a text and what has gone, word by word.

    Returns:
        Pieces which, without the removed ones, are the text after, and without the added ones, the text before. None
        where the texts are equal, have little in common, or are too long to be compared at a glance.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if before == after or max(len(old), len(new)) > MOST_WORDS or matcher.ratio() < LEAST_ALIKE:
        return ()
    pieces: list[Change] = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Change(kind="same", text="".join(new[new_from:new_to])))
            continue
        gone, come = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
        if gone[:1].isspace() and come[:1].isspace() and gone[0] == come[0]:  # the space between is not what changed
            pieces.append(Change(kind="same", text=gone[0]))
            gone, come = gone[1:], come[1:]
        pieces += [Change(kind="removed", text=gone)] if gone else []
        pieces += [Change(kind="added", text=come)] if come else []
    return tuple(pieces)
