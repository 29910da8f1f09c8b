"""The yield curve: distinct pictures by paid ones, round by round, as places in a small drawing. Pure.

Across are the paid pictures, up are the distinct ones; where every picture is distinct the curve is the diagonal.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from blocks.provider import Frozen
from tasks.models import Round
from tasks.rounds import yield_line

WIDTH, HEIGHT = 320, 120
"""Of the drawing, in units of its own: the page scales it."""

LEFT, RIGHT, TOP, BOTTOM = 6, 6, 14, 18
"""Margins; figures stand in the upper and in the lower one."""


class Spot(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float


class YieldCurve(Frozen):
    """What the contact sheet draws."""

    spots: tuple[Spot, ...]
    """The beginning, then the end of each round."""
    diagonal: Spot
    """Where the line ends on which every picture is distinct."""
    target_y: float
    paid: int
    target: int
    message: str
    line: str

    @property
    def path(self) -> str:
        """The curve as SVG writes the points of a line."""
        return " ".join(f"{spot.x:g},{spot.y:g}" for spot in self.spots)


def yield_curve(rounds: Sequence[Round]) -> YieldCurve | None:
    """Draws the curve; None where no picture was paid in rounds."""
    paid = sum(each.paid for each in rounds)
    if paid == 0:
        return None
    last = rounds[-1]
    highest = max(last.target, *(each.distinct for each in rounds))

    def spot(pictures: int, distinct: int) -> Spot:
        x = LEFT + (WIDTH - LEFT - RIGHT) * pictures / paid
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * distinct / highest
        return Spot(round(x, 1), round(y, 1))

    ends = zip(accumulate(each.paid for each in rounds), (each.distinct for each in rounds), strict=True)
    return YieldCurve(
        spots=(spot(0, 0), *(spot(pictures, distinct) for pictures, distinct in ends)),
        diagonal=spot(min(paid, highest), min(paid, highest)),
        target_y=spot(0, last.target).y,
        paid=paid,
        target=last.target,
        message=last.message,
        line=yield_line(rounds),
    )
