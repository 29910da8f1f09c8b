import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from blocks.errors import BadPicture
from tasks.checks import decode_and_check
from tasks.measured import Checks
from tasks.near import fingerprint
from tasks.pixels import pixels_blake3
from tasks.quality import look_of
from tasks.signature import sign

PHOTOGRAPHS = Path(__file__).parents[2] / "deployments" / "briefs" / "photographs"

MakePicture = Callable[..., Image.Image]
Encode = Callable[..., bytes]


def refusal(data: bytes) -> str:
    with pytest.raises(BadPicture) as caught:
        decode_and_check(data, "picture 1 of job-7")
    return str(caught.value)


def png_of(width_px: int, height_px: int) -> bytes:
    """A PNG that says it is this large, and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("file_format", "media_type", "options"),
    [
        ("PNG", "image/png", {}),
        ("JPEG", "image/jpeg", {"quality": 90}),
        ("WEBP", "image/webp", {"lossless": True}),
        ("MPO", "image/jpeg", {"save_all": True, "append_images": [Image.new("RGB", (320, 240))]}),
    ],
)
def test_pictures_are_known_by_what_is_in_them(
    make_picture: MakePicture, encode: Encode, file_format: str, media_type: Any, options: dict[str, Any]
) -> None:
    """All facts come from the bytes, whatever a name or a header says."""
    data = encode(make_picture(1, (320, 240)), file_format, **options)
    with Image.open(io.BytesIO(data)) as picture:
        expected = Checks(
            media_type=media_type,
            width_px=320,
            height_px=240,
            size_bytes=len(data),
            fingerprint=fingerprint(picture),
            pixels_blake3=pixels_blake3(picture),
            signature=sign(picture),
            quality=look_of(picture).quality,
            flags=(),
            content_credentials=None,
        )

    assert decode_and_check(data, "x") == expected


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_any_mode_of_png_is_a_picture(make_picture: MakePicture, encode: Encode, mode: str) -> None:
    """Gray, palette and transparent pictures are pictures."""
    assert decode_and_check(encode(make_picture().convert(mode), "PNG"), "x").media_type == "image/png"


def test_photographs_of_the_demo_are_pictures() -> None:
    """Real photographs pass, with the size that any viewer shows."""
    found = {path.name: decode_and_check(path.read_bytes(), path.name) for path in PHOTOGRAPHS.glob("*.jpg")}

    assert {name: (checks.media_type, checks.width_px, checks.height_px) for name, checks in found.items()} == {
        "cat.jpg": ("image/jpeg", 451, 300),
        "coffee.jpg": ("image/jpeg", 512, 341),
        "rocket.jpg": ("image/jpeg", 512, 342),
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"This is a text with the name cup.png.\n" * 20,
        b"<!doctype html><html><body>Not found</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
        b'{"error": "expired"}',
        b"%PDF-1.7\n",
    ],
    ids=["empty", "signature alone", "text", "HTML", "SVG", "JSON", "PDF"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Nothing that is no PNG, JPEG or WebP is taken for one."""
    assert refusal(data) == "picture 1 of job-7 is no complete PNG, JPEG or WebP picture: cannot identify image file"


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused(make_picture: MakePicture, encode: Encode, file_format: str) -> None:
    """Formats that the providers never send are not even tried: fewer decoders, fewer surprises."""
    assert refusal(encode(make_picture(), file_format)).endswith("cannot identify image file")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_a_picture_that_is_cut_short_is_refused(
    make_picture: MakePicture, encode: Encode, file_format: str, kept: float
) -> None:
    """A download that broke off shows the upper half of a picture in many viewers, and is none."""
    data = encode(make_picture(), file_format)

    assert refusal(data[: int(len(data) * kept)]).startswith(
        "picture 1 of job-7 is no complete PNG, JPEG or WebP picture: "
    )


def test_a_flipped_byte_in_a_png_is_found(make_picture: MakePicture, encode: Encode) -> None:
    """A PNG carries its own sums: damage on the way does not pass."""
    data = bytearray(encode(make_picture(), "PNG"))
    data[len(data) // 2] ^= 0xFF

    assert refusal(bytes(data)).startswith("picture 1 of job-7 is no complete PNG, JPEG or WebP picture: ")


@pytest.mark.parametrize(
    ("width_px", "height_px", "said"),
    [
        (8001, 8000, "has 8001 x 8000 pixels, more than any picture of ours."),
        (10_000, 10_000, "has 10000 x 10000 pixels, more than any picture of ours."),
        (60_000, 60_000, "has more pixels than any picture of ours."),
    ],
)
def test_a_bomb_is_refused_before_it_is_decoded(width_px: int, height_px: int, said: str) -> None:
    """A few bytes can stand for gigabytes of pixels: the size that is declared is enough to refuse them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # as it is outside of tests
        assert refusal(png_of(width_px, height_px)) == f"picture 1 of job-7 {said}"


def test_messages_show_no_addresses(make_picture: MakePicture, encode: Encode) -> None:
    """What Pillow says of objects in memory helps nobody."""
    assert "<_io" not in refusal(b"no picture")
    assert "0x" not in refusal(b"no picture")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "MPO"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_damaged_bytes_never_raise_anything_but_bad_picture(
    make_picture: MakePicture, encode: Encode, file_format: str, changes: list[tuple[float, int]], kept: float
) -> None:
    """Whatever a server sends, the answer is a picture with its facts, or the one error that says it is none."""
    picture = make_picture(5, (40, 30))
    options = {"save_all": True, "append_images": [picture]} if file_format == "MPO" else {}
    data = bytearray(encode(picture, file_format, **options))
    for place, value in changes:
        data[int(place * len(data))] = value
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Image appears to be a malformed MPO file")
        try:
            found = decode_and_check(bytes(data[: int(len(data) * max(kept, 0.5))]), "x")
        except BadPicture:
            return
    assert found.width_px * found.height_px > 0
