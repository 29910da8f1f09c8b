"""Still life: vessels and fruit on a table, in the light of a window."""

import math
import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Points, Scene, bezier, ellipse, ribbon, ring, smooth

# Outlines from foot to lip: height and radius, both in heights of the vessel.
_OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "vase": ((0, 0.16), (0.05, 0.2), (0.3, 0.32), (0.5, 0.33), (0.72, 0.18), (0.85, 0.11), (1, 0.17)),
    "amphora": ((0, 0.1), (0.08, 0.12), (0.4, 0.28), (0.62, 0.34), (0.8, 0.2), (0.88, 0.12), (1, 0.15)),
    "bottle": ((0, 0.17), (0.04, 0.19), (0.5, 0.19), (0.6, 0.16), (0.7, 0.07), (0.96, 0.06), (1, 0.075)),
    "jug": ((0, 0.22), (0.06, 0.26), (0.35, 0.36), (0.6, 0.3), (0.8, 0.2), (1, 0.26)),
    "bowl": ((0, 0.3), (0.1, 0.32), (0.3, 0.6), (0.6, 0.82), (1, 0.95)),
    "cup": ((0, 0.28), (0.1, 0.34), (0.4, 0.46), (1, 0.52)),
    "teapot": ((0, 0.34), (0.06, 0.4), (0.3, 0.6), (0.5, 0.64), (0.75, 0.48), (0.86, 0.26), (0.92, 0.24)),
    "fruit": ((0, 0.12), (0.08, 0.3), (0.25, 0.45), (0.5, 0.52), (0.78, 0.43), (0.94, 0.26), (1, 0.06)),
}
_WORDS = {
    "teapot": "teapot", "tea": "teapot", "kettle": "teapot", "bottle": "bottle", "perfume": "bottle", "wine": "bottle",
    "vase": "vase", "bowl": "bowl", "cup": "cup", "mug": "cup", "coffee": "cup", "jug": "jug", "pitcher": "jug",
    "fruit": "fruit", "apple": "fruit", "apples": "fruit", "orange": "fruit", "pear": "fruit", "lemon": "fruit",
    "amphora": "amphora", "pottery": "amphora",
}  # fmt: skip
_TALLNESS = {"bottle": 1.25, "vase": 1.05, "amphora": 1.15, "bowl": 0.42, "cup": 0.45, "teapot": 0.62, "fruit": 0.38}


