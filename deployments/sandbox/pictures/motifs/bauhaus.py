"""Geometry on a grid: quarter circles, triangles, dots and stripes, as on a Bauhaus sheet."""

import math
import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Scene, arc, ring, sector


def bauhaus(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene: a grid of two to five rows, some cells merged."""
    ground = palette.tone(0.05 if palette.dark else 0.95)
    scene = Scene(aspect, (ground, ground), rng.choice((-1.0, 1.0)))
    rows = 5 if "pattern" in prompt.lower() else rng.choice((2, 3, 3, 4, 5))
    columns = max(1, round(rows * aspect))
    width, height = aspect / columns, 1 / rows
    colours = [*palette.subjects, palette.tone(0.1), palette.tone(0.9)]
    taken: set[tuple[int, int]] = set()
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            span = 2 if rng.random() < 0.22 and row + 1 < rows and column + 1 < columns else 1
            block = {(row + down, column + right) for down in range(span) for right in range(span)}
            if block & taken:
                span, block = 1, {(row, column)}
            taken |= block
            _cell(scene, rng, colours, (column * width, row * height, width * span, height * span))
    return scene


def _cell(scene: Scene, rng: random.Random, colours: list[Colour], box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    ground, figure, third = rng.sample(colours, 3)
    scene.box(left, top, left + width, top + height, ground)
    rng.choice((_quarter, _quarter, _half, _triangle, _dot, _target, _lines, _nothing, _leaf))(
        scene, rng, box, figure, third
    )


def _quarter(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    turn = rng.randrange(4)
    x, y = left + width * (turn in (1, 2)), top + height * (turn in (2, 3))
    for radius, colour in ((1.0, first), (0.55, second)):
        edge = arc(x, y, width * radius, height * radius, turn * math.pi / 2, (turn + 1) * math.pi / 2)
        scene.fill(np.concatenate((edge, [(x, y)])), colour)
        if rng.random() < 0.5:
            break


def _half(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    turn = rng.randrange(4)
    x = left + width * (0.5, 1.0, 0.5, 0.0)[turn]
    y = top + height * (1.0, 0.5, 0.0, 0.5)[turn]
    radius = min(width, height) / 2 if turn % 2 else width / 2
    start = (1.0, 0.5, 0.0, 1.5)[turn] * math.pi
    scene.fill(sector(x, y, radius, start, start + math.pi), first)
    scene.fill(sector(x, y, radius * 0.5, start, start + math.pi), second)


def _triangle(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    gone = rng.randrange(4)
    scene.fill([corner for index, corner in enumerate(corners) if index != gone], first)
    if rng.random() < 0.4:
        scene.disc(left + width / 2, top + height / 2, min(width, height) * 0.18, second)


def _dot(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    radius = min(width, height) * rng.uniform(0.22, 0.45)
    scene.disc(left + width / 2, top + height / 2, radius, first)
    start = rng.randrange(4) * math.pi / 2
    scene.fill(sector(left + width / 2, top + height / 2, radius, start, start + math.pi), second)


def _target(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    size = min(width, height) / 2
    for index in range(rng.randint(2, 4)):
        outer = size * (0.95 - 0.28 * index)
        if outer > 0.05 * size:
            scene.fill(
                ring(left + width / 2, top + height / 2, outer, outer * 0.72, 0, 2 * math.pi),
                first if index % 2 else second,
            )


def _lines(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    count, upright = rng.randint(3, 6), rng.random() < 0.5
    for index in range(count):
        start = (index + 0.25) / count
        colour = mix(first, second, index / count)
        if upright:
            scene.box(left + width * start, top, left + width * (start + 0.5 / count), top + height, colour)
        else:
            scene.box(left, top + height * start, left + width, top + height * (start + 0.5 / count), colour)


def _nothing(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    """A calm cell."""


def _leaf(
    scene: Scene, rng: random.Random, box: tuple[float, float, float, float], first: Colour, second: Colour
) -> None:
    left, top, width, height = box
    if rng.random() < 0.5:
        one = arc(left, top, width, height, 0, math.pi / 2)
        other = arc(left + width, top + height, width, height, math.pi, 1.5 * math.pi)
    else:
        one = arc(left + width, top, width, height, math.pi / 2, math.pi)
        other = arc(left, top + height, width, height, 1.5 * math.pi, 2 * math.pi)
    scene.fill(np.concatenate((one, other)), first)
    scene.disc(left + width / 2, top + height / 2, min(width, height) * 0.1, second)
