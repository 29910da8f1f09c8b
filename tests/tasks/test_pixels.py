import hashlib
import io
from collections.abc import Callable

import pytest
from blake3 import blake3
from PIL import Image

from tasks.pixels import pixels_blake3, pixels_sha256

MakePicture = Callable[..., Image.Image]
Encode = Callable[..., bytes]


def reread(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_the_rule_is_the_documented_one() -> None:
    """Any other program can compute it: a line with mode and size, then the bytes of the pixels."""
    picture = Image.new("RGB", (2, 1))
    picture.putpixel((1, 0), (1, 2, 3))

    hashed = b"RGB 2x1\n\x00\x00\x00\x01\x02\x03"
    assert pixels_blake3(picture) == blake3(hashed).hexdigest()
    assert pixels_sha256(picture) == hashlib.sha256(hashed).hexdigest()


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {"compress_level": 1}), ("PNG", {"dpi": (300, 300)}), ("WEBP", {"lossless": True})],
)
def test_the_same_pixels_in_other_bytes_are_the_same(
    make_picture: MakePicture, encode: Encode, file_format: str, options: dict[str, object]
) -> None:
    """Another compression, other metadata, another lossless format."""
    picture = make_picture()

    assert pixels_blake3(reread(encode(picture, file_format, **options))) == pixels_blake3(picture)


def test_one_level_of_one_pixel_is_another_picture(make_picture: MakePicture) -> None:
    """The hash is exact; what is merely alike has a fingerprint."""
    picture = make_picture()
    red, green, blue = picture.getpixel((5, 5))  # type: ignore[misc]  # three channels in RGB
    other = picture.copy()
    other.putpixel((5, 5), (red ^ 1, green, blue))

    assert pixels_blake3(other) != pixels_blake3(picture)


def test_shape_and_transparency_count() -> None:
    """The same bytes in another shape, or behind glass, are another picture."""
    pictures = [
        Image.new("RGB", (4, 2)),
        Image.new("RGB", (2, 4)),
        Image.new("RGBA", (4, 2), (0, 0, 0, 255)),
        Image.new("RGBA", (4, 2), (0, 0, 0, 0)),
    ]
    assert len({pixels_blake3(picture) for picture in pictures}) == 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_any_mode_is_seen_as_colours(make_picture: MakePicture, mode: str) -> None:
    """How a file counts its colours is not what is seen."""
    picture = make_picture().convert(mode)

    assert pixels_blake3(picture) == pixels_blake3(picture.convert("RGB"))
