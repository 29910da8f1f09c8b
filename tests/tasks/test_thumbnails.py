import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from tasks.thumbnails import LONG_SIDE_PX, thumbnail_of


@pytest.mark.parametrize(
    ("size_px", "expected_px"), [((1600, 800), (512, 256)), ((800, 1600), (256, 512)), ((30, 20), (30, 20))]
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


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was_held(turn: int) -> None:
    """All eight ways of EXIF, as Pillow itself turns them."""
    picture = Image.new("RGB", (64, 32), "navy")
    picture.paste("orange", (0, 0, 16, 16))
    picture.getexif()[ExifTags.Base.Orientation] = turn

    with Image.open(io.BytesIO(thumbnail_of(picture))) as thumbnail:
        upright = ImageOps.exif_transpose(picture)
        assert thumbnail.size == upright.size
        assert np.abs(np.asarray(thumbnail).astype(int) - np.asarray(upright)).mean() < 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_odd_metadata_does_not_keep_a_picture_from_being_shown() -> None:
    """What a stranger's file says beside the picture is not ours to repair."""
    picture = Image.new("RGB", (64, 32), "navy")
    for exif in (b"Exif\0\0no TIFF", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b""):
        picture.info["exif"] = exif
        picture._exif = None  # Pillow keeps what it has read before
        assert thumbnail_of(picture).startswith(b"\xff\xd8")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_a_large_picture_of_any_mode_is_shrunk(mode: str) -> None:
    """Colours survive in modes that cannot be averaged as they are."""
    picture = Image.new("L", (2000, 1000), 200).convert("I").convert("I;16") if mode == "I;16" else None
    picture = picture or Image.new("RGB", (2000, 1000), "white").convert(mode)

    with Image.open(io.BytesIO(thumbnail_of(picture))) as thumbnail:
        assert thumbnail.size == (512, 256)
        assert np.asarray(thumbnail).min() > 150
