r"""Reads the text of a prompt into a `Template`; the grammar is described in `tasks.prompts`.

One pass from left to right, token by token, with a stack of the groups that are still open. Whether a group is a choice
or literal text is decided when it closes, in `_Reader._group`: that is the place for further kinds of groups.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tasks.prompts.errors import PromptSyntaxError
from tasks.prompts.json_objects import begins_like_object, object_end, string_spans
from tasks.prompts.syntax import AxisUse, Choice, Node, Phrase, Text
from tasks.prompts.template import Template

MAX_DEPTH = 50
"""Groups inside groups; keeps every later walk over the tree far from Python's recursion limit."""

# In JSON every backslash belongs to JSON, so none of our escapes are read there.
_IN_JSON_STRING = re.compile(
    r"(?P<axis>\$\{(?:[^{}]*\})?)|(?P<open>\{)|(?P<close>\})|(?P<bar>\|)|(?P<text>[^\\${}|]+|[\\$])"
)
_ORDINARY = re.compile(r"(?P<escape>\\[{}|$\\])|" + _IN_JSON_STRING.pattern)


def parse(text: str, axes: Sequence[str] = ()) -> Template:
    """Reads a prompt.

    Args:
        text: The prompt as the person wrote it.
        axes: Names of all axes that it may use.

    Raises:
        PromptSyntaxError: The text does not follow the grammar. No other error is raised, whatever the text.
    """
    return Template(_phrase(_Reader(text, frozenset(axes), 0, len(text)).read()))


def escape(text: str) -> str:
    """Returns the prompt that stands for exactly `text`: every character that could mean something gets a backslash."""
    return re.sub(r"[{}|$\\]", r"\\\g<0>", text)


@dataclass
class _Group:
    """A brace that is still open, and what was read since; the outermost group is the text itself and has no brace."""

    start: int
    options: list[list[Node]] = field(default_factory=lambda: [[]])


class _Reader:
    """Reads one stretch of text: a whole prompt, or the inside of one JSON string."""

    def __init__(self, text: str, axes: frozenset[str], start: int, end: int, *, in_json: bool = False) -> None:
        self._text = text
        self._axes = axes
        self._position = start
        self._end = end
        self._in_json = in_json
        self._tokens = _IN_JSON_STRING if in_json else _ORDINARY
        self._groups = [_Group(start)]

    def read(self) -> list[Node]:
        """Reads to the end and returns what is there."""
        while token := self._tokens.match(self._text, self._position, self._end):
            self._position = token.end()
            self._take(token)
        while self._inside_group:
            self._unclosed(self._groups.pop())
        return self._groups[0].options[0]

    def _take(self, token: re.Match[str]) -> None:
        match token.lastgroup:
            case "escape":
                self._add(Text(token[0][1:]))
            case "axis":
                self._add(self._axis_use(token))
            case "open":
                self._open(token.start())
            case "close":
                self._close(token.start())
            case "bar" if self._inside_group:
                self._groups[-1].options.append([])
            case _:
                self._add(Text(token[0]))

    @property
    def _inside_group(self) -> bool:
        return len(self._groups) > 1

    def _add(self, *nodes: Node) -> None:
        self._groups[-1].options[-1].extend(nodes)

    def _axis_use(self, token: re.Match[str]) -> AxisUse:
        if not token[0].endswith("}"):
            raise self._error(
                token.start(),
                r"${ has to be followed by the name of an axis and }. For a dollar sign before a choice write \$.",
            )
        name = token[0][2:-1]
        if name not in self._axes:
            raise self._error(token.start(), _unknown_axis(name, self._axes))
        return AxisUse(name)

    def _open(self, start: int) -> None:
        json_end = None if self._in_json else object_end(self._text, start)
        if json_end is not None:
            self._add(*self._json_object(start, json_end))
            self._position = json_end
        elif len(self._groups) > MAX_DEPTH:
            raise self._error(start, rf"more than {MAX_DEPTH} braces inside each other. For literal braces write \{{.")
        else:
            self._groups.append(_Group(start))

    def _json_object(self, start: int, end: int) -> Iterator[Node]:
        for string_start, string_end in string_spans(self._text, start, end):
            yield Text(self._text[start:string_start])
            yield from _Reader(self._text, self._axes, string_start, string_end, in_json=True).read()
            start = string_end
        yield Text(self._text[start:end])

    def _close(self, end: int) -> None:
        if self._inside_group:
            group = self._groups.pop()
            self._add(*self._group(group, end))
        elif self._in_json:
            self._add(Text("}"))
        else:
            raise self._error(end, r"this } closes nothing. Add the { before it, or write \} for the brace itself.")

    def _group(self, group: _Group, end: int) -> list[Node]:
        """Decides what a closed group is."""
        if len(group.options) > 1:
            self._check_not_json(group)
            return [Choice(group.start, tuple(map(_phrase, group.options)))]
        content = self._text[group.start + 1 : end]
        if content in self._axes and not self._text.endswith("$", 0, group.start):  # an escaped $ was not forgotten
            raise self._error(
                group.start,
                f"{content!r} is an axis. Write ${{{content}}} for its value, or \\{{{content}\\}} for this very text.",
            )
        return [Text("{"), *group.options[0], Text("}")]

    def _check_not_json(self, group: _Group) -> None:
        if begins_like_object(self._text, group.start):
            raise self._error(
                group.start,
                "this begins like a JSON object but is not valid JSON, and its | would cut it in two. Mend the JSON, "
                r"or write \| for a bar that is text. (A choice cannot begin with a quoted key and a colon.)",
            )

    def _unclosed(self, group: _Group) -> None:
        if not self._in_json or len(group.options) > 1:
            raise self._error(group.start, r"this { is never closed. Add its }, or write \{ for the brace itself.")
        self._add(Text("{"), *group.options[0])

    def _error(self, position: int, problem: str) -> PromptSyntaxError:
        return PromptSyntaxError.at(self._text, position, problem)


def _phrase(nodes: Iterable[Node]) -> Phrase:
    """Joins neighbouring texts."""
    items: list[Node] = []
    for is_text, run in groupby(nodes, key=lambda node: isinstance(node, Text)):
        if is_text:
            items.append(Text("".join(node.text for node in run if isinstance(node, Text))))
        else:
            items.extend(run)
    return Phrase(tuple(items))


def _unknown_axis(name: str, axes: frozenset[str]) -> str:
    problem = f"there is no axis named {reprlib.repr(name)}."
    if similar := difflib.get_close_matches(name[:100], sorted(axes), n=1):
        problem += f" Did you mean ${{{similar[0]}}}?"
    elif axes:
        problem += f" The axes are {', '.join(sorted(axes))}."
    else:
        problem += " The brief has no axes."
    return problem + r" For a dollar sign before a brace write \$."
