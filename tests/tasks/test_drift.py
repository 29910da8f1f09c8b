"""What counts as a change of a picture, where it is, and what is only a tint, noise or another encoding."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import render
from tasks.drift import PLACES, SIDE_PX, drift_between, lab_of, small_of

SIZE_PX = (768, 512)
JUST_SEEN = 2.3


def drawn(prompt: str = "a red teapot on a linen cloth", seed: int = 1, size_px: tuple[int, int] = SIZE_PX) -> bytes:
    """The file of a sandbox picture."""
    return render(Recipe(prompt=prompt, seed=seed, width_px=size_px[0], height_px=size_px[1]), [])


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A sandbox picture, with grain."""
    return opened(drawn())


def encoded(picture: Image.Image, file_format: str, **options: Any) -> Image.Image:
    with io.BytesIO() as file:
        picture.save(file, file_format, **options)
        return opened(file.getvalue())


def noisy(picture: Image.Image, sigma: float) -> Image.Image:
    levels = np.asarray(picture) + np.random.default_rng(7).normal(0, sigma, (*SIZE_PX[::-1], 3))
    return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))


def tinted(picture: Image.Image, levels: tuple[int, int, int]) -> Image.Image:
    shifted = np.asarray(picture).astype(int) + np.array(levels)
    return Image.fromarray(shifted.clip(0, 255).astype(np.uint8))


