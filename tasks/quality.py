"""How good a picture is, as far as arithmetic can tell: four figures of its luma, and the flags that follow.

Everything but sharpness comes from the histogram. A flat picture is no failure: it was paid for and may be what was
asked for. But it is what a provider may send in the place of a picture that its moderation holds back.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.measured import PictureFlag, Quality
from tasks.near import over_white

MOST_PIXELS = 0.98
"""A flat picture may have a few words on it."""

FLAT_RANGE_LEVELS = 6
"""Most pixels lie within so many of 256 levels. Placeholders, also with words and as JPEG or WebP: 0. A gradient that
one can just see: 9. Photographs blurred beyond recognition: 60 and more; photographs and drawings: 76 and more."""

BLACK_LEVEL = 16

_DIGITS = 4
_ROWS_AT_ONCE = 64
"""So few stay in the processor's cache."""

Counts = NDArray[np.float64]
"""Shape (256,): how many pixels have each level of luma."""


class Look(NamedTuple):
    """What is found out about how a picture looks."""

    quality: Quality
    flags: tuple[PictureFlag, ...]


def look_of(picture: Image.Image) -> Look:
    """Measures a decoded picture; transparency is seen over white."""
    luma = over_white(picture).convert("L")
    counts = np.array(luma.histogram(), dtype=np.float64)
    shares = counts / counts.sum()
    levels = np.arange(256)
    variance = float(shares @ levels**2 - (shares @ levels) ** 2)
    present = shares[shares > 0]
    quality = Quality(
        sharpness=round(sharpness_of(np.asarray(luma)), _DIGITS),
        contrast=round(max(0.0, variance) ** 0.5 / 255, _DIGITS),
        clipped_share=round(float(shares[0] + shares[255]), _DIGITS),
        entropy_bits=round(max(0.0, float(-(present @ np.log2(present)))), _DIGITS),
    )
    return Look(quality, flags_of(counts))


def flags_of(counts: Counts) -> tuple[PictureFlag, ...]:
    """Says what a person should look at."""
    below = np.cumsum(counts) / counts.sum()
    darkest, brightest = np.searchsorted(below, ((1 - MOST_PIXELS) / 2, (1 + MOST_PIXELS) / 2)).tolist()
    if brightest - darkest > FLAT_RANGE_LEVELS:
        return ()
    return ("flat", "black") if brightest <= BLACK_LEVEL else ("flat",)


def sharpness_of(luma: NDArray[np.uint8]) -> float:
    """Computes the variance of the Laplacian (4 neighbours), in squared levels; 0 where there are no neighbours.

    Args:
        luma: Shape (height, width).
    """
    height_px, width_px = luma.shape
    if min(height_px, width_px) < 3:
        return 0.0
    inner = (height_px - 2) * (width_px - 2)
    mean = _sum_of_edges(luma) / inner
    return float(max(0.0, _sum_of_squared_edges(luma) / inner - mean**2))


def _sum_of_edges(luma: NDArray[np.uint8]) -> int:
    """Adds up the Laplacian: all but the outermost pixels and their neighbours cancel out."""
    inside = (luma[1, 1:-1], luma[-2, 1:-1], luma[1:-1, 1], luma[1:-1, -2])
    outside = (luma[0, 1:-1], luma[-1, 1:-1], luma[1:-1, 0], luma[1:-1, -1])
    return sum(int(line.sum()) for line in inside) - sum(int(line.sum()) for line in outside)


def _sum_of_squared_edges(luma: NDArray[np.uint8]) -> float:
    """Adds up the squares of the Laplacian, in one long line of pixels, whose neighbours are as far off everywhere."""
    width_px = luma.shape[1]
    line = luma.astype(np.int16).ravel()
    total = 0.0
    for start in range(width_px, line.size - width_px, _ROWS_AT_ONCE * width_px):
        end = min(start + _ROWS_AT_ONCE * width_px, line.size - width_px)
        edges = 4 * line[start:end]
        for step in (-1, 1, -width_px, width_px):
            edges -= line[start + step : end + step]
        inner = edges.reshape(-1, width_px)[:, 1:-1].astype(np.float32).ravel()
        total += float(inner @ inner)
    return total
