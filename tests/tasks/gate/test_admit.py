import pickle
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blocks.errors import BadPicture, WrongPicture
from blocks.provider import PictureRequest
from tasks.checks import examine
from tasks.gate import admit as module
from tasks.gate.admit import Expected, admit
from tasks.gate.refusal import Refusal
from tests.tasks.gate.files import JPEG, LOSSLESS, PNG, SIDE_PX, WEBP, encoded, header, png_of, scene
from tests.tasks.gate.spoilt import GOOD, SPOILT, Spoilt

ANYTHING = Expected()


def refusal(data: bytes, expected: Expected = ANYTHING) -> str | None:
    with pytest.raises(BadPicture) as caught:
        admit(data, expected, "The picture of shot 1")
    assert str(caught.value).startswith("The picture of shot 1 ")
    return caught.value.reason


def test_the_matrix_is_complete() -> None:
    """32 ways to spoil a picture, each another one; three of them no decoder can see."""
    assert len({spoilt.data for spoilt in SPOILT}) == 32
    assert sum(spoilt.refusal is None for spoilt in SPOILT) == 3


@pytest.mark.parametrize("spoilt", [each for each in SPOILT if each.refusal], ids=lambda each: each.name)
def test_a_spoilt_file_is_refused_with_its_reason(spoilt: Spoilt) -> None:
    """Nothing that was cut, damaged, added to or exchanged on the way is kept as a picture."""
    assert refusal(spoilt.data) == spoilt.refusal


@pytest.mark.parametrize("spoilt", [each for each in SPOILT if not each.refusal], ids=lambda each: each.name)
def test_what_no_decoder_can_see_passes_with_other_pixels(spoilt: Spoilt) -> None:
    """JPEG and WebP carry no sums: a turned bit is another picture of the same size. Only a recorded hash can tell."""
    good = GOOD[spoilt.name.partition(",")[0]]

    assert admit(spoilt.data, ANYTHING, "x").checks.pixels_blake3 != admit(good, ANYTHING, "x").checks.pixels_blake3


@pytest.mark.parametrize("name", GOOD)
def test_good_pictures_pass_as_one_decode_finds_them(name: str) -> None:
    """The gate adds to what a plain examination says only whether there are content credentials."""
    examined = examine(GOOD[name], "x")
    checks = examined.checks.model_copy(update={"content_credentials": "none"})

    admitted = admit(GOOD[name], ANYTHING, "x")
    assert admitted[:2] == (checks, examined.thumbnail)
    assert admitted.small.tobytes() == examined.small.tobytes()
    assert (checks.width_px, checks.height_px, checks.flags) == (SIDE_PX, SIDE_PX, ())


@pytest.mark.parametrize("colour", ["black", "gray", "white"])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_flat_picture_is_flagged_and_kept(colour: str, file_format: str) -> None:
    """It was paid for, and may be what was asked for; or moderation has put it there, so a person should look."""
    checks = admit(encoded(Image.new("RGB", (64, 64), colour), file_format), ANYTHING, "x").checks

    assert checks.flags == (("flat", "black") if colour == "black" else ("flat",))


@pytest.mark.parametrize("options", [{"optimize": True}, {"progressive": True}, {}], ids=str)
@pytest.mark.parametrize("colour", ["black", "white", "teal"])
def test_plain_areas_are_no_holes(options: dict[str, bool], colour: str) -> None:
    """A JPEG with tables of its own writes a plain area as hundreds of zero bytes, and is a good picture."""
    picture = Image.new("RGB", (2048, 1024), colour)
    picture.paste(scene(), (0, 0))
    data = encoded(picture, "JPEG", quality=90, **options)

    assert admit(data, ANYTHING, "x").checks.width_px == 2048
    if options.get("optimize"):
        assert bytes(512) in data


