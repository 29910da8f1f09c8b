"""The effects that words of an edit ask for; each takes and gives an RGB picture in which the subject stays visible."""

import math
import random
import re
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from deployments.sandbox.pictures.palette import BLACK, WHITE, Colour, mix

Effect = Callable[[Image.Image, random.Random], Image.Image]


def tint(picture: Image.Image, first: Colour, second: Colour, share: float) -> Image.Image:
    """The picture blended with a duotone of itself, from black over the two colours to white."""
    middle = mix(first, second, 0.5)
    grey = ImageOps.grayscale(picture)
    duotone = ImageOps.colorize(grey, mix(BLACK, first, 0.25), mix(WHITE, second, 0.2), middle)
    return Image.blend(picture, duotone, share)


def grade(picture: Image.Image, rng: random.Random, *, strong: bool) -> Image.Image:
    """A colour grade of the seed's own: a little warmer or cooler, a little more or less colour."""
    reach = 0.16 if strong else 0.05
    warmth = rng.uniform(-reach, reach)
    graded = _multiplied(picture, (255, round(255 - 40 * abs(warmth)), round(255 * min(1.0, 1 - warmth))))
    if warmth < 0:
        graded = _multiplied(picture, (round(255 * (1 + warmth)), 250, 255))
    return ImageEnhance.Color(graded).enhance(1 + rng.uniform(-2, 2) * reach)


