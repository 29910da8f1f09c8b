import struct
import zlib

import pytest

from tasks.gate.refusal import Flaw, Refusal
from tasks.gate.structure import Structure, media_type_of, structure_of
from tasks.gate.walked import MAX_METADATA_BYTES
from tests.tasks.gate.files import (
    END,
    JPEG,
    LOSSLESS,
    PNG,
    SIDE_PX,
    WEBP,
    chunk,
    encoded,
    header,
    in_pieces,
    png_of,
    riff,
    scene,
    segment,
    spliced,
    webp_chunk,
)

VP8 = WEBP[12:]
JUMBF = (
    b"JP\0\1\0\0\0\1"
    + struct.pack(">I", 64)
    + b"jumb\0\0\0\x26jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
)
EXTENDED = webp_chunk(b"VP8X", bytes([0, 0, 0, 0, SIDE_PX - 1, 0, 0, SIDE_PX - 1, 0, 0]))


def flaw(data: bytes) -> tuple[Refusal, str]:
    with pytest.raises(Flaw) as caught:
        structure_of(data)
    return caught.value.refusal, str(caught.value)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (LOSSLESS, "image/webp")],
    ids=["PNG", "JPEG", "WebP", "lossless WebP"],
)
def test_the_size_is_read_from_the_files_own_header(data: bytes, media_type: str) -> None:
    """Without decoding anything."""
    assert media_type_of(data) == media_type
    assert structure_of(data) == (media_type, SIDE_PX, SIDE_PX, False)


def test_width_is_not_height() -> None:
    """Each format has its own order and its own way to count."""
    picture = scene().resize((48, 16))
    files = [encoded(picture, "PNG"), encoded(picture, "JPEG"), encoded(picture, "WEBP")]
    files += [encoded(picture, "WEBP", lossless=True), encoded(picture, "JPEG", progressive=True)]

    assert [structure_of(data)[1:3] for data in files] == [(48, 16)] * 5


@pytest.mark.parametrize(
    "data",
    [
        spliced(PNG, chunk(b"caBX", b"\0\0\0\x10jumb")),
        JPEG[:2] + segment(0xEB, JUMBF) + JPEG[2:],
        riff(EXTENDED, VP8, webp_chunk(b"C2PA", b"\0\0\0\x10jumb")),
    ],
    ids=["PNG", "JPEG", "WebP"],
)
def test_a_manifest_is_seen(data: bytes) -> None:
    """Where C2PA says that each format has it; whether it is valid is for its reader to say."""
    structure = structure_of(data)

    assert structure == Structure(structure.media_type, SIDE_PX, SIDE_PX, has_credentials=True)


@pytest.mark.parametrize(
    "data",
    [
        spliced(PNG, chunk(b"tEXt", b"Comment\0caBX c2pa")),
        JPEG[:2] + segment(0xEB, b"HDR of c2pa") + segment(0xE1, JUMBF) + JPEG[2:],
        riff(EXTENDED, VP8, webp_chunk(b"XMP ", b"C2PA")),
    ],
    ids=["PNG", "JPEG", "WebP"],
)
def test_the_mere_word_is_no_manifest(data: bytes) -> None:
    """Only the right place counts."""
    assert structure_of(data).has_credentials is False


@pytest.mark.parametrize(
    "data",
    [
        png_of(header(), *in_pieces(PNG, 40), END),
        spliced(PNG, chunk(b"prVt", bytes(MAX_METADATA_BYTES))),
        PNG[:-12] + chunk(b"tEXt", b"a\0b") + END,
        JPEG[:2] + segment(0xFE, b"\xff\xd9 in a comment") + JPEG[2:],
        JPEG[:2] + b"\xff\xff\xff" + JPEG[2:],
        JPEG[:2] + segment(0xE1, bytes(65533)) + JPEG[2:],
        encoded(scene(), "JPEG", restart_marker_blocks=3),
        riff(EXTENDED, webp_chunk(b"ICCP", b"odd"), VP8, webp_chunk(b"EXIF", b"")),
    ],
    ids=[
        "PNG in 40 pieces",
        "PNG with the most metadata",
        "PNG with text behind its data",
        "JPEG with an end in its comment",
        "JPEG with padding",
        "JPEG with the longest segment",
        "JPEG with restarts",
        "WebP with a chunk of odd length",
    ],
)
def test_odd_files_that_are_whole_pass(data: bytes) -> None:
    """What the formats allow is no damage."""
    assert structure_of(data)[1:3] == (SIDE_PX, SIDE_PX)


