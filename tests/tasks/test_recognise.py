import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from blocks.archive.archive import Archive, open_archive
from blocks.errors import BriefError
from tasks.checks import decode_and_check
from tasks.measured import VIEWS
from tasks.models import sha256_of
from tasks.near import THRESHOLD_BITS
from tasks.pixels import pixels_sha256
from tasks.recognise import MOST_LIKENESSES, Likeness, recognise
from tests.tasks.care.upkeep import ImageOf, keep

PICTURES = 8
Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(str(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def files(archive: Archive, image_of: ImageOf, make_picture: Draw, encode: Encode) -> Sequence[bytes]:
    """Pictures of all sorts in the archive."""
    made = [encode(make_picture(number), "PNG") for number in range(PICTURES)]
    for number, data in enumerate(made):
        checks = decode_and_check(data, "It")
        await keep(archive, image_of(sha256=sha256_of(data), shot_key=f"{number:064x}", checks=checks), data)
    return made


async def test_a_copy_without_its_metadata_has_the_same_pixels(
    archive: Archive, files: Sequence[bytes], make_picture: Draw, encode: Encode
) -> None:
    """Other bytes, and not one pixel changed: that is said, and is more than a likeness."""
    copy = encode(make_picture(3), "PNG", compress_level=1)
    assert copy not in files
    (first, *_) = await recognise(copy, "copy.png", archive.catalogue)

    assert first == Likeness(sha256=sha256_of(files[3]), distance_bits=0, has_same_pixels=True)


async def test_a_record_of_a_former_format_knows_its_pixels_too(
    archive: Archive, image_of: ImageOf, make_picture: Draw, encode: Encode
) -> None:
    """Records of formats 2 and 3 hashed them by another function: a copy of theirs is told as exactly."""
    picture, other = make_picture(3), make_picture(3).copy()
    other.putpixel((5, 5), (0, 0, 0))
    data = encode(picture, "PNG")
    checks = decode_and_check(data, "It")
    as_before = checks.model_copy(update={"pixels_blake3": None, "pixels_sha256": pixels_sha256(picture)})
    await keep(archive, image_of(sha256=sha256_of(data), checks=as_before), data)
    copies = [encode(each, "PNG", compress_level=1) for each in (picture, other)]
    found = [await recognise(copy, "copy.png", archive.catalogue) for copy in copies]

    assert [(each.sha256, each.has_same_pixels) for (each,) in found] == [
        (sha256_of(data), True),
        (sha256_of(data), False),
    ]


@pytest.mark.parametrize(("file_format", "options"), [("JPEG", {"quality": 70}), ("WEBP", {"quality": 60})])
async def test_a_copy_that_was_encoded_anew_and_made_smaller_is_known(
    file_format: str,
    options: dict[str, int],
    archive: Archive,
    files: Sequence[bytes],
    make_picture: Draw,
    encode: Encode,
) -> None:
    """By its looks, with how many bits differ; nobody claims that it is the same."""
    copy = encode(make_picture(5).resize((240, 180)), file_format, **options)
    found = await recognise(copy, "copy", archive.catalogue)

    assert (found[0].sha256, found[0].has_same_pixels) == (sha256_of(files[5]), False)
    assert [each.distance_bits for each in found] == sorted(each.distance_bits for each in found)
    assert found[0].distance_bits <= THRESHOLD_BITS["normal"]
    assert len(found) <= MOST_LIKENESSES


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ("mirror", lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        ("crop", lambda picture: picture.crop((16, 12, 304, 228))),
    ],
)
async def test_a_copy_that_was_cropped_or_mirrored_is_known(
    how: str,
    change: Callable[[Image.Image], Image.Image],
    archive: Archive,
    files: Sequence[bytes],
    make_picture: Draw,
    encode: Encode,
) -> None:
    """As for a duplicate in a campaign, and in what way it was changed is said."""
    copy = encode(change(make_picture(5)), "JPEG", quality=80)
    (first, *_) = await recognise(copy, "copy.jpg", archive.catalogue)

    assert (first.sha256, first.how, first.has_same_pixels) == (sha256_of(files[5]), how, False)


async def test_a_copy_comes_before_what_it_mirrors(
    archive: Archive, image_of: ImageOf, make_picture: Draw, encode: Encode
) -> None:
    """An archive may hold a picture and its mirror image; of which of them a file is a copy, bits alone do not say."""
    picture = make_picture(5)
    both = [encode(each, "PNG") for each in (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    for number, data in enumerate(both):
        checks = decode_and_check(data, "It")
        await keep(archive, image_of(sha256=sha256_of(data), shot_key=f"{number:064x}", checks=checks), data)
    copies = [encode(Image.open(io.BytesIO(data)).resize((200, 150)), "JPEG", quality=60) for data in both]
    found = [await recognise(copy, "copy.jpg", archive.catalogue) for copy in copies]

    first, second = map(sha256_of, both)
    assert [[(each.sha256, each.how) for each in likenesses] for likenesses in found] == [
        [(first, "copy"), (second, "mirror")],
        [(second, "copy"), (first, "mirror")],
    ]


async def test_a_crop_is_not_hidden_by_pictures_that_are_nearly_alike(
    archive: Archive, image_of: ImageOf, make_picture: Draw, encode: Encode
) -> None:
    """Its handicap takes it behind other copies, and not behind what is too far to be one, if only by a bit."""
    data = encode(make_picture(5), "PNG")
    seen = decode_and_check(data, "It")
    assert seen.signature is not None

    def turned(bits: int) -> str:
        return f"{int(seen.fingerprint, 16) ^ (1 << bits) - 1:048x}"

    too_far, far_crop = turned(THRESHOLD_BITS["normal"] + 1), turned(THRESHOLD_BITS["normal"] - 3)
    looks = [too_far * VIEWS] * MOST_LIKENESSES + [turned(100) + far_crop * (VIEWS - 1)]
    for number, views in enumerate(looks):
        signature = seen.signature.model_copy(update={"views": views, "mirror": views[:48]})
        checks = seen.model_copy(update={"signature": signature, "fingerprint": views[:48]})
        await keep(archive, image_of(sha256=f"{number:064x}", shot_key=f"{number:064x}", checks=checks), data)
    found = await recognise(data, "crop.png", archive.catalogue)

    assert [(each.sha256, each.how, each.distance_bits) for each in found] == [
        (f"{MOST_LIKENESSES:064x}", "crop", THRESHOLD_BITS["normal"] - 3)
    ]


async def test_a_picture_that_looks_like_none_is_refused(
    archive: Archive, files: Sequence[bytes], make_picture: Draw, encode: Encode
) -> None:
    """With how far the nearest is, so that a person can judge."""
    stripes = Image.effect_noise((320, 240), 200).convert("RGB")
    with pytest.raises(BriefError, match=r"is noise.png, or looks like it; the nearest differs in \d+ of 192 bits"):
        await recognise(encode(stripes, "PNG"), "noise.png", archive.catalogue)


async def test_what_is_no_picture_is_refused(archive: Archive, files: Sequence[bytes]) -> None:
    """A text has no looks."""
    with pytest.raises(BriefError, match="No image in the archive has these bytes, and they are no picture"):
        await recognise(b"some text", "notes.txt", archive.catalogue)


async def test_an_empty_archive_knows_nothing(archive: Archive, make_picture: Draw, encode: Encode) -> None:
    """There is no nearest of none."""
    with pytest.raises(BriefError, match=r"No image in the archive is a.png, or looks like it\."):
        await recognise(encode(make_picture(), "PNG"), "a.png", archive.catalogue)