def night(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Dark and blue, the lights of the picture left glowing, a few stars above."""
    dark = _multiplied(picture, (78, 96, 158))
    lights = ImageOps.grayscale(picture).point([max(0, value - 190) * 3 for value in range(256)])
    dark.paste(_multiplied(picture, (255, 214, 140)), mask=lights.filter(ImageFilter.GaussianBlur(2)))
    painter = ImageDraw.Draw(dark)
    for _ in range(26):
        _dot(painter, picture.size, rng.random(), rng.random() * 0.35, rng.uniform(0.001, 0.003), (226, 230, 246))
    return dark


def sunset(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Low, warm light: orange from one side, violet shadows."""
    warm = Image.linear_gradient("L").resize(picture.size)
    light = ImageOps.colorize(warm, (255, 196, 120), (196, 92, 110), (255, 142, 84))
    return Image.blend(
        _multiplied(picture, (255, 224, 196)), ImageChops.soft_light(picture, light), rng.uniform(0.6, 0.8)
    )


def snow(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Pale and cool, snow falling."""
    pale = Image.blend(ImageEnhance.Color(picture).enhance(0.55), Image.new("RGB", picture.size, (226, 236, 246)), 0.34)
    flakes = Image.new("L", picture.size, 0)
    painter = ImageDraw.Draw(flakes)
    for _ in range(260):
        _dot(painter, picture.size, rng.random(), rng.random(), rng.uniform(0.0015, 0.007), rng.randint(140, 255))
    pale.paste((252, 253, 255), mask=flakes.filter(ImageFilter.GaussianBlur(1)))
    return pale


def rain(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Grey and wet, slanting streaks."""
    wet = _multiplied(ImageEnhance.Color(picture).enhance(0.6), (176, 190, 206))
    streaks = Image.new("L", picture.size, 0)
    painter = ImageDraw.Draw(streaks)
    for _ in range(150):
        x, y, length = rng.random() * picture.width, rng.random() * picture.height, rng.uniform(0.03, 0.09)
        end = (x - 0.25 * length * picture.height, y + length * picture.height)
        painter.line(((x, y), end), fill=rng.randint(50, 130), width=max(1, picture.width // 512))
    wet.paste((226, 232, 240), mask=streaks)
    return wet


def fog(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Mist that thickens towards the top."""
    density = ImageOps.flip(Image.linear_gradient("L")).resize(picture.size)
    strength = rng.uniform(0.6, 0.75)
    result = picture.copy()
    result.paste((222, 224, 222), mask=density.point([round(value * strength) for value in range(256)]))
    return result


def watercolour(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Flat washes with darker edges on paper."""
    small = picture.resize((max(1, picture.width // 5), max(1, picture.height // 5)), Image.Resampling.BOX)
    wash = _few_colours(small.filter(ImageFilter.MedianFilter(3))).resize(picture.size, Image.Resampling.BICUBIC)
    washed = Image.blend(Image.blend(wash, picture, 0.3), Image.new("RGB", picture.size, (252, 248, 238)), 0.18)
    edges = ImageOps.grayscale(picture).filter(ImageFilter.GaussianBlur(1.5)).filter(ImageFilter.FIND_EDGES)
    edges = edges.point([255 - min(90, value * 3) for value in range(256)])
    return _framed(
        ImageChops.multiply(washed, edges.convert("RGB")), (250, 247, 240), rng.uniform(0.025, 0.045), soft=True
    )


def oil(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Thick paint: short strokes, full colours."""
    smeared = picture.filter(ImageFilter.BoxBlur(max(1, picture.width // 160)))
    strokes = smeared.filter(ImageFilter.EMBOSS).convert("L").convert("RGB")
    return ImageEnhance.Color(Image.blend(smeared, ImageChops.overlay(smeared, strokes), 0.6)).enhance(
        rng.uniform(1.15, 1.4)
    )


def sketch(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Pencil on paper."""
    grey = ImageOps.grayscale(picture)
    inverted = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, picture.width // 100)))
    dodge = np.clip(np.asarray(grey, np.float32) * 255 / np.maximum(255.0 - np.asarray(inverted), 1), 0, 255)
    lines = Image.blend(Image.fromarray(dodge.astype(np.uint8)), grey, rng.uniform(0.3, 0.45))
    return ImageOps.colorize(lines, (44, 42, 48), (248, 244, 234))


def monochrome(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Black and white, with more contrast."""
    return ImageEnhance.Contrast(ImageOps.grayscale(picture).convert("RGB")).enhance(rng.uniform(1.1, 1.3))


def vintage(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A faded print: brown, soft, with a pale border."""
    brown = ImageOps.colorize(ImageOps.grayscale(picture), (52, 36, 28), (244, 228, 198), (156, 118, 84))
    return _framed(Image.blend(picture, brown, rng.uniform(0.6, 0.8)), (238, 228, 208), 0.04)


def neon(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Magenta and cyan light over a dark picture."""
    dark = ImageEnhance.Brightness(picture).enhance(0.72)
    glow = ImageOps.colorize(ImageOps.grayscale(picture), (26, 10, 58), (120, 246, 255), (226, 46, 162))
    return Image.blend(dark, glow, rng.uniform(0.5, 0.65))


def pixels(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Large square pixels, few colours."""
    cells = rng.choice((56, 64, 72))
    side = max(1, picture.width // cells)
    small = picture.resize((max(1, picture.width // side), max(1, picture.height // side)), Image.Resampling.BOX)
    return _few_colours(small).resize(picture.size, Image.Resampling.NEAREST)


def dreamy(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Soft focus, a glow around the lights."""
    soft = picture.filter(ImageFilter.GaussianBlur(max(2, picture.width // 60)))
    return Image.blend(picture, ImageChops.screen(picture, soft), rng.uniform(0.35, 0.5))


def bright(picture: Image.Image, rng: random.Random) -> Image.Image:
    """More light."""
    return ImageEnhance.Brightness(picture).enhance(rng.uniform(1.18, 1.32))


def vignette(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Dark corners."""
    falloff = Image.radial_gradient("L").resize(picture.size)
    strength = rng.uniform(0.5, 0.7)
    shade = falloff.point([round(255 - max(0, value - 70) * strength) for value in range(256)])
    return ImageChops.multiply(picture, shade.convert("RGB"))


def frame(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A passe-partout."""
    return _framed(picture, rng.choice(((248, 245, 238), (32, 32, 36))), rng.uniform(0.05, 0.08))


EFFECTS: tuple[tuple[re.Pattern[str], Effect], ...] = tuple(
    (re.compile(rf"\b({words})\b"), effect)
    for words, effect in (
        ("night|midnight|moonlight|moonlit|dark", night),
        ("sunset|sunrise|golden hour|dusk|dawn|evening|warm|warmer", sunset),
        ("snow|snowy|winter|frost|frosty|icy", snow),
        ("rain|rainy|storm|stormy|wet", rain),
        ("fog|foggy|mist|misty|haze|hazy", fog),
        ("watercolou?r|aquarelle|gouache|wash", watercolour),
        ("oil|painting|painted|painterly|impasto|canvas", oil),
        ("sketch|pencil|charcoal|drawing|ink|etching", sketch),
        ("black[- ]and[- ]white|monochrome|greyscale|grayscale|b&w|noir", monochrome),
        ("vintage|retro|sepia|polaroid|faded|nostalgic|1970s", vintage),
        ("neon|cyberpunk|vaporwave|synthwave", neon),
        ("pixel|pixel-art|8-bit|pixelated", pixels),
        ("dreamy|soft|glow|ethereal|bokeh", dreamy),
        ("bright|brighter|daylight|sunny|morning", bright),
        ("vignette|cinematic|dramatic", vignette),
        ("frame|framed|border|passe-partout", frame),
    )
)


def _multiplied(picture: Image.Image, colour: Colour) -> Image.Image:
    table = [value * level // 255 for level in colour for value in range(256)]
    return picture.point(table)


def _few_colours(picture: Image.Image) -> Image.Image:
    return picture.quantize(24, dither=Image.Dither.NONE).convert("RGB")


def _dot(
    painter: ImageDraw.ImageDraw, size: tuple[int, int], x: float, y: float, radius: float, colour: Colour | int
) -> None:
    reach = max(0.6, radius * math.sqrt(size[0] * size[1]))
    middle_x, middle_y = x * size[0], y * size[1]
    painter.ellipse((middle_x - reach, middle_y - reach, middle_x + reach, middle_y + reach), fill=colour)


def _framed(picture: Image.Image, colour: Colour, share: float, *, soft: bool = False) -> Image.Image:
    """The picture with its rim covered in a colour."""
    margin = max(1, round(min(picture.size) * share))
    mask = Image.new("L", picture.size, 255)
    ImageDraw.Draw(mask).rectangle((margin, margin, picture.width - 1 - margin, picture.height - 1 - margin), fill=0)
    result = picture.copy()
    result.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(margin / 2)) if soft else mask)
    return result