def covered(picture: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The picture with a part painted over; the box in shares of its sides."""
    copy = picture.copy()
    sides = (*picture.size, *picture.size)
    left, top, right, bottom = (round(share * side) for share, side in zip(box, sides, strict=True))
    ImageDraw.Draw(copy).rectangle((left, top, right - 1, bottom - 1), fill=(40, 220, 90))
    return copy


NOT_CHANGED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "nothing": lambda picture: picture,
    "JPEG 85": lambda picture: encoded(picture, "JPEG", quality=85),
    "WebP 80": lambda picture: encoded(picture, "WEBP", quality=80),
    "noise": lambda picture: noisy(picture, 2),
    "more noise": lambda picture: noisy(picture, 4),
    "half the size": lambda picture: picture.resize((SIZE_PX[0] // 2, SIZE_PX[1] // 2), Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize("how", NOT_CHANGED)
def test_what_one_does_not_see_is_no_change(picture: Image.Image, how: str) -> None:
    """Other bytes, grain and other sizes of the same picture are the same picture."""
    drift = drift_between(picture, NOT_CHANGED[how](picture))
    assert drift.changed_share < 0.001
    assert drift.color_shift < 0.5
    assert drift.mean_change < 0.02


def test_a_picture_has_not_gone_anywhere_from_itself(picture: Image.Image) -> None:
    """All figures are exactly zero."""
    drift = drift_between(picture, picture)
    assert (drift.changed_share, drift.mean_change, drift.color_shift) == (0, 0, 0)
    assert drift.places == "00" * PLACES**2


def test_a_corner_that_changed_is_found_there(picture: Image.Image) -> None:
    """The share is that of the corner, the map has it, and the rest of the picture has no tint of it."""
    drift = drift_between(picture, covered(picture, (0, 0, 0.25, 0.25)))
    assert drift.changed_share == pytest.approx(1 / 16, abs=0.01)
    assert drift.color_shift < 0.5
    places = np.frombuffer(bytes.fromhex(drift.places), np.uint8).reshape(PLACES, PLACES)
    assert places[:4, :4].min() > 128
    assert places[5:, :].max() == places[:, 5:].max() == 0


def test_a_tint_is_told_apart_from_change(picture: Image.Image) -> None:
    """A shift of all colours changes no place of the picture, and is named for what it is."""
    drift = drift_between(picture, tinted(picture, (4, 2, -8)))
    assert drift.changed_share == 0
    assert JUST_SEEN < drift.color_shift < 10


def test_a_tint_hides_no_change(picture: Image.Image) -> None:
    """A corner is found under a tint, and the tint beside the corner."""
    drift = drift_between(picture, covered(tinted(picture, (4, 2, -8)), (0, 0, 0.25, 0.25)))
    assert drift.changed_share == pytest.approx(1 / 16, abs=0.01)
    assert JUST_SEEN < drift.color_shift < 10


def test_another_background_is_a_change_and_no_tint() -> None:
    """The largest part of a picture takes another colour: it has changed, and what stands before it has not."""
    white = covered(Image.new("RGB", SIZE_PX, "white"), (0.3, 0.3, 0.7, 0.7))
    red = covered(Image.new("RGB", SIZE_PX, "red"), (0.3, 0.3, 0.7, 0.7))
    drift = drift_between(white, red)
    assert drift.changed_share == pytest.approx(1 - 0.4**2, abs=0.02)
    assert drift.color_shift == pytest.approx(0, abs=0.2)


def test_another_picture_has_changed_all_over(picture: Image.Image) -> None:
    """Two pictures that have nothing to do with each other differ nearly everywhere."""
    drift = drift_between(picture, opened(drawn("a city street at night, neon", 2)))
    assert drift.changed_share > 0.9
    assert drift.mean_change > 0.1


def test_black_against_white_is_the_most_that_can_change() -> None:
    """The mean is 1, and every place is wholly different."""
    drift = drift_between(Image.new("RGB", (64, 64), "black"), Image.new("RGB", (64, 64), "white"))
    assert (drift.changed_share, drift.color_shift) == (1, 0)
    assert drift.mean_change == pytest.approx(1, abs=0.001)
    assert drift.places == "ff" * PLACES**2


def test_a_move_by_a_few_pixels_is_hardly_a_change(picture: Image.Image) -> None:
    """Models may move a picture a little beside what it was asked for (krita-ai-diffusion #2326)."""
    drift = drift_between(picture, ImageChops.offset(picture, 3, 3))
    assert drift.changed_share < 0.03


@pytest.mark.parametrize("way", ["cut", "stretched"])
def test_another_shape_is_fitted_before_it_is_compared(picture: Image.Image, way: str) -> None:
    """A square edit of a wide picture is held against its middle, or against the whole picture made square."""
    middle = picture.crop((128, 0, 640, 512)) if way == "cut" else picture.resize((512, 512))
    assert drift_between(picture, middle).changed_share < 0.02
    assert drift_between(picture, covered(middle, (0.5, 0.5, 1, 1))).changed_share == pytest.approx(0.25, abs=0.03)


def test_the_small_copy_is_measured_as_the_picture_is(picture: Image.Image) -> None:
    """The decode that a picture has at ingest is enough: its small copy gives the same figures."""
    edited = covered(picture, (0.1, 0.2, 0.5, 0.4))
    assert max(small_of(picture).size) == SIDE_PX
    assert drift_between(small_of(picture), small_of(edited)) == drift_between(picture, edited)


def test_transparency_is_seen_over_white() -> None:
    """A picture whose ground was made transparent is what it was on a white page."""
    clear = Image.new("RGBA", (64, 64), (10, 20, 30, 0))
    assert drift_between(Image.new("RGB", (64, 64), "white"), clear).changed_share == 0


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_colours_are_those_of_cielab(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    """Known colours have their known places (sRGB, D65; Lindbloom's calculator)."""
    seen = lab_of(Image.new("RGB", (3, 3), rgb))
    assert seen[1, 1] == pytest.approx(np.array(lab), abs=0.05)


SIDES = st.integers(1, 40)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_any_two_pictures_can_be_held_against_each_other(
    width_px: int, height_px: int, other_width_px: int, other_height_px: int, seed: int
) -> None:
    """However small or oddly shaped they are, the figures keep their bounds, and the map has its 256 places."""
    random = np.random.default_rng(seed)
    one = Image.fromarray(random.integers(0, 256, (height_px, width_px, 3), np.uint8))
    other = Image.fromarray(random.integers(0, 256, (other_height_px, other_width_px, 3), np.uint8))
    assert len(drift_between(one, other).places) == 2 * PLACES**2
    assert drift_between(one, one).changed_share == 0


@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_there_and_back_is_equally_far(width_px: int, height_px: int, seed: int) -> None:
    """What appeared counts as what is gone: the figures do not depend on which of two pictures came first."""
    random = np.random.default_rng(seed)
    one = Image.fromarray(random.integers(0, 256, (height_px, width_px, 3), np.uint8))
    other = Image.blend(one, Image.new("RGB", one.size, "teal"), float(random.random()))
    there, back = drift_between(one, other), drift_between(other, one)
    assert there.changed_share == pytest.approx(back.changed_share, abs=0.01)
    assert (there.mean_change, there.color_shift) == pytest.approx((back.mean_change, back.color_shift), abs=0.02)
