import io
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from blocks.errors import ArchiveError
from tasks.provenance.jpeg import MAX_PACKET_BYTES
from tasks.provenance.splice import manifest_in, media_type_of, packet_of, take_apart, with_packet
from tests.tasks.provenance.conftest import FORMATS

PACKET = b"<x:xmpmeta>odd</x:xmpmeta>!"
ODD = (331, 77)
FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
Draw = Callable[..., Image.Image]
Write = Callable[..., bytes]


def pixels_of(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.mode, picture.size, picture.tobytes()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_everything_but_the_packet_stays_byte_for_byte(file_format: str, file_of: Write) -> None:
    """IDAT and scan, colour profile, Exif and all the rest: the copy without the new part is the file."""
    data = file_of(file_format)
    copy = with_packet(data, PACKET)
    added = next(piece.raw for piece in take_apart(copy) if piece.kind == "xmp")
    assert PACKET in added
    assert copy.replace(added, b"", 1) == data
    assert pixels_of(copy) == pixels_of(data)


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}], ids=["lossy", "lossless"])
def test_a_simple_webp_becomes_an_extended_one_around_the_same_picture(
    options: dict[str, int], make_picture: Draw, encode: Write
) -> None:
    """The canvas has the picture's odd size, and the picture's chunk is untouched."""
    data = encode(make_picture(1, ODD), "WEBP", **options)
    assert data[12:16] in {b"VP8 ", b"VP8L"}
    copy = with_packet(data, PACKET)
    assert copy[12:16] == b"VP8X"
    assert data[12:] in copy
    assert pixels_of(copy) == pixels_of(data)
    assert pixels_of(copy)[1] == ODD


def test_a_lossless_webp_keeps_its_transparency(make_picture: Draw, encode: Write) -> None:
    """The alpha flag of the extended header is set where the picture has alpha."""
    picture = make_picture(1, ODD).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(ODD))
    data = encode(picture, "WEBP", lossless=True)
    # Pillow writes transparent pictures in the extended form: take the simple form out of it.
    at = data.index(b"VP8L")
    simple = b"RIFF" + (4 + len(data) - at).to_bytes(4, "little") + b"WEBP" + data[at:]
    copy = with_packet(simple, PACKET)
    assert pixels_of(copy) == pixels_of(data)
    assert pixels_of(copy)[0] == "RGBA"


@pytest.mark.parametrize("number_of_frames", [1, 3])
def test_an_extended_webp_keeps_all_its_chunks(number_of_frames: int, make_picture: Draw, file_of: Write) -> None:
    """Profile, Exif, alpha and animation stay; only the flag and the size in the header change."""
    frames = [make_picture(number) for number in range(1, number_of_frames)]
    data = file_of("WEBP", save_all=True, append_images=frames)
    copy = with_packet(data, PACKET)
    before, after = (
        [piece.raw for piece in take_apart(each) if piece.raw[:4] not in {b"RIFF", b"VP8X", b"XMP "}]
        for each in (data, copy)
    )
    assert after == before
    with Image.open(io.BytesIO(copy)) as picture:
        assert (getattr(picture, "n_frames", 1), picture.info["xmp"]) == (number_of_frames, PACKET)
        assert {"exif", "icc_profile"} <= set(picture.info)


@pytest.mark.parametrize("file_format", FORMATS)
def test_another_reader_finds_the_packet(file_format: str, file_of: Write) -> None:
    """Pillow reads from all three formats what we wrote."""
    with Image.open(io.BytesIO(with_packet(file_of(file_format), PACKET))) as picture:
        picture.load()
        found = picture.info.get("xmp") or picture.info["XML:com.adobe.xmp"].encode()
    assert found == PACKET


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_second_packet_replaces_the_first(file_format: str, file_of: Write) -> None:
    """Marking twice is marking once, and no packet of another tool stays beside ours."""
    data = file_of(file_format)
    once = with_packet(data, PACKET)
    assert with_packet(once, PACKET) == once
    assert with_packet(with_packet(data, b"<another/>" * 1000), PACKET) == once


def test_a_compressed_packet_of_another_tool_is_read_and_replaced(plain_png: bytes, encode: Write) -> None:
    """PNG allows XMP to be compressed, though XMP's own specification does not."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", "<another/>", zip=True)
    with Image.open(io.BytesIO(plain_png)) as picture:
        data = encode(picture, "PNG", pnginfo=texts)
    assert packet_of(data) == b"<another/>"
    assert b"<another" not in with_packet(data, PACKET)
    assert packet_of(with_packet(data, PACKET)) == PACKET


@pytest.mark.parametrize("file_format", FORMATS)
@given(packet=st.binary(min_size=1, max_size=3000))
@FIXTURE
def test_any_packet_comes_back(file_format: str, packet: bytes, file_of: Write) -> None:
    """Odd lengths, zero bytes, markers and chunk names inside a packet do no harm."""
    data = with_packet(file_of(file_format), packet)
    assert packet_of(data) == packet
    assert manifest_in(data) == b""


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_is_its_pieces(file_format: str, file_of: Write) -> None:
    """Nothing is lost between the pieces, not even what lies behind the picture."""
    data = file_of(file_format) + b"behind"
    assert b"".join(piece.raw for piece in take_apart(data)) == data
    assert with_packet(data, PACKET).endswith(b"behind")


@pytest.mark.parametrize("file_format", FORMATS)
@given(draw=st.data())
@FIXTURE
def test_damaged_files_are_refused_in_words(file_format: str, draw: st.DataObject, file_of: Write) -> None:
    """Whatever is cut off or overwritten, the answer is a copy or an error of ours."""
    data = bytearray(file_of(file_format))
    for place in draw.draw(st.lists(st.integers(0, min(400, len(data) - 1)), max_size=4)):
        data[place] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    try:
        assert PACKET in with_packet(bytes(data[:cut]), PACKET)
    except ArchiveError as error:
        assert "Nothing was written" in str(error) or "nothing can be written" in str(error)  # noqa: PT017  # either


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_a_file_that_is_cut_is_refused(file_format: str, file_of: Write) -> None:
    """A copy never looks more complete than its original."""
    with pytest.raises(ArchiveError, match="damaged"):
        with_packet(file_of(file_format)[:-20], PACKET)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG", b"RIFF\x00\x00\x00\x00WAVE", b"<svg/>"])
def test_other_formats_are_refused(data: bytes) -> None:
    """No guessing."""
    with pytest.raises(ArchiveError, match="no PNG, JPEG or WebP"):
        media_type_of(data)


def test_a_packet_that_no_jpeg_holds_is_refused(file_of: Write) -> None:
    """The message says how to go on; nothing is cut off silently."""
    assert packet_of(with_packet(file_of("JPEG"), b"x" * MAX_PACKET_BYTES)) == b"x" * MAX_PACKET_BYTES
    with pytest.raises(ArchiveError, match="without its prompt"):
        with_packet(file_of("JPEG"), b"x" * (MAX_PACKET_BYTES + 1))