def still_life(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene: a wall, a table, a patch of window light, one to five vessels."""
    wall, table = _tones(rng, palette)
    scene = Scene(aspect, (mix(wall, palette.tone(0), 0.18), wall), rng.choice((-1.0, -0.6, 0.6, 1.0)))
    edge = rng.uniform(0.42, 0.8)
    _window(scene, rng, wall, edge)
    tilt = rng.uniform(-0.05, 0.05)
    scene.fill(((0, edge - tilt), (aspect, edge + tilt), (aspect, 1), (0, 1)), table)
    scene.shade(np.array(((0, edge - 0.02), (aspect, edge - 0.02), (aspect, edge + 0.05), (0, edge + 0.05))), -22)
    if rng.random() < 0.4:
        _cloth(scene, rng, palette, edge)
    for kind, x, base, height, colour in _arrangement(prompt, rng, palette, aspect, edge):
        _vessel(scene, kind, x, base, height, colour, facing=rng.choice((-1, 1)))
    return scene


def _tones(rng: random.Random, palette: Palette) -> tuple[Colour, Colour]:
    """Wall and table: dark against light or light against dark."""
    light, dark = palette.tone(rng.uniform(0.7, 1.0)), palette.tone(rng.uniform(0.05, 0.35))
    if palette.dark:
        return dark, mix(dark, palette.tone(0.6), rng.uniform(0.25, 0.8))
    if rng.random() < 0.5:
        return light, palette.tone(rng.uniform(0.15, 0.5))
    return palette.tone(rng.uniform(0.25, 0.55)), light


def _window(scene: Scene, rng: random.Random, wall: Colour, edge: float) -> None:
    """A slanted patch of daylight on the wall, with the bars of the window, or a round shadow."""
    left, width = rng.uniform(-0.2, 0.8) * scene.aspect, rng.uniform(0.3, 0.6) * scene.aspect
    slant = rng.uniform(-0.3, 0.3)
    for pane in range(rng.choice((0, 1, 2, 2, 3))):
        top, bottom = pane * edge / 3 + 0.03, (pane + 1) * edge / 3
        outline = np.array(
            (
                (left + slant * top, top),
                (left + width + slant * top, top),
                (left + width + slant * bottom, bottom),
                (left + slant * bottom, bottom),
            )
        )
        scene.fill(outline, mix(wall, (255, 244, 220), 0.42))
        scene.shade(outline, 12)
    if rng.random() < 0.5:
        x = rng.uniform(0, scene.aspect)
        scene.shade(ellipse(x, rng.uniform(0, edge), rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5)), -38)


def _cloth(scene: Scene, rng: random.Random, palette: Palette, edge: float) -> None:
    """A cloth hanging over the table, with a few folds."""
    left, right = sorted((rng.uniform(-0.1, 1.1) * scene.aspect, rng.uniform(-0.1, 1.1) * scene.aspect))
    right = max(right, left + 0.3 * scene.aspect)
    colour = rng.choice(palette.subjects)
    top = edge + rng.uniform(0.03, 0.1)
    scene.fill(((left, top), (right, top), (right + 0.08, 1), (left - 0.08, 1)), colour)
    for fold in np.linspace(left, right, 6)[1:-1]:
        spine = bezier((fold, top), (fold + rng.uniform(-0.05, 0.05), 0.9), (fold + rng.uniform(-0.1, 0.1), 1.05))
        scene.shade(ribbon(spine, np.linspace(0.005, 0.05, len(spine))), -26)


def _arrangement(
    prompt: str, rng: random.Random, palette: Palette, aspect: float, edge: float
) -> list[tuple[str, float, float, float, Colour]]:
    """Kind, place, height and colour of each vessel, from the back to the front."""
    text = prompt.lower()
    wanted = [kind for word, kind in _WORDS.items() if word in text.split() or f"{word}s" in text.split()]
    count = rng.choice((1, 1, 2, 3, 3, 4, 5))
    kinds = [
        wanted[i % len(wanted)] if wanted and i < 2 * len(wanted) else rng.choice(list(_OUTLINES)) for i in range(count)
    ]
    size = rng.uniform(0.62, 0.95) if count == 1 else rng.uniform(0.35, 0.66)
    slots = [(index + 0.5 + rng.uniform(-0.3, 0.3)) / count for index in range(count)]
    spread = rng.uniform(0.55, 1.0)
    shift = rng.uniform(-0.25, 0.25) * aspect if count < 3 else rng.uniform(-0.1, 0.1) * aspect
    placed = []
    for index, (kind, slot) in enumerate(zip(kinds, slots, strict=True)):
        x = aspect * (0.5 + (slot - 0.5) * spread) + shift
        base = edge + rng.uniform(0.05, max(0.08, 0.94 - edge))
        height = size * _TALLNESS.get(kind, 0.9) * rng.uniform(0.85, 1.15)
        colour = palette.subjects[(index + rng.randrange(2)) % len(palette.subjects)]
        placed.append((kind, x, base, height, colour))
    return sorted(placed, key=lambda row: row[2])


def _vessel(scene: Scene, kind: str, x: float, base: float, height: float, colour: Colour, facing: int) -> None:
    points = np.array(_OUTLINES[kind])
    heights = np.linspace(0, points[-1, 0], 26)
    radii: Points = smooth(np.interp(heights, points[:, 0], points[:, 1])) * height
    outline = np.column_stack((base - heights * height, radii))
    widest, foot, lip = float(radii.max()), float(radii[0]), float(radii[-1])
    away = -math.copysign(1.0, scene.light)
    scene.shade(ellipse(x + away * widest * 1.1, base + 0.005, widest * 1.5, 0.05 + foot * 0.12), -62)
    if kind == "teapot":
        _spout_and_handle(scene, x, base, height, widest, colour, facing)
    if kind in ("cup", "jug"):
        handle = ring(x + facing * widest * 0.95, base - height * 0.55, height * 0.26, height * 0.17, 0, 2 * math.pi)
        scene.fill(handle, mix(colour, (18, 16, 30), 0.25))
    scene.solid(outline, x, colour)
    scene.fill(ellipse(x, base, foot, foot * 0.13), mix(colour, (18, 16, 30), 0.35))
    top = base - float(points[-1, 0]) * height
    if kind == "teapot":
        _lid(scene, x, top, height, lip, colour)
    elif kind == "fruit":
        stem = bezier((x, top + 0.01), (x, top - height * 0.1), (x + facing * height * 0.12, top - height * 0.2))
        scene.fill(ribbon(stem, np.full(len(stem), height * 0.035)), mix(colour, (40, 28, 20), 0.8))
    else:
        scene.fill(ellipse(x, top, lip, lip * 0.22), mix(colour, (255, 250, 238), 0.3))
        scene.fill(ellipse(x, top + lip * 0.03, lip * 0.86, lip * 0.16), mix(colour, (14, 12, 20), 0.7))
    glint = x + scene.light * widest * 0.42
    scene.shade(ellipse(glint, base - height * 0.52, widest * 0.09, height * 0.16), 70)


def _spout_and_handle(
    scene: Scene, x: float, base: float, height: float, widest: float, colour: Colour, facing: int
) -> None:
    dim = mix(colour, (18, 16, 30), 0.22)
    spout = bezier(
        (x + facing * widest * 0.7, base - height * 0.3),
        (x + facing * widest * 1.35, base - height * 0.38),
        (x + facing * widest * 1.5, base - height * 0.9),
    )
    scene.fill(ribbon(spout, np.linspace(height * 0.28, height * 0.09, len(spout))), dim)
    handle = ring(x - facing * widest * 1.05, base - height * 0.5, height * 0.33, height * 0.25, 0, 2 * math.pi)
    scene.fill(handle, dim)


def _lid(scene: Scene, x: float, top: float, height: float, lip: float, colour: Colour) -> None:
    dome = np.array(((0, 1.0), (0.4, 0.92), (0.8, 0.6), (1.0, 0.2)))
    rows = np.column_stack((top - dome[:, 0] * height * 0.13, dome[:, 1] * lip * 1.05))
    scene.solid(rows, x, mix(colour, (255, 250, 238), 0.1))
    scene.disc(x, top - height * 0.17, height * 0.055, mix(colour, (18, 16, 30), 0.15))
