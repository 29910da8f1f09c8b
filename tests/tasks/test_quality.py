from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from tasks.measured import Quality
from tasks.quality import look_of, sharpness_of

MakePicture = Callable[..., Image.Image]
PHOTOGRAPHS = sorted((Path(__file__).parents[2] / "deployments" / "briefs" / "photographs").glob("*.jpg"))


def plain_sharpness(luma: np.ndarray) -> float:
    """The variance of the Laplacian, as a textbook writes it."""
    luma = luma.astype(np.float64)
    inner = 4 * luma[1:-1, 1:-1]
    return float((inner - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]).var())


@given(st.integers(3, 80), st.integers(3, 40), st.integers(0, 9))
def test_sharpness_is_the_variance_of_the_laplacian(height_px: int, width_px: int, seed: int) -> None:
    """A few rows at once give what all rows together give, whatever the height."""
    luma = np.random.default_rng(seed).integers(0, 256, (height_px, width_px), dtype=np.uint8)

    assert sharpness_of(luma) == pytest.approx(plain_sharpness(luma), rel=1e-4)


@pytest.mark.parametrize("size_px", [(1, 1), (2, 50), (50, 2)])
def test_a_picture_without_inner_pixels_is_not_sharp(size_px: tuple[int, int]) -> None:
    """There is nothing to compare; it is a picture all the same."""
    assert look_of(Image.new("RGB", size_px, "teal")).quality.sharpness == 0


def test_figures_of_pictures_that_one_can_compute_by_hand() -> None:
    """Half black and half white: everything clipped, one bit per pixel, the most contrast there is."""
    halves = Image.new("L", (64, 64), 0)
    halves.paste(255, (32, 0, 64, 64))

    quality = look_of(halves).quality
    assert (quality.contrast, quality.clipped_share, quality.entropy_bits) == (0.5, 1.0, 1.0)
    assert look_of(Image.new("RGB", (9, 9), (100, 100, 100))).quality == Quality(
        sharpness=0, contrast=0, clipped_share=0, entropy_bits=0
    )


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_a_blurred_photograph_is_less_sharp_and_not_flat(path: Path) -> None:
    """The figure falls as one blurs; even blurred beyond recognition a photograph is not taken for a placeholder."""
    with Image.open(path) as photograph:
        blurred = [photograph.filter(ImageFilter.GaussianBlur(radius_px)) for radius_px in (0, 1, 4, 60)]
    looks = [look_of(each) for each in blurred]

    assert [look.flags for look in looks] == [()] * 4
    sharpness = [look.quality.sharpness for look in looks]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 10 * sharpness[2]


@pytest.mark.parametrize(
    ("colour", "flags"),
    [("black", ("flat", "black")), ("#0a0a0a", ("flat", "black")), ("#333333", ("flat",)), ("white", ("flat",))],
)
def test_a_placeholder_with_words_on_it_is_flat(colour: str, flags: tuple[str, ...]) -> None:
    """Where moderation holds a picture back, a provider may send one colour, perhaps with a sentence."""
    placeholder = Image.new("RGB", (512, 512), colour)
    ImageDraw.Draw(placeholder).text((150, 250), "Content moderated", fill="gray", font_size=24)

    assert look_of(placeholder).flags == flags


def test_a_faint_gradient_is_a_picture() -> None:
    """Fog, a wall, an evening sky: few levels, and something to see."""
    ramp = np.repeat(np.linspace(100, 110, 256).astype(np.uint8)[:, None], 256, axis=1)

    assert look_of(Image.fromarray(ramp)).flags == ()


def test_transparency_is_seen_over_white() -> None:
    """What cannot be seen is no darkness."""
    assert look_of(Image.new("RGBA", (32, 32), (0, 0, 0, 0))).flags == ("flat",)


def test_any_mode_can_be_measured(make_picture: MakePicture) -> None:
    """Gray, palette and print colours."""
    for mode in ("1", "L", "P", "CMYK", "LA"):
        assert look_of(make_picture().convert(mode)).flags == ()
