"""A parsed prompt, and its combinations: how many there are, and which is the index-th."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from blocks.errors import BriefError
from tasks.prompts.syntax import AxisUse, Choice, Node, Phrase, Text, walk


@dataclass(frozen=True)
class Expansion:
    """One finished text and the decisions that made it.

    Args:
        text: The finished prompt.
        bindings: First every axis of the template with its value, such as `("light", "dawn")`, in order of first use;
            then every choice that was reached with the text in its place, such as `("choice 2", "red")`. The number
            names the place: choices are counted by their opening braces, nested ones included, so that `choice 2` is
            the same brace in all expansions of a template.
    """

    text: str
    bindings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Template:
    """A parsed prompt.

    Its combinations have a fixed order: what stands further left varies more slowly. An axis stands where it is first
    used (inside a choice: just before the outermost choice around it). An axis multiplies even if it is used only in an
    option that is not taken: combinations are distinct decisions, but two of them may give the same text.
    """

    root: Phrase

    @cached_property
    def axis_names(self) -> tuple[str, ...]:
        """The axes that are used, in order of first use."""
        return tuple(place.name for place in self._places if isinstance(place, AxisUse))

    def count(self, axes: Mapping[str, Sequence[str]]) -> int:
        """Returns the exact number of combinations, by arithmetic alone.

        Args:
            axes: The values of every axis, by name. Axes that the template does not use make no difference.

        Raises:
            BriefError: The template uses an axis that is not among `axes`.
        """
        return math.prod(self._sizes(axes))

    def may_be_blank(self, axes: Mapping[str, Sequence[str]]) -> bool:
        """Tells whether a combination has no visible text.

        Args:
            axes: The values of every axis, by name.
        """
        return _may_be_blank(self.root, axes)

    def unrank(self, index: int, axes: Mapping[str, Sequence[str]]) -> Expansion:
        """Returns one combination.

        Args:
            index: Its place in the order, from 0.
            axes: The values of every axis, by name.

        Raises:
            BriefError: The template uses an axis that is not among `axes`.
            IndexError: There are not that many combinations.
        """
        sizes = self._sizes(axes)
        if not 0 <= index < math.prod(sizes):
            raise IndexError(f"combination {index} was asked for; there are {math.prod(sizes)}")
        values: dict[str, str] = {}
        choice_ranks: list[int] = []
        for place, digit in zip(self._places, _digits(index, sizes), strict=True):
            if isinstance(place, AxisUse):
                values[place.name] = axes[place.name][digit]
            else:
                choice_ranks.append(digit)
        filling = _Filling(values)
        text = filling.items(self.root.items, choice_ranks)
        return Expansion(text, (*values.items(), *filling.choice_bindings(self._choice_starts)))

    @cached_property
    def _places(self) -> tuple[AxisUse | Choice, ...]:
        """What is decided, slowest first: each axis once, and the choices that are in no other choice."""
        places: dict[AxisUse | Choice, None] = {}
        for item in self.root.items:
            places.update((node, None) for node in walk(item) if isinstance(node, AxisUse))
            if isinstance(item, Choice):
                places[item] = None
        return tuple(places)

    @cached_property
    def _choice_starts(self) -> tuple[int, ...]:
        return tuple(node.start for node in walk(*self.root.items) if isinstance(node, Choice))

    def _sizes(self, axes: Mapping[str, Sequence[str]]) -> list[int]:
        missing = [name for name in self.axis_names if name not in axes]
        if missing:
            names = ", ".join(map(repr, missing))
            raise BriefError(f"The prompt uses {names}, but no values are given. Add them to the axes of the brief.")
        return [len(axes[place.name]) if isinstance(place, AxisUse) else place.count for place in self._places]


class _Filling:
    """One text in the making; remembers what was put into each choice that it met."""

    def __init__(self, axis_values: Mapping[str, str]) -> None:
        self._axis_values = axis_values
        self._chosen: dict[int, str] = {}

    def items(self, items: Iterable[Node], choice_ranks: Iterable[int]) -> str:
        """Fills the items, given the decision for each choice that is directly among them."""
        ranks = iter(choice_ranks)
        parts: list[str] = []
        for item in items:
            match item:
                case Text(text):
                    parts.append(text)
                case AxisUse(name):
                    parts.append(self._axis_values[name])
                case Choice():
                    parts.append(self._choice(item, next(ranks)))
        return "".join(parts)

    def _choice(self, choice: Choice, rank: int) -> str:
        for option in choice.options:
            if rank < option.count:
                ranks = _digits(rank, [nested.count for nested in option.choices])
                self._chosen[choice.start] = self.items(option.items, ranks)
                break
            rank -= option.count
        return self._chosen[choice.start]

    def choice_bindings(self, choice_starts: Iterable[int]) -> Iterable[tuple[str, str]]:
        """Yields number and text of each choice that was met."""
        for number, start in enumerate(choice_starts, start=1):
            if start in self._chosen:
                yield f"choice {number}", self._chosen[start]


def _may_be_blank(phrase: Phrase, axes: Mapping[str, Sequence[str]]) -> bool:
    def may_be(item: Node) -> bool:
        match item:
            case Text(text):
                return not text.strip()
            case AxisUse(name):
                return any(not value.strip() for value in axes[name])
            case Choice(options=options):
                return any(_may_be_blank(option, axes) for option in options)

    return all(map(may_be, phrase.items))


def _digits(rank: int, sizes: Sequence[int]) -> list[int]:
    """Writes a rank as one digit per size; the last digit varies fastest."""
    digits: list[int] = []
    for size in reversed(sizes):
        rank, digit = divmod(rank, size)
        digits.append(digit)
    return digits[::-1]
