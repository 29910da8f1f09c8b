"""The syntax tree of a prompt: what the parser makes and the template counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Text:
    """Literal text, with its escapes already resolved."""

    text: str


@dataclass(frozen=True)
class AxisUse:
    """A place where the value of a named axis stands."""

    name: str


@dataclass(frozen=True)
class Choice:
    """A place where exactly one of several options stands.

    Args:
        start: Offset of the opening brace in the prompt: it tells one choice from another with the same options.
        options: What can stand there, as written, at least two.
    """

    start: int
    options: tuple[Phrase, ...]

    @cached_property
    def count(self) -> int:
        """Number of ways to decide this choice and the choices inside the option taken."""
        return sum(option.count for option in self.options)


@dataclass(frozen=True)
class Phrase:
    """Texts, axes and choices, one after the other."""

    items: tuple[Node, ...]

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The choices directly in this phrase, from left to right."""
        return tuple(item for item in self.items if isinstance(item, Choice))

    @cached_property
    def count(self) -> int:
        """Number of ways to decide all choices in it. Axes are not counted: their values come from outside."""
        return math.prod(choice.count for choice in self.choices)


Node = Text | AxisUse | Choice


def walk(*nodes: Node) -> Iterator[Node]:
    """Goes through the nodes and everything inside them, in the order in which they are written."""
    for node in nodes:
        yield node
        if isinstance(node, Choice):
            for option in node.options:
                yield from walk(*option.items)
