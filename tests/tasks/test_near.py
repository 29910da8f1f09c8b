from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, as_words, distances_bits, fingerprint

PHOTOGRAPHS = Path(__file__).parents[2] / "deployments" / "briefs" / "photographs"
FINGERPRINTS = st.integers(0, 2**FINGERPRINT_BITS - 1).map("{:048x}".format)

MakePicture = Callable[..., Image.Image]


def distance_bits(one: str, other: str) -> int:
    return int(distances_bits(as_words([one])[0], as_words([other]))[0])


@pytest.mark.parametrize(
    ("size_px", "factor"), [((320, 240), 1), ((768, 512), 4), ((1000, 700), 5), ((90, 300), 1), ((1, 1), 1)]
)
def test_each_part_is_what_imagehash_says(make_picture: MakePicture, size_px: tuple[int, int], factor: int) -> None:
    """Three well-known hashes of 64 bits, of the picture made small and gray: any other tool can check them."""
    picture = make_picture(1, size_px)
    gray = picture.reduce(factor).convert("L")

    assert fingerprint(picture) == "".join(
        str(part) for part in (imagehash.phash(gray), imagehash.dhash(gray), imagehash.dhash_vertical(gray))
    )


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("cat.jpg", "b15fe6465121175e5414589aab6fa785d9af4a73b4f354ee"),
        ("coffee.jpg", "bb8320376c0f3637f3e96933160b1b36fc859ac0000dc1db"),
        ("rocket.jpg", "c0371bec1be51267e0c0c090909090d1ffffffffffff680c"),
    ],
)
def test_fingerprints_of_photographs_stay_the_same(name: str, pinned: str) -> None:
    """Archives hold fingerprints for years; a new way to decode or to shrink may move a bit or two, and no more."""
    with Image.open(PHOTOGRAPHS / name) as picture:
        assert distance_bits(fingerprint(picture), pinned) <= 2


def test_transparency_is_seen_over_white(make_picture: MakePicture) -> None:
    """A cut-out looks as it does on a white page, whatever colour hides behind what cannot be seen."""
    picture = make_picture(2)
    mask = Image.new("L", picture.size, 0)
    mask.paste(255, (80, 60, 240, 180))
    on_white = Image.composite(picture, Image.new("RGB", picture.size, "white"), mask)
    hidden_black = Image.composite(picture, Image.new("RGB", picture.size, "black"), mask)
    picture.putalpha(mask)
    hidden_black.putalpha(mask)

    assert fingerprint(picture) == fingerprint(hidden_black) == fingerprint(on_white)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "RGBA"])
def test_any_mode_has_a_fingerprint(make_picture: MakePicture, mode: str) -> None:
    """The same picture in another mode of colour is the same picture, give or take its grain."""
    gray = make_picture(3).convert("L")
    picture = gray.convert("I").convert("I;16") if mode == "I;16" else gray.convert(mode)

    assert distance_bits(fingerprint(picture), fingerprint(gray)) <= 20


def test_a_picture_is_near_itself_and_far_from_others(make_picture: MakePicture) -> None:
    """Another size, a little light or a little blur is the same picture; another picture is another."""
    picture = make_picture(4, (640, 480))
    alike = [
        picture.resize((512, 384)),
        picture.point(lambda value: min(255, value + 6)),
        picture.reduce(2).resize(picture.size),
    ]

    assert all(distance_bits(fingerprint(picture), fingerprint(other)) <= THRESHOLD_BITS["strict"] for other in alike)
    assert distance_bits(fingerprint(picture), fingerprint(make_picture(6, (640, 480)))) > THRESHOLD_BITS["loose"]


@given(FINGERPRINTS, st.lists(FINGERPRINTS, max_size=20))
def test_distance_is_the_number_of_differing_bits(one: str, many: list[str]) -> None:
    """The fast way counts the very bits that a slow way counts."""
    counted = distances_bits(as_words([one])[0], as_words(many))

    assert counted.tolist() == [(int(one, 16) ^ int(other, 16)).bit_count() for other in many]


def test_words_keep_every_bit() -> None:
    """48 hexadecimal digits become three words, the first digit the highest; nothing becomes an empty table."""
    words = as_words(["0123456789abcdef" + "fedcba9876543210" + "8000000000000001"])

    assert words.dtype == np.uint64
    assert words.tolist() == [[0x0123456789ABCDEF, 0xFEDCBA9876543210, 0x8000000000000001]]
    assert as_words([]).shape == (0, 3)


def test_thresholds_grow_from_strict_to_loose() -> None:
    """The names mean what they say."""
    assert 0 < THRESHOLD_BITS["strict"] < THRESHOLD_BITS["normal"] < THRESHOLD_BITS["loose"] < FINGERPRINT_BITS / 2
