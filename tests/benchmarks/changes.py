"""What happens to pictures on their way through the world, each drawn from a seed of its own.

`MILD` is what leaves the same picture; `OTHER` is what people do to pictures and still call them the same.
"""

import io
import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Change = Callable[[Image.Image, random.Random], Image.Image]


def encoded(kind: str, quality: int) -> Change:
    def change(picture: Image.Image, _: random.Random) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, kind, quality=quality)
        return Image.open(buffer).convert("RGB")

    return change


def scaled(factor: float) -> Change:
    return lambda picture, _: picture.resize(
        (max(1, round(picture.width * factor)), max(1, round(picture.height * factor))), Image.Resampling.BICUBIC
    )


def noisy(picture: Image.Image, chance: random.Random) -> Image.Image:
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 12, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def hue_turned(degrees: int) -> Change:
    def change(picture: Image.Image, _: random.Random) -> Image.Image:
        hue, saturation, value = picture.convert("HSV").split()
        turned = hue.point(lambda level: (level + round(degrees * 256 / 360)) % 256)
        return Image.merge("HSV", (turned, saturation, value)).convert("RGB")

    return change


def cropped(share: float) -> Change:
    """Leaves out so much of either side, at a place of chance."""

    def change(picture: Image.Image, chance: random.Random) -> Image.Image:
        width, height = round(picture.width * (1 - share)), round(picture.height * (1 - share))
        left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
        return picture.crop((left, top, left + width, top + height))

    return change


def rotated(degrees: float) -> Change:
    """Turns a picture, and cuts the empty corners away, as editors do."""

    def change(picture: Image.Image, chance: random.Random) -> Image.Image:
        angle = degrees * chance.choice((-1, 1))
        turned = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        width, height = inside(picture.width, picture.height, math.radians(degrees))
        left, top = (turned.width - width) // 2, (turned.height - height) // 2
        return turned.crop((left, top, left + width, top + height))

    return change


def inside(width: int, height: int, angle: float) -> tuple[int, int]:
    """The largest upright rectangle of the same shape in one that is turned by a small angle."""
    sine, cosine = math.sin(angle), math.cos(angle)
    factor = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    return int(width * factor), int(height * factor)


def watermarked(picture: Image.Image, _: random.Random) -> Image.Image:
    """Writes across the middle, half transparent."""
    return _written(picture, "SAMPLE COPY", 0.5, 0.45, 0.11, opacity=0.45)


def titled(picture: Image.Image, _: random.Random) -> Image.Image:
    return _written(picture, "Summer Sale", 0.5, 0.85, 0.08, opacity=1.0)


def bordered(picture: Image.Image, _: random.Random) -> Image.Image:
    return ImageOps.expand(picture, round(min(picture.size) * 0.05), "white")


def _written(picture: Image.Image, text: str, x: float, y: float, size: float, *, opacity: float) -> Image.Image:
    layer = Image.new("L", picture.size, 0)
    font = ImageFont.load_default(max(8, round(picture.width * size)))
    place = (picture.width * x, picture.height * y)
    ImageDraw.Draw(layer).text(place, text, fill=round(255 * opacity), font=font, anchor="mm")
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, layer)


MILD: dict[str, Change] = {
    "JPEG, quality 50": encoded("JPEG", 50),
    "JPEG, quality 20": encoded("JPEG", 20),
    "WebP, quality 50": encoded("WEBP", 50),
    "half the size": scaled(0.5),
    "a quarter of the size": scaled(0.25),
    "twice the size": scaled(2),
    "blur": lambda picture, _: picture.filter(ImageFilter.GaussianBlur(2)),
    "noise": noisy,
    "sharpened": lambda picture, _: picture.filter(ImageFilter.UnsharpMask(2, 150, 3)),
    "brighter, x 1.2": lambda picture, _: ImageEnhance.Brightness(picture).enhance(1.2),
    "darker, x 0.7": lambda picture, _: ImageEnhance.Brightness(picture).enhance(0.7),
    "contrast x 1.3": lambda picture, _: ImageEnhance.Contrast(picture).enhance(1.3),
    "gray": lambda picture, _: picture.convert("L").convert("RGB"),
    "hue + 20°": hue_turned(20),
    "crop of 2 %": cropped(0.02),
}
OTHER: dict[str, Change] = {
    "crop of 5 %": cropped(0.05),
    "crop of 10 %": cropped(0.10),
    "turned by 1°": rotated(1),
    "turned by 3°": rotated(3),
    "mirrored": lambda picture, _: ImageOps.mirror(picture),
    "mirrored, JPEG 60": lambda picture, chance: encoded("JPEG", 60)(ImageOps.mirror(picture), chance),
    "watermark across": watermarked,
    "title": titled,
    "white border of 5 %": bordered,
    "hue + 90°": hue_turned(90),
}
