r"""Finds JSON objects inside a prompt, so that their braces and bars are left alone."""

import json
import re
from collections.abc import Iterator

# Numbers stay text: their values do not matter, and int() refuses very long ones.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
_FIRST_KEY = re.compile(r"\{\s*" + _STRING.pattern + r"\s*:")


def object_end(text: str, start: int) -> int | None:
    """Returns the offset behind the valid JSON object that the brace at `start` opens, or None if it opens none."""
    try:
        _, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        return None
    except RecursionError:  # nested deeper than the JSON reader goes; whoever gets the prompt could not read it either
        return None
    return end


def string_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields start and end of what is between the quotes of each string of the valid JSON at `start` to `end`."""
    for match in _STRING.finditer(text, start, end):
        yield match.span(1)


def begins_like_object(text: str, start: int) -> bool:
    """Tells whether the brace at `start` is followed by a quoted key and a colon, as in a JSON object."""
    return _FIRST_KEY.match(text, start) is not None
