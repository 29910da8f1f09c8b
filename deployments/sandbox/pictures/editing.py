"""Edits a picture as the prompt says: the first reference stays visible, the others come into it."""

import io
import random
import re

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps, ImageStat

from deployments.sandbox.pictures.drawing import NEUTRAL, finished
from deployments.sandbox.pictures.effects import EFFECTS, grade, tint
from deployments.sandbox.pictures.palette import named_colours
from deployments.sandbox.pictures.recipe import Recipe

_PALETTE_WORDS = re.compile(r"\b(style|palette|colou?rs?|mood|tones?|look|lighting)\b")
_MOST_EFFECTS = 3
_INSET_SHARE = 0.34
_CORNERS = ((0.04, 0.62), (0.62, 0.62), (0.04, 0.04), (0.62, 0.04))


def edit(recipe: Recipe, references: list[bytes]) -> Image.Image:
    """Edit the first reference.

    Args:
        recipe: Prompt, seed and size of the result.
        references: Files of at least one picture; those after the first lend their colours where the prompt speaks
            of style or palette, and are set into the picture otherwise.

    Returns:
        The result, in mode RGB.
    """
    rng = random.Random(recipe.composition_seed)  # noqa: S311 - a picture, not a secret
    picture = _cropped(references[0], (recipe.width_px, recipe.height_px))
    if recipe.edits == "nothing":
        return finished(picture, Image.new("RGB", picture.size, (NEUTRAL,) * 3), recipe)
    text = recipe.prompt.lower()
    for index, payload in enumerate(references[1:]):
        if _PALETTE_WORDS.search(text):
            picture = _with_palette_of(picture, payload)
        else:
            picture = _with_inset(picture, payload, _CORNERS[index % len(_CORNERS)])
    picture = _changed(picture, text, rng)
    return finished(picture, _slanted_light(rng), recipe)


def _changed(picture: Image.Image, text: str, rng: random.Random) -> Image.Image:
    """The picture after the effects and the tint that the text asks for, and a slight grade of its own in any case."""
    wanted = [effect for pattern, effect in EFFECTS if pattern.search(text)][:_MOST_EFFECTS]
    for effect in wanted:
        picture = effect(picture, rng)
    colours = named_colours(text)
    if colours:
        picture = tint(picture, colours[0], colours[-1], rng.uniform(0.4, 0.6))
    return grade(picture, rng, strong=not wanted and not colours)


def _cropped(payload: bytes, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture in the wanted size, transparent parts over a light ground."""
    with Image.open(io.BytesIO(payload)) as source:
        source.load()
        upright = ImageOps.exif_transpose(source)
    if upright.has_transparency_data:
        ground = Image.new("RGBA", upright.size, (246, 243, 236, 255))
        upright = Image.alpha_composite(ground, upright.convert("RGBA"))
    return ImageOps.fit(upright.convert("RGB"), size, Image.Resampling.BICUBIC)


def _with_palette_of(picture: Image.Image, payload: bytes) -> Image.Image:
    """The picture with the mean and the spread of another picture's colours."""
    other = ImageStat.Stat(_cropped(payload, (64, 64)))
    own = ImageStat.Stat(picture.resize((64, 64), Image.Resampling.BOX))
    tables: list[int] = []
    for band in range(3):
        gain = min(max(other.stddev[band] / max(own.stddev[band], 1.0), 0.6), 1.6)
        values = (np.arange(256) - own.mean[band]) * gain + other.mean[band]
        tables += np.clip(values, 0, 255).round().astype(int).tolist()
    return Image.blend(picture, picture.point(tables), 0.75)


def _with_inset(picture: Image.Image, payload: bytes, corner: tuple[float, float]) -> Image.Image:
    """The picture with another one in a corner, its edges soft."""
    width, height = (max(8, round(side * _INSET_SHARE)) for side in picture.size)
    inset = _cropped(payload, (width, height))
    margin = max(2, min(width, height) // 8)
    mask = Image.new("L", (width, height), 0)
    box = (margin, margin, width - margin, height - margin)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=margin * 2, fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(margin / 3))
    result = picture.copy()
    result.paste(inset, (round(picture.width * corner[0]), round(picture.height * corner[1])), mask)
    return result


def _slanted_light(rng: random.Random) -> Image.Image:
    """A faint light from one side, around neutral grey."""
    slope = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize((64, 64))
    level = slope.point([round(NEUTRAL + (value - NEUTRAL) * 0.09) for value in range(256)])
    return level.convert("RGB")
