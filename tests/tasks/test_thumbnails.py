import io

import numpy as np
import pytest
from PIL import Image

from tasks.thumbnails import LONG_SIDE_PX, thumbnail_of


@pytest.mark.parametrize(
    ("size_px", "expected_px"), [((1600, 800), (480, 240)), ((800, 1600), (240, 480)), ((30, 20), (30, 20))]
)
def test_a_thumbnail_is_a_jpeg_of_bounded_size(size_px: tuple[int, int], expected_px: tuple[int, int]) -> None:
    """The long side is bounded, the shape is kept, and small pictures are not blown up."""
    thumbnail = thumbnail_of(Image.new("RGB", size_px, "orange"))

    with Image.open(io.BytesIO(thumbnail)) as picture:
        assert (picture.format, picture.size) == ("JPEG", expected_px)
    assert max(expected_px) <= LONG_SIDE_PX


def test_a_transparent_picture_gets_a_dark_ground() -> None:
    """JPEG has no transparency: what is clear shows the page's darkness, not garbage."""
    thumbnail = thumbnail_of(Image.new("RGBA", (8, 8), (255, 255, 255, 0)))

    with Image.open(io.BytesIO(thumbnail)) as picture:
        assert np.asarray(picture).max() < 40


def test_the_picture_itself_stays_as_it_is() -> None:
    """The same open picture is fingerprinted after: making its thumbnail must not shrink it."""
    picture = Image.new("RGB", (1000, 600), "navy")

    thumbnail_of(picture)

    assert picture.size == (1000, 600)
