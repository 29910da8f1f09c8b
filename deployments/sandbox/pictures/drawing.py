"""Paints a scene: crisp shapes, then coloured light, soft shadows and film grain over all."""

import functools
import random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from deployments.sandbox.pictures.motifs.choice import motif_for
from deployments.sandbox.pictures.palette import palette_for
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.scene import Scene

_LARGEST_CANVAS_PX = 2048
_SOFT_PX = 96
NEUTRAL = 128
_GRAIN_TILE_PX = 1024
_GRAIN_STRENGTH = 2.0


def draw(recipe: Recipe) -> Image.Image:
    """Draw the picture of a recipe without references, in mode RGB."""
    rng = random.Random(recipe.composition_seed)  # noqa: S311 - a picture, not a secret
    palette = palette_for(recipe.prompt, rng)
    aspect = recipe.width_px / recipe.height_px
    scene = motif_for(recipe.prompt)(recipe.prompt, rng, palette, aspect)
    picture = _shapes(scene, recipe.width_px, recipe.height_px)
    return finished(picture, _soft_light(scene, rng), recipe)


def finished(picture: Image.Image, soft_light: Image.Image, recipe: Recipe) -> Image.Image:
    """The picture under its light, with the grain and the slightly different exposure of its very seed."""
    chance = random.Random(recipe.grain_seed)  # noqa: S311 - a picture, not a secret
    light = soft_light.resize(picture.size, Image.Resampling.BILINEAR)
    grain = _grain(picture.size, chance.randrange(0, _GRAIN_TILE_PX, 2), chance.randrange(0, _GRAIN_TILE_PX, 2))
    exposure = chance.randint(-3, 3)
    delta = ImageChops.add(light, grain.convert("RGB"), 1, exposure - NEUTRAL)
    return ImageChops.add(picture, delta, 1, -NEUTRAL)


def _shapes(scene: Scene, width_px: int, height_px: int) -> Image.Image:
    """The flat shapes, drawn larger than needed and scaled down for smooth edges."""
    scale = min(2.0, max(1.0, _LARGEST_CANVAS_PX / max(width_px, height_px)))
    size = round(width_px * scale), round(height_px * scale)
    canvas = _gradient(scene, size)
    painter = ImageDraw.Draw(canvas)
    pixels_per_unit = np.array((size[0] / scene.aspect, size[1]))
    for outline, colour in scene.fills:
        painter.polygon((outline * pixels_per_unit).ravel().tolist(), fill=colour)
    if scale == 2.0:
        return canvas.reduce(2)
    if scale == 1.0:  # too large to draw larger: soften the steps of the edges instead
        return canvas.filter(ImageFilter.SMOOTH)
    return canvas.resize((width_px, height_px), Image.Resampling.BICUBIC)


def _gradient(scene: Scene, size: tuple[int, int]) -> Image.Image:
    ends = np.array(scene.sky, dtype=np.float64)
    shares = np.linspace(0, 1, size[1])[:, None]
    column = (ends[0] * (1 - shares) + ends[1] * shares).round().astype(np.uint8)
    return Image.frombytes("RGB", size, b"".join(bytes(colour) * size[0] for colour in column.tolist()))


def _soft_light(scene: Scene, rng: random.Random) -> Image.Image:
    """A small picture around neutral grey: window light from one side, a vignette, and the scene's soft patches."""
    patches = Image.new("L", (_SOFT_PX, _SOFT_PX), NEUTRAL)
    pixels_per_unit = np.array((_SOFT_PX / scene.aspect, _SOFT_PX))
    for outline, strength in scene.shades:
        layer = Image.new("L", patches.size, 0)
        ImageDraw.Draw(layer).polygon((outline * pixels_per_unit).ravel().tolist(), fill=round(abs(strength)))
        patches = ImageChops.add(patches, layer) if strength > 0 else ImageChops.subtract(patches, layer)
    soft = np.asarray(patches.filter(ImageFilter.GaussianBlur(2.4)), dtype=np.float32)[..., None]
    side = np.linspace(-1, 1, _SOFT_PX, dtype=np.float32)
    slope = side[None, :] * np.sign(scene.light) * 0.75 - side[:, None] * rng.uniform(0.2, 0.7)
    vignette = -14 * np.clip(side[None, :] ** 2 + side[:, None] ** 2 - 0.7, 0, None)
    strength = rng.uniform(8, 20)
    warm = np.array((1.15, 1.0, 0.7), dtype=np.float32)
    light = slope[..., None] * strength * np.where(slope[..., None] > 0, warm, warm[::-1])
    return Image.fromarray(np.clip(soft + light + vignette[..., None], 0, 255).astype(np.uint8))


@functools.cache
def _grain_tile() -> Image.Image:
    """Noise in clumps of two by two pixels, as film has them; the clumps also halve the size of the file."""
    side = _GRAIN_TILE_PX // 2
    noise = np.random.default_rng(20).standard_normal((side, side)) * _GRAIN_STRENGTH
    clumps = np.clip(noise + NEUTRAL, 0, 255).round().astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    return Image.fromarray(clumps)


def _grain(size: tuple[int, int], left: int, top: int) -> Image.Image:
    """A piece of film grain, another one for each corner it is cut from."""
    grain = Image.new("L", size)
    for x in range(-left, size[0], _GRAIN_TILE_PX):
        for y in range(-top, size[1], _GRAIN_TILE_PX):
            grain.paste(_grain_tile(), (x, y))
    return grain
