"""Cities: a skyline in layers, or a street between two walls, with lit windows."""

import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Scene, ellipse

_LAMP: Colour = (255, 214, 140)


def city(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene."""
    top, bottom = (0.05, 0.45) if palette.dark else (rng.uniform(0.5, 0.8), rng.uniform(0.85, 1.0))
    sky = (palette.tone(top), mix(palette.tone(bottom), palette.accent, 0.2))
    scene = Scene(aspect, sky, rng.choice((-1.0, 1.0)))
    x, y, radius = rng.uniform(0, aspect), rng.uniform(0.05, 0.5), rng.choice((0.06, 0.1, 0.18, 0.28))
    scene.disc(x, y, radius, mix(palette.accent, (255, 248, 230), 0.5))
    scene.shade(ellipse(x, y, radius * 2.4, radius * 2.4), 26)
    if "street" in prompt.lower() or "alley" in prompt.lower() or rng.random() < 0.4:
        _street(scene, rng, palette)
    else:
        _skyline(scene, rng, palette)
    return scene


def _skyline(scene: Scene, rng: random.Random, palette: Palette) -> None:
    layers = rng.randint(2, 4)
    crown = rng.uniform(0.1, 0.6)
    lean = rng.uniform(-0.4, 0.4)
    for layer in range(layers):
        depth = (layer + 1) / layers
        tone = palette.tone((0.42 if palette.dark else 0.75) * (1 - depth) + 0.04)
        colour = mix(tone, scene.sky[1], 0.45 * (1 - depth))
        x = -0.05
        while x < scene.aspect:
            width = rng.uniform(0.07, 0.24) * (0.6 + depth * 0.6)
            side = lean * (x / scene.aspect - 0.5)
            top = min(0.93, max(0.03, crown + 0.3 * depth + side + rng.uniform(-0.2, 0.22)))
            _building(scene, rng, x, top, width, mix(colour, palette.accent, rng.uniform(0, 0.18)), depth)
            x += width * rng.uniform(0.85, 1.25)
    scene.shade(np.array(((0, 0.8), (scene.aspect, 0.8), (scene.aspect, 1.05), (0, 1.05))), -26)


def _building(
    scene: Scene, rng: random.Random, left: float, top: float, width: float, colour: Colour, depth: float
) -> None:
    right = left + width
    scene.box(left, top, right, 1, colour)
    shaded = mix(colour, (14, 14, 30), 0.3)
    if scene.light < 0:
        scene.box(left + width * 0.72, top, right, 1, shaded)
    else:
        scene.box(left, top, left + width * 0.28, 1, shaded)
    roof = rng.random()
    if roof < 0.2:
        scene.fill(((left, top), (left + width / 2, top - width * 0.5), (right, top)), shaded)
    elif roof < 0.35:
        scene.box(left + width * 0.47, top - width * 0.6, left + width * 0.53, top, shaded)
    elif roof < 0.5:
        scene.fill(ellipse(left + width / 2, top, width / 2, width * 0.35), colour)
    if depth > 0.45:
        _windows(scene, rng, left, top, width, colour)


def _windows(scene: Scene, rng: random.Random, left: float, top: float, width: float, colour: Colour) -> None:
    columns = max(2, int(width / 0.035))
    step = width / columns
    lit_share = rng.uniform(0.15, 0.6)
    row = top + step * 0.6
    rows = 0
    while row < 1 and rows < 9:
        for column in range(columns):
            lit = rng.random() < lit_share
            pane = mix(colour, _LAMP, 0.85) if lit else mix(colour, (10, 12, 24), 0.35)
            x = left + column * step + step * 0.25
            scene.box(x, row, x + step * 0.5, row + step * 0.7, pane)
        row += step * 1.5
        rows += 1


def _street(scene: Scene, rng: random.Random, palette: Palette) -> None:
    """Two rows of houses that run towards one point."""
    point = (scene.aspect * rng.uniform(0.15, 0.85), rng.uniform(0.35, 0.7))
    ground = palette.tone(0.1 if palette.dark else rng.choice((0.3, 0.85)))
    scene.fill(((0, 1), (0, point[1]), point, (scene.aspect, point[1]), (scene.aspect, 1)), ground)
    for side, near in ((0.0, -0.35), (scene.aspect, scene.aspect + 0.35)):
        houses = rng.randint(4, 6)
        tone = rng.uniform(0.05, 0.4)
        for house in range(houses, 0, -1):
            outer, inner = house / houses, (house - 1) / houses
            outer_x, inner_x = (point[0] + (near - point[0]) * share**1.6 for share in (outer, inner))
            rise, fall = rng.uniform(0.7, 1.6), 0.75
            tops = [point[1] - rise * share**1.6 * 0.9 for share in (outer, inner)]
            feet = [point[1] + fall * share**1.6 for share in (outer, inner)]
            colour = mix(palette.tone(tone + 0.12 * (house % 2)), scene.sky[1], 0.4 * (1 - outer))
            colour = mix(colour, palette.subjects[house % len(palette.subjects)], 0.35)
            scene.fill(((outer_x, tops[0]), (inner_x, tops[1]), (inner_x, feet[1]), (outer_x, feet[0])), colour)
            _street_windows(scene, rng, colour, (outer_x, inner_x), tops, feet)
        scene.shade(np.array(((side, 0), point, (side, 1))), -18)


def _street_windows(
    scene: Scene, rng: random.Random, colour: Colour, xs: tuple[float, float], tops: list[float], feet: list[float]
) -> None:
    for row in range(1, 6):
        share = row / 6.5
        for column in (0.15, 0.55):
            corners = []
            for across, down in ((column, 0.0), (column + 0.28, 0.0), (column + 0.28, 0.09), (column, 0.09)):
                x = xs[0] + (xs[1] - xs[0]) * across
                top = tops[0] + (tops[1] - tops[0]) * across
                foot = feet[0] + (feet[1] - feet[0]) * across
                corners.append((x, top + (foot - top) * (share + down)))
            scene.fill(corners, mix(colour, _LAMP, 0.8) if rng.random() < 0.4 else mix(colour, (10, 12, 24), 0.4))
