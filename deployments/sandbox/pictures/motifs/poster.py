"""Abstract posters: great circles, bands, arcs and cut paper."""

import math
import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Points, Scene, ring, sector


def poster(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene: a ground and three to seven large elements."""
    ground = palette.tone(rng.uniform(0, 0.25) if palette.dark else rng.uniform(0.7, 1.0))
    scene = Scene(aspect, (ground, mix(ground, palette.tone(0.5), 0.15)), rng.choice((-1.0, 1.0)))
    elements = [_circle, _bands, _arcs, _blob, _wedge, _stripes]
    if "stripe" in prompt.lower():
        elements = [_bands, _stripes, _arcs]
    for index in range(rng.randint(3, 7)):
        colour = palette.subjects[index % len(palette.subjects)]
        rng.choice(elements)(scene, rng, palette, colour)
    return scene


def _place(scene: Scene, rng: random.Random) -> tuple[float, float]:
    return rng.uniform(0, scene.aspect), rng.uniform(0, 1)


def _circle(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    (x, y), radius = _place(scene, rng), rng.uniform(0.1, 0.36)
    scene.disc(x, y, radius, colour)
    if rng.random() < 0.5:
        start = rng.uniform(0, 2 * math.pi)
        scene.fill(sector(x, y, radius, start, start + math.pi), mix(colour, palette.tone(rng.random()), 0.6))


def _bands(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    """One to three broad bands across the sheet."""
    angle, offset = rng.choice((0.0, math.pi / 2, math.pi / 4, -math.pi / 4, rng.uniform(0, 3))), rng.uniform(-0.5, 0.5)
    for index in range(rng.randint(1, 3)):
        width = rng.uniform(0.05, 0.2)
        scene.fill(_strip(scene, angle, offset, width), mix(colour, palette.tone(rng.random()), 0.3 * index))
        offset += width * rng.uniform(1.0, 1.6)


def _strip(scene: Scene, angle: float, offset: float, width: float) -> Points:
    along = np.array((math.cos(angle), math.sin(angle)))
    across = np.array((-along[1], along[0]))
    middle = np.array((scene.aspect / 2, 0.5)) + across * offset
    return np.array(
        (
            middle - along * 3,
            middle + along * 3,
            middle + along * 3 + across * width,
            middle - along * 3 + across * width,
        )
    )


def _arcs(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    """Concentric rings, like a rainbow."""
    (x, y), outer = _place(scene, rng), rng.uniform(0.2, 0.6)
    start, sweep = rng.choice((0.0, 0.5, 1.0, 1.5)) * math.pi, rng.choice((0.5, 1.0, 1.0, 2.0)) * math.pi
    count = rng.randint(2, 5)
    step = outer / (count + 1)
    for index in range(count):
        radius = outer - index * step
        tone = palette.subjects[(index + rng.randrange(2)) % len(palette.subjects)] if index % 2 else colour
        scene.fill(ring(x, y, radius, radius - step * 0.8, start, start + sweep), tone)


def _blob(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    """A soft, cut-out form."""
    (x, y), radius = _place(scene, rng), rng.uniform(0.14, 0.36)
    angles = np.linspace(0, 2 * math.pi, 80)
    wobble = sum(rng.uniform(0, 0.28) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in (2, 3, 4))
    radii = radius * (1 + wobble)
    outline = np.column_stack((x + radii * np.cos(angles), y + radii * np.sin(angles)))
    scene.shade(np.add(outline, (0.012, 0.016)), -24)
    scene.fill(outline, mix(colour, palette.accent, rng.uniform(0, 0.2)))


def _wedge(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    """A large triangle from an edge."""
    tip = _place(scene, rng)
    side, width = rng.choice((0.0, 1.0)), rng.uniform(0.25, 0.8)
    start = rng.uniform(-0.2, 0.8) * scene.aspect
    scene.fill(((start, side), (start + width, side), tip), mix(colour, palette.tone(0.5), 0.15))


def _stripes(scene: Scene, rng: random.Random, palette: Palette, colour: Colour) -> None:
    """A field of thin lines."""
    left, top = rng.uniform(-0.1, 0.7) * scene.aspect, rng.uniform(-0.1, 0.7)
    width, height = rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.6)
    count = rng.randint(5, 14)
    upright = rng.random() < 0.5
    for index in range(count):
        share = index / count
        if upright:
            x = left + share * width
            scene.box(x, top, x + width / count * 0.5, top + height, colour)
        else:
            y = top + share * height
            scene.box(left, y, left + width, y + height / count * 0.5, mix(colour, palette.accent, share * 0.4))
