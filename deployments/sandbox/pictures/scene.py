"""A scene: flat shapes with crisp edges, and soft light and shadow over them, in coordinates without pixels.

``y`` runs from 0 (top) to 1 (bottom), ``x`` from 0 to ``aspect`` (width / height).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from deployments.sandbox.pictures.palette import Colour, mix

Points = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(slots=True)
class Scene:
    """What a motif builds and the drawing paints, in the order of the lists.

    Attributes:
        sky: Colours of the backdrop at the top and at the bottom.
        fills: Outline and colour of each flat shape.
        shades: Outline and strength of each soft patch: above 0 lightens, below 0 darkens (in 1/255 of full light).
        light: Where the light comes from, -1 (left) to 1 (right).
    """

    aspect: float
    sky: tuple[Colour, Colour]
    light: float
    fills: list[tuple[Points, Colour]] = field(default_factory=list)
    shades: list[tuple[Points, float]] = field(default_factory=list)

    def fill(self, points: Points | Sequence[tuple[float, float]], colour: Colour) -> None:
        """Add a flat shape with this outline."""
        self.fills.append((np.asarray(points, dtype=np.float64), colour))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Add an upright rectangle."""
        self.fill(((left, top), (right, top), (right, bottom), (left, bottom)), colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Add a circle."""
        self.fill(ellipse(x, y, radius, radius), colour)

    def shade(self, points: Points, strength: float) -> None:
        """Add a soft patch of light or shadow."""
        self.shades.append((points, strength))

    def solid(self, outline: Points, centre_x: float, colour: Colour) -> None:
        """Add a round solid, lit from the side: a body of revolution around ``centre_x``.

        Args:
            outline: Rows of (y, radius), from the bottom to the top.
            centre_x: Where its axis stands.
            colour: Of its lit middle.
        """
        angles = np.linspace(-math.pi / 2, math.pi / 2, 20)
        ys, radii = outline[:, 0], outline[:, 1]
        for start, end in pairwise(angles):
            left = np.column_stack((centre_x + radii * math.sin(start), ys))
            right = np.column_stack((centre_x + radii * math.sin(end), ys))
            self.fill(np.concatenate((left, right[::-1])), self._lit(colour, (start + end) / 2))

    def _lit(self, colour: Colour, angle: float) -> Colour:
        shine = math.cos(angle - self.light * 0.9)
        if shine > 0.55:
            return mix(colour, (255, 250, 238), (shine - 0.55) * 0.55)
        return mix(mix(colour, (18, 16, 30), 0.62), colour, max(shine + 0.25, 0.0) / 0.8)


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Points:
    """The outline of an upright ellipse."""
    return arc(x, y, radius_x, radius_y, 0, 2 * math.pi, 56)


def arc(x: float, y: float, radius_x: float, radius_y: float, start: float, end: float, count: int = 28) -> Points:
    """Points along an elliptic arc; angles in radians, clockwise on the screen, 0 to the right."""
    angles = np.linspace(start, end, count)
    return np.column_stack((x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)))


def sector(x: float, y: float, radius: float, start: float, end: float) -> Points:
    """A slice of a disc."""
    return np.concatenate((arc(x, y, radius, radius, start, end), [(x, y)]))


def ring(x: float, y: float, outer: float, inner: float, start: float, end: float) -> Points:
    """A part of a ring between two radii."""
    return np.concatenate((arc(x, y, outer, outer, start, end, 48), arc(x, y, inner, inner, end, start, 48)))


def ribbon(spine: Points, widths: Points) -> Points:
    """The outline of a band along a curve, of varying width (full widths, same length as the spine)."""
    tangent = np.gradient(spine, axis=0)
    normal = np.column_stack((-tangent[:, 1], tangent[:, 0]))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = normal * widths[:, None] / 2
    return np.concatenate((spine + half, (spine - half)[::-1]))


def bezier(start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float], count: int = 20) -> Points:
    """Points along a curve from start to end, pulled towards the bend."""
    t = np.linspace(0, 1, count)[:, None]
    curve: Points = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(bend) + t**2 * np.array(end)
    return curve


def smooth(values: Points, rounds: int = 3) -> Points:
    """Values with their corners rounded; the ends stay."""
    for _ in range(rounds):
        values = np.concatenate((values[:1], (values[:-2] + 2 * values[1:-1] + values[2:]) / 4, values[-1:]))
    return values
