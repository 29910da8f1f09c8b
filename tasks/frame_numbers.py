"""Frame numbers as people write them, `2, 5, 7-9, 12A`, and which frames they mean."""

import re
from collections.abc import Iterable, Sequence

from blocks.errors import BriefError
from tasks.report.view import label_order

_FRAME = "[0-9]{1,6}[A-Za-z]{0,3}"
_ITEM = rf"{_FRAME}(?:\s*[-–]\s*{_FRAME})?"

FRAME_PATTERN = rf"^\s*{_FRAME}\s*$"
"""One number, for the JSON schema of a form."""

FRAMES_PATTERN = rf"^[\s,;]*(?:{_ITEM}(?:[\s,;]+|$))*$"
"""A list of numbers and ranges, or nothing. Each text can be read in one way only, so it is read in linear time."""

MAX_SHOWN = 12
LAST_LETTER = (10, "")
"""Behind every letter that a frame can have."""


class UnclearAnswer(BriefError):
    """What a person answered does not fit the question; it is asked again, with this message."""


def read_frames(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Finds the frames that a list of numbers means.

    A bare number means the frame of that number, or all edits of it: `7` stands for `7A` where that is on the sheet. A
    range takes what is there between its ends.

    Args:
        text: Such as `2, 5, 7-9, 12A`; empty for none.
        labels: The frames that may be meant.

    Returns:
        Their labels, each once, in the order of the sheet.

    Raises:
        UnclearAnswer: A number is not among them, or the text is no list of numbers.
    """
    if re.fullmatch(FRAMES_PATTERN, text) is None:
        raise UnclearAnswer(f"{_quoted(text)} is no list of frame numbers: write it as 2, 5, 7-9.")
    meant: set[str] = set()
    unknown: list[str] = []
    for item in re.findall(_ITEM, text):
        ends = [end.strip().upper() for end in re.split("[-–]", item)]
        unknown += [end for end in ends if not _between(end, end, labels)]
        first, last = sorted((ends[0], ends[-1]), key=label_order)
        meant.update(_between(first, last, labels))
    if unknown:
        raise UnclearAnswer(f"{', '.join(dict.fromkeys(unknown))} cannot be meant here; {_choice(labels)}.")
    return tuple(sorted(meant, key=label_order))


def read_frame(text: str, labels: Sequence[str]) -> str:
    """Finds the one frame that a number means.

    Raises:
        UnclearAnswer: It means none, or several.
    """
    found = read_frames(text, labels)
    if len(found) != 1:
        raise UnclearAnswer(f"{_quoted(text)} has to be the number of one frame; {_choice(labels)}.")
    return found[0]


def write_frames(labels: Iterable[str]) -> str:
    """Writes frame numbers as `read_frames` reads them."""
    return ", ".join(sorted(labels, key=label_order))


def _between(first: str, last: str, labels: Sequence[str]) -> list[str]:
    number, *letters = label_order(last)
    end = (number, *(letters if last[-1].isalpha() else LAST_LETTER))
    return [label for label in labels if label_order(first) <= label_order(label) <= end]


def _choice(labels: Sequence[str]) -> str:
    shown = write_frames(labels[:MAX_SHOWN])
    return f"the frames are {shown} … {labels[-1]}" if len(labels) > MAX_SHOWN else f"the frames are {shown}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