@pytest.mark.parametrize(
    ("expected", "reason", "said"),
    [
        ({"declared_type": "image/jpeg"}, Refusal.WRONG_DECLARED_TYPE, "is image/png, and was sent as image/jpeg."),
        ({"declared_type": "text/html"}, Refusal.WRONG_DECLARED_TYPE, "is image/png, and was sent as text/html."),
        ({"picture_format": "webp"}, Refusal.WRONG_FORMAT, "is image/png, where webp was asked for."),
        ({"width_px": 200}, Refusal.WRONG_SIZE, "has 192 x 192 pixels, where 200 x 192 were asked for."),
        (
            {"width_px": 1024, "height_px": 768},
            Refusal.WRONG_SIZE,
            "has 192 x 192 pixels, where 1024 x 768 were asked for.",
        ),
    ],
)
def test_a_picture_that_was_not_asked_for_is_refused(expected: dict[str, object], reason: Refusal, said: str) -> None:
    """It is whole, so it is not downloaded again; the error says so by its class, also after a journey."""
    with pytest.raises(WrongPicture) as caught:
        admit(PNG, Expected.model_validate(expected), "The picture")

    travelled = pickle.loads(pickle.dumps(caught.value))
    assert (travelled.reason, str(travelled)) == (reason, f"The picture {said}")


def test_damage_is_told_before_a_wrong_size() -> None:
    """Half a picture of the wrong size is half a picture: it is downloaded again."""
    assert refusal(PNG[:-1], Expected(width_px=1)) == Refusal.CUT_SHORT


@pytest.mark.parametrize(
    ("data", "declared_type"),
    [
        (PNG, None),
        (PNG, "image/png"),
        (PNG, "image/x-png"),
        (PNG, "application/octet-stream"),
        (PNG, "binary/octet-stream"),
        (JPEG, "image/jpg"),
        (WEBP, "image/webp"),
    ],
)
def test_honest_and_silent_servers_are_believed(data: bytes, declared_type: str | None) -> None:
    """The right type, another of its names, or none at all: stores of objects often do not know what they hold."""
    assert admit(data, Expected(declared_type=declared_type), "x").checks.size_bytes == len(data)


def test_what_is_expected_comes_from_the_request() -> None:
    """What a request leaves open is not held against the picture."""
    open_request = PictureRequest(model="m", prompt="a mug", seed=1)
    closed = open_request.model_copy(update={"output_format": "png", "width_px": 128, "height_px": 256})

    assert Expected.of(open_request, None) == Expected()
    assert Expected.of(closed, "image/png") == Expected(
        declared_type="image/png", picture_format="png", width_px=128, height_px=256
    )


def test_a_file_without_end_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a caller lets through, memory has a bound."""
    monkeypatch.setattr(module, "MAX_SIZE_BYTES", len(PNG) - 1)

    assert refusal(PNG) == Refusal.TOO_LARGE


def test_a_header_without_pixels_is_refused() -> None:
    """A picture has at least one pixel."""
    assert refusal(png_of(header(0, 5), PNG[33:])) == Refusal.DAMAGED


@given(st.sampled_from([PNG, JPEG, WEBP, LOSSLESS]), st.floats(0, 1, exclude_max=True))
def test_a_truncated_picture_never_passes(data: bytes, kept: float) -> None:
    """Wherever a transfer breaks off, what has come is not taken for the picture."""
    assert refusal(data[: int(len(data) * kept)]) in {Refusal.CUT_SHORT, Refusal.EMPTY, Refusal.UNKNOWN_TYPE}


TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
SMALL = [
    encoded(scene().resize((24, 16)), file_format, **options)
    for file_format, options in (
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        (
            "WEBP",
            {"lossless": True, "exif": TURNED},
        ),
    )
]
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6), st.integers(0, 6)), max_size=6)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SMALL), CHANGES)
def test_damaged_bytes_raise_only_the_gates_own_error(data: bytes, changes: list[tuple[float, bytes, int]]) -> None:
    """Whatever is overwritten, put in or left out: a picture with its facts, or the one error that says why not."""
    for place, patch, removed in changes:
        at = int(place * len(data))
        data = data[:at] + patch + data[at + removed :]
    _passes_or_is_refused(data)


@settings(deadline=None)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP"]), st.binary(max_size=64))
def test_any_bytes_raise_only_the_gates_own_error(start: bytes, rest: bytes) -> None:
    """No bytes at all bring the gate down."""
    _passes_or_is_refused(start + rest)


def _passes_or_is_refused(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as it is outside of tests: Pillow warns of odd metadata
        try:
            checks = admit(data, ANYTHING, "x").checks
        except BadPicture as error:
            reason, pixels = error.reason, 0
        else:
            reason, pixels = None, checks.width_px * checks.height_px
    assert (reason in set(Refusal)) != (pixels > 0)
