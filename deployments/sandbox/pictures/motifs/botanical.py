"""Botanical plates: stems and leaves, flowers, a wreath, one great leaf."""

import math
import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Points, Scene, bezier, ellipse, ribbon


def botanical(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene: a ground, a shape behind, and plants from one of four sides."""
    ground = palette.tone(rng.uniform(0.0, 0.2) if palette.dark else rng.uniform(0.75, 1.0))
    scene = Scene(aspect, (ground, mix(ground, palette.tone(0.5), 0.25)), rng.choice((-1.0, 1.0)))
    _shape_behind(scene, rng, palette)
    flowers = any(word in prompt.lower() for word in ("flower", "bloom", "rose", "poppy", "tulip", "peony", "blossom"))
    layout = rng.choice(("bunch", "hanging", "wreath", "great leaf", "side", "field"))
    if layout == "great leaf":
        _great_leaf(scene, rng, palette)
    elif layout == "wreath":
        _wreath(scene, rng, palette, flowers)
    else:
        for root, tip in _stems(layout, rng, aspect):
            _stem(scene, rng, palette, root, tip, flowers or rng.random() < 0.35)
    return scene


def _shape_behind(scene: Scene, rng: random.Random, palette: Palette) -> None:
    colour = mix(rng.choice(palette.subjects), scene.sky[0], rng.uniform(0.1, 0.5))
    x, y = scene.aspect * rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85)
    choice = rng.random()
    if choice < 0.4:
        scene.disc(x, y, rng.uniform(0.18, 0.45), colour)
    elif choice < 0.6:
        width = rng.uniform(0.2, 0.35)
        scene.box(x - width, y, x + width, 1, colour)
        scene.fill(ellipse(x, y, width, width), colour)
    elif choice < 0.85:
        split = rng.uniform(0.2, 0.8) * scene.aspect
        tilt = rng.uniform(-0.4, 0.4)
        scene.fill(((split + tilt, 0), (scene.aspect, 0), (scene.aspect, 1), (split - tilt, 1)), colour)


def _stems(layout: str, rng: random.Random, aspect: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Root and tip of each stem."""
    count = rng.randint(3, 8)
    middle = rng.uniform(0.25, 0.75)
    stems = []
    for index in range(count):
        share = (index + rng.uniform(0.2, 0.8)) / count
        reach = rng.uniform(0.05, 0.5)
        if layout == "bunch":
            stems.append(((aspect * middle, 1.05), (aspect * (middle + (share - 0.5) * 1.3), reach)))
        elif layout == "hanging":
            stems.append(((aspect * share, -0.05), (aspect * (share + rng.uniform(-0.1, 0.1)), 1.05 - reach)))
        elif layout == "side":
            stems.append(((-0.05, share), (aspect * (1.05 - reach), share + rng.uniform(-0.35, 0.2))))
        else:
            stems.append(((aspect * share, 1.05), (aspect * (share + rng.uniform(-0.08, 0.08)), 0.25 + reach)))
    return stems


def _leaf(root: Points, angle: float, length: float, width: float) -> Points:
    tip = root + length * np.array((math.cos(angle), math.sin(angle)))
    across = width * np.array((-math.sin(angle), math.cos(angle)))
    middle = root + (tip - root) * 0.45
    upper = bezier(tuple(root), tuple(middle + across), tuple(tip), 12)
    lower = bezier(tuple(tip), tuple(middle - across), tuple(root), 12)
    return np.concatenate((upper, lower))


def _leaf_pair(scene: Scene, root: Points, angle: float, length: float, width: float, colour: Colour) -> None:
    """One leaf in two halves, the half away from the light darker."""
    outline = _leaf(root, angle, length, width)
    half = len(outline) // 2
    scene.fill(outline[:half], colour)
    scene.fill(outline[half:], mix(colour, (16, 20, 30), 0.22))


def _stem(
    scene: Scene,
    rng: random.Random,
    palette: Palette,
    root: tuple[float, float],
    tip: tuple[float, float],
    flower: bool,
) -> None:
    colour = rng.choice(palette.subjects[:4])
    bend = ((root[0] + tip[0]) / 2 + rng.uniform(-0.2, 0.2), (root[1] + tip[1]) / 2 + rng.uniform(-0.1, 0.1))
    spine = bezier(root, bend, tip, 24)
    scene.fill(ribbon(spine, np.linspace(0.012, 0.004, len(spine))), mix(colour, (20, 24, 28), 0.35))
    size, fatness, spread = rng.uniform(0.09, 0.24), rng.uniform(0.2, 0.5), rng.uniform(0.5, 1.1)
    for index in range(4, len(spine), rng.choice((2, 3, 4))):
        heading = math.atan2(*(spine[index] - spine[index - 1])[::-1])
        length = size * (1.15 - index / len(spine) * 0.6)
        for side in (-1, 1):
            shade = mix(colour, palette.tone(0.9), rng.uniform(0, 0.25))
            _leaf_pair(scene, spine[index], heading + side * spread, length, length * fatness, shade)
    if flower:
        _flower(scene, rng, palette, tip[0], tip[1], rng.uniform(0.05, 0.13))


def _flower(scene: Scene, rng: random.Random, palette: Palette, x: float, y: float, radius: float) -> None:
    colour = rng.choice((palette.accent, palette.subjects[0], palette.tone(0.95)))
    petals, turn = rng.randint(5, 9), rng.random()
    scene.shade(ellipse(x, y + radius * 0.3, radius * 1.3, radius * 1.3), -16)
    for layer in (1.0, 0.68):
        for petal in range(petals):
            angle = 2 * math.pi * (petal + turn + layer) / petals
            tone = mix(colour, (255, 250, 240), 0.12 + 0.3 * (1 - layer) + 0.12 * (petal % 2))
            _leaf_pair(scene, np.array((x, y)), angle, radius * layer * 1.25, radius * 0.5, tone)
    scene.disc(x, y, radius * 0.24, mix(palette.accent, (40, 26, 10), 0.5))


def _wreath(scene: Scene, rng: random.Random, palette: Palette, flowers: bool) -> None:
    x, y, radius = scene.aspect / 2, 0.5, rng.uniform(0.22, 0.36)
    x, y = x + rng.uniform(-0.15, 0.15), y + rng.uniform(-0.15, 0.15)
    start, sweep = rng.uniform(0, 2 * math.pi), rng.uniform(3.5, 6.2)
    count = rng.randint(16, 30)
    for index in range(count):
        angle = start + sweep * index / count
        root = np.array((x + radius * math.cos(angle), y + radius * math.sin(angle)))
        for side in (-1, 1):
            length = rng.uniform(0.08, 0.2)
            colour = mix(rng.choice(palette.subjects[:4]), palette.tone(0.9), rng.uniform(0, 0.3))
            _leaf_pair(scene, root, angle + math.pi / 2 + side * rng.uniform(0.4, 1.1), length, length * 0.35, colour)
        if flowers and index % 5 == 0:
            _flower(scene, rng, palette, float(root[0]), float(root[1]), rng.uniform(0.05, 0.1))


def _great_leaf(scene: Scene, rng: random.Random, palette: Palette) -> None:
    root = np.array((scene.aspect * rng.uniform(0.1, 0.9), rng.choice((1.05, -0.05))))
    target = np.array((scene.aspect * rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.7)))
    heading = math.atan2(*(target - root)[::-1])
    length, colour = rng.uniform(0.8, 1.15), rng.choice(palette.subjects[:3])
    outline = _leaf(root, heading, length, length * rng.uniform(0.45, 0.75))
    scene.shade(np.add(outline, (0.03, 0.04)), -34)
    half = len(outline) // 2
    scene.fill(outline[:half], colour)
    scene.fill(outline[half:], mix(colour, (16, 20, 30), 0.28))
    tip = root + length * np.array((math.cos(heading), math.sin(heading)))
    vein = mix(colour, palette.tone(0.95), 0.5)
    spine = bezier(tuple(root), tuple((root + tip) / 2), tuple(tip), 20)
    scene.fill(ribbon(spine, np.linspace(0.014, 0.002, 20)), vein)
    for index in range(3, 17, 2):
        for side in (-1, 1):
            reach = length * 0.32 * math.sin(math.pi * index / 19)
            end = spine[index] + reach * np.array((math.cos(heading + side * 0.8), math.sin(heading + side * 0.8)))
            rib = bezier(tuple(spine[index]), tuple((spine[index] + end) / 2), tuple(end), 6)
            scene.fill(ribbon(rib, np.linspace(0.006, 0.001, 6)), vein)