animation = chunk(b"acTL", struct.pack(">II", 2, 0))


@pytest.mark.parametrize(
    ("data", "refusal", "said"),
    [
        (spliced(PNG, header()), Refusal.DAMAGED, "it has two headers"),
        (spliced(PNG, chunk(b"ABCD", b"")), Refusal.DAMAGED, "it has a ABCD chunk, which no PNG has"),
        (spliced(PNG, chunk(b"te\0t", b"")), Refusal.DAMAGED, "the name of a chunk is no word"),
        (PNG[:-12] + chunk(b"PLTE", bytes(3)) + END, Refusal.DAMAGED, "its palette comes after the picture data"),
        (png_of(*in_pieces(PNG, 1), END), Refusal.DAMAGED, "its first chunk is no header"),
        (spliced(PNG, animation), Refusal.ANIMATED, "is an animation"),
        (PNG[:8], Refusal.CUT_SHORT, "its end chunk is missing"),
        (JPEG[:2] + JPEG[-2:] + b"\0", Refusal.DAMAGED, "it has no picture data"),
        (JPEG[:2] + b"\0" + JPEG[2:], Refusal.UNKNOWN_TYPE, "is no PNG, JPEG or WebP picture"),
        (JPEG[:2] + segment(0xFE, b"x") + b"x" + JPEG[2:], Refusal.DAMAGED, "there is no marker at byte 7"),
        (JPEG[:2] + b"\xff\xe0\0\1" + JPEG[2:], Refusal.DAMAGED, "segment E0 has no length"),
        (JPEG[:2] + b"\xff\xd8" + JPEG[2:], Refusal.DAMAGED, "marker D8 is in the wrong place"),
        (JPEG[:2] + b"\xff\xc0\0\5\0\0\0" + JPEG[2:], Refusal.DAMAGED, "its frame has no size"),
        (JPEG[:-2] + segment(0xC0, bytes(15)) + JPEG[-2:], Refusal.DAMAGED, "it has two frames"),
        (JPEG[:2] + segment(0xDA, bytes(10)) + JPEG[2:], Refusal.DAMAGED, "its picture data comes before its frame"),
        (b"\xff\xd8\xff\xe0\xff", Refusal.CUT_SHORT, "in the middle of its segment E0"),
        (riff(), Refusal.DAMAGED, "it has 0 pictures in it"),
        (riff(VP8, VP8), Refusal.DAMAGED, "it has 2 pictures in it"),
        (riff(webp_chunk(b"EXIF", b""), VP8), Refusal.DAMAGED, "its first chunk is no header"),
        (riff(webp_chunk(b"VP8 ", bytes(20))), Refusal.DAMAGED, "its lossy picture has no header"),
        (riff(webp_chunk(b"VP8L", bytes(20))), Refusal.DAMAGED, "its lossless picture has no header"),
        (riff(EXTENDED, webp_chunk(b"ANIM", bytes(6)), VP8), Refusal.ANIMATED, "is an animation"),
        (riff(VP8, b"EXIF\xff\0\0\0"), Refusal.CUT_SHORT, "in the middle of its 'EXIF' chunk"),
        (riff(EXTENDED, VP8, webp_chunk(b"XMP ", bytes(MAX_METADATA_BYTES + 1))), Refusal.OVERSIZED_METADATA, "XMP"),
    ],
)
def test_what_the_formats_do_not_allow_is_refused(data: bytes, refusal: Refusal, said: str) -> None:
    """Each rule of the walks, with the sentence that a person reads."""
    found, sentence = flaw(data)

    assert found == refusal
    assert said in sentence


def test_a_wrong_sum_is_found_in_any_chunk() -> None:
    """Also in metadata, which no decoder sums up."""
    text = chunk(b"tEXt", b"Comment\0hello")
    wrong = text[:-4] + struct.pack(">I", zlib.crc32(text[4:-4]) ^ 1)

    assert flaw(spliced(PNG, wrong)) == (
        Refusal.DAMAGED,
        "is damaged: the checksum of its tEXt chunk at byte 33 is wrong",
    )
