"""How far an edit went from the picture that it was made of: how much changed, where, and whether the colours drifted.

Both pictures are seen in CIELAB at 256 pixels, slightly blurred, so that grain and re-encoding average out, and each
place is held against its neighbours too, because klein may move a picture by a few pixels. klein is also known to tint
a whole picture beside what it was asked for: one shift of all colours that most of the picture shares is therefore no
change of each place. It is taken out first, and told apart as `color_shift`.

Measured on 15 sandbox pictures and photographs of 512 pixels and more: JPEG of quality 85, WebP of quality 80 and noise
of sigma 4 change 0.02 % at most, and shift the colours by 0.3 at most; a move by 4 pixels of 1024 changes 1.3 % of a
sandbox picture; a corner of 6.25 % that is painted over changes 6.6 %; a tint of Delta E 5 changes nothing, and is
found as a shift of 4.6 to 6.7; two other pictures differ by 90 % and more. Saturated details in JPEGs of 128 pixels,
whose colours are stored at half the size, count as up to 6 %. With the decode of the parent it takes 0.8 to 1.0 times
the processor time that the examination of the edit takes anyway (1024 x 1024, PNG, JPEG and WebP).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from tasks.measured import Drift
from tasks.near import over_white

SIDE_PX = 256
"""Long side at which two pictures are compared; smaller ones are compared at their own size."""

BLUR_PX = 1.0

CHANGED_DELTA_E = 6.0
"""What differs by more than this has changed."""

TINT_DELTA_E = 15.0
"""A shift of all colours beyond this is no tint any more: somebody asked for another light, or another picture."""

TINTED_SHARE = 0.5
"""A tint explains at least so much of a picture; otherwise something large has another colour, and the rest has not."""

STRONG_DELTA_E = 40.0
"""From here on a place is drawn as wholly different."""

PLACES = 16
_DIGITS = 4
_NEIGHBOURS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))

Lab = NDArray[np.float32]
"""Shape (height, width, 3): lightness 0 to 100, and two axes of colour around 0."""

DeltaE = NDArray[np.float32]
"""Shape (height, width): distances of CIE 1976, of which one can just see 2.3 side by side."""


def drift_between(parent: Image.Image, edited: Image.Image) -> Drift:
    """Measures how far an edit went. CPU work: call it in a thread.

    Where the two have different shapes, the parent is both stretched and cut to the shape of the edit, in the middle,
    and the way that explains more counts: providers do either.

    Args:
        parent: The picture that was edited; what `small_of` made of it is enough.
        edited: What came of it; likewise.
    """
    after = small_of(edited, max(small_of(parent).size))
    before = small_of(parent, max(after.size))
    seen = lab_of(after)
    ways = [lab_of(each) for each in _in_shape(before, after.size)]
    return min((_drift(each, seen) for each in ways), key=lambda drift: drift.mean_change)


def small_of(picture: Image.Image, side_px: int = SIDE_PX) -> Image.Image:
    """Makes the copy of a picture that drift is measured on: RGB, transparency over white, 256 pixels at most."""
    flat = over_white(picture).convert("RGB")
    factor = max(flat.size) // side_px
    reduced = flat.reduce(factor) if factor > 1 else flat
    if max(reduced.size) <= side_px:
        return reduced
    return ImageOps.contain(reduced, (side_px, side_px), Image.Resampling.BOX)


def lab_of(picture: Image.Image) -> Lab:
    """Sees an RGB picture (sRGB, D65) in CIELAB, slightly blurred."""
    rgb = _linear_light()[np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR_PX)))]
    xyz = rgb @ _rgb_to_xyz()
    root = np.where(xyz > 0.008856, np.cbrt(xyz), xyz * 7.787 + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    lab: Lab = np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1).astype(np.float32)
    return lab


def _in_shape(picture: Image.Image, size: tuple[int, int]) -> list[Image.Image]:
    if picture.size == size:
        return [picture]
    stretched = picture.resize(size, Image.Resampling.BOX)
    return [stretched, ImageOps.fit(picture, size, Image.Resampling.BOX)]


def _drift(before: Lab, after: Lab) -> Drift:
    difference = after - before
    apart = _without_tint(before, after, np.median(difference.reshape(-1, 3), axis=0))
    changed = apart > CHANGED_DELTA_E
    same = difference[~changed]
    return Drift(
        changed_share=round(float(changed.mean()), _DIGITS),
        mean_change=round(min(1.0, float(_lengths(difference).mean()) / 100), _DIGITS),
        color_shift=round(float(_lengths(same.mean(axis=0))), 2) if len(same) else 0.0,
        places=_places(np.where(changed, apart, np.float32(0))),
    )


def _without_tint(before: Lab, after: Lab, tint: NDArray[np.float32]) -> DeltaE:
    """Says how far apart each place is, but for a shift of all colours that most of the picture shares."""
    untinted = after - tint
    explained = float((_lengths(untinted - before) <= CHANGED_DELTA_E).mean())
    is_tint = _lengths(tint) <= TINT_DELTA_E and explained >= TINTED_SHARE
    return _apart(before, untinted if is_tint else after)


def _apart(before: Lab, after: Lab) -> DeltaE:
    """Holds each place against its nearest match among its neighbours, there and back: what appeared, what is gone."""
    there = np.full(before.shape[:2], np.inf, dtype=np.float32)
    back = there.copy()
    for down, right in _NEIGHBOURS:
        here, moved = _overlap(down, right), _overlap(-down, -right)
        distances = _lengths(after[here] - before[moved])
        np.minimum(there[here], distances, out=there[here])
        np.minimum(back[moved], distances, out=back[moved])
    return np.maximum(there, back)


def _overlap(down: int, right: int) -> tuple[slice, slice]:
    """What of a picture still lies on itself when it is moved by so many pixels."""
    return slice(max(0, down), min(0, down) or None), slice(max(0, right), min(0, right) or None)


def _places(changes: DeltaE) -> str:
    """Draws the map of 16 x 16 places: how much of each changed, and how strongly."""
    strength = np.minimum(changes / STRONG_DELTA_E, 1)
    small = Image.fromarray(strength).resize((PLACES, PLACES), Image.Resampling.BOX)
    return (np.asarray(small) * 255).round().clip(0, 255).astype(np.uint8).tobytes().hex()


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return lengths


@cache
def _linear_light() -> NDArray[np.float32]:
    """The light of each of 256 levels of sRGB."""
    levels = np.arange(256) / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@cache
def _rgb_to_xyz() -> NDArray[np.float32]:
    """Linear sRGB to XYZ, in shares of the white point, to multiply from the right."""
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    shares: NDArray[np.float32] = (matrix / matrix.sum(axis=1, keepdims=True)).T.astype(np.float32)
    return shares
