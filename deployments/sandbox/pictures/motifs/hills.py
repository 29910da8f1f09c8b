"""Landscapes: layered ridges, sun or moon, water, trees, air that pales with distance."""

import math
import random

import numpy as np

from deployments.sandbox.pictures.palette import Colour, Palette, mix
from deployments.sandbox.pictures.scene import Points, Scene, ellipse


def hills(prompt: str, rng: random.Random, palette: Palette, aspect: float) -> Scene:
    """Build the scene from the sky down."""
    text = prompt.lower()
    near, far = (0.0, rng.uniform(0.3, 0.5)) if palette.dark else (rng.uniform(0.0, 0.25), rng.uniform(0.6, 0.8))
    if rng.random() < 0.3 and not palette.dark:
        near, far = far, near  # light in the foreground, as after snow
    sky = (palette.tone(rng.uniform(0.0, 0.2)), palette.tone(rng.uniform(0.3, 0.6)))
    if not palette.dark:
        sky = (palette.tone(rng.uniform(0.5, 0.8)), palette.tone(rng.uniform(0.85, 1.0)))
    if rng.random() < 0.3:
        sky = (sky[1], sky[0])
    scene = Scene(aspect, sky, rng.uniform(-1, 1))
    horizon = rng.uniform(0.22, 0.78)
    _sun(scene, rng, palette, horizon)
    if rng.random() < 0.6:
        _clouds(scene, rng, mix(sky[1], (255, 250, 240), 0.5), horizon)
    water = any(word in text for word in ("sea", "lake", "ocean", "river", "water", "coast")) or rng.random() < 0.2
    count = rng.randint(2, 6)
    slope = rng.uniform(-0.35, 0.35)
    for layer in range(count):
        depth = layer / max(count - 1, 1)
        colour = mix(palette.tone(far + (near - far) * depth), sky[1], 0.35 * (1 - depth))
        base = horizon + (1.0 - horizon) * depth * rng.uniform(0.55, 0.8)
        roughness = rng.uniform(0.05, 0.3) * (1.1 - 0.6 * depth)
        ridge = _ridge(rng, aspect, base, roughness, slope * (1 - 2 * (layer % 2)))
        scene.fill(np.concatenate((ridge, [(aspect, 1.0), (0.0, 1.0)])), colour)
        scene.shade(np.concatenate((np.add(ridge, (0, 0.02)), np.add(ridge, (0, 0.14))[::-1])), -10 + 16 * (1 - depth))
        if depth > 0.4 and (rng.random() < 0.5 or "forest" in text or "tree" in text):
            _trees(scene, rng, ridge, mix(colour, palette.tone(0), 0.55), depth)
    if water:
        _water(scene, rng, palette, max(horizon + 0.12, rng.uniform(0.6, 0.85)), sky)
    return scene


def _ridge(rng: random.Random, aspect: float, base: float, roughness: float, slope: float) -> Points:
    xs = np.linspace(0, aspect, 90)
    ys = np.full_like(xs, base) + slope * (xs / aspect - 0.5) * 0.5
    for octave in range(5):
        frequency = (1.1 + rng.random()) * 2**octave
        ys += roughness / 2**octave * np.sin(frequency * xs / aspect * math.pi + rng.uniform(0, 2 * math.pi)) * 0.6
    peak = rng.uniform(-0.1, 1.1) * aspect
    ys -= roughness * 1.2 * np.exp(-(((xs - peak) / (0.25 * aspect)) ** 2))
    return np.column_stack((xs, ys))


def _sun(scene: Scene, rng: random.Random, palette: Palette, horizon: float) -> None:
    x, y = rng.uniform(0.08, 0.92) * scene.aspect, rng.uniform(0.08, max(0.12, horizon - 0.02))
    radius = rng.choice((0.04, 0.06, 0.09, 0.14, 0.22, 0.3))
    colour = mix(palette.accent, (255, 250, 235), 0.75 if palette.dark else 0.25)
    for halo, strength in ((3.4, 14), (2.2, 16), (1.5, 18)):
        scene.shade(ellipse(x, y, radius * halo, radius * halo), strength)
    scene.disc(x, y, radius, colour)
    if palette.dark and rng.random() < 0.5:
        scene.disc(x + radius * 0.4, y - radius * 0.15, radius * 0.86, scene.sky[0])
    if palette.dark:
        for _ in range(rng.randint(12, 40)):
            scene.disc(
                rng.uniform(0, scene.aspect), rng.uniform(0, horizon), rng.uniform(0.0015, 0.004), (245, 240, 225)
            )


def _clouds(scene: Scene, rng: random.Random, colour: Colour, horizon: float) -> None:
    for _ in range(rng.randint(1, 4)):
        x, y = rng.uniform(0, scene.aspect), rng.uniform(0.05, max(0.1, horizon - 0.05))
        length = rng.uniform(0.15, 0.5)
        for _ in range(4):
            spot = ellipse(x + rng.uniform(-0.5, 0.5) * length, y + rng.uniform(-0.012, 0.012), length * 0.45, 0.014)
            scene.fill(spot, colour)
        scene.shade(ellipse(x, y, length, 0.05), 10)


def _trees(scene: Scene, rng: random.Random, ridge: Points, colour: Colour, depth: float) -> None:
    kind = rng.choice(("pine", "poplar", "round"))
    for _ in range(rng.randint(3, 22)):
        x, y = ridge[rng.randrange(len(ridge))]
        height = rng.uniform(0.05, 0.16) * (0.4 + depth)
        if kind == "pine":
            for tier in (0.5, 0.75, 1.0):
                foot, half = y + 0.012 - height * (1 - tier), height * 0.26 * tier
                scene.fill(((x, foot - height * 0.5), (x + half, foot), (x - half, foot)), colour)
        elif kind == "poplar":
            scene.fill(ellipse(x, y - height * 0.5, height * 0.14, height * 0.58), colour)
        else:
            scene.box(x - 0.004, y - height * 0.5, x + 0.004, y + 0.01, colour)
            scene.disc(x, y - height * 0.6, height * 0.3, colour)


def _water(scene: Scene, rng: random.Random, palette: Palette, shore: float, sky: tuple[Colour, Colour]) -> None:
    body = mix(palette.tone(0.15 if palette.dark else 0.55), sky[0], 0.5)
    scene.box(0, shore, scene.aspect, 1, body)
    for _ in range(26):
        y = shore + (1 - shore) * rng.random() ** 1.5
        length = rng.uniform(0.05, 0.4) * (0.4 + (y - shore))
        x = rng.uniform(-0.1, 1) * scene.aspect
        scene.fill(ellipse(x, y, length, 0.0016 + 0.004 * (y - shore)), mix(body, sky[1], rng.uniform(0.2, 0.7)))
