import io
import struct
import zlib

import pytest
from PIL import Image

from blocks.errors import BadPicture
from tasks.gate.admit import Expected, admit
from tasks.gate.png import refuse_missing_rows
from tasks.gate.refusal import Flaw, Refusal
from tests.tasks.gate.files import END, chunk, encoded, png_of

WIDTH_PX, HEIGHT_PX = 13, 9
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced(width_px: int, height_px: int, missing_bytes: int = 0, value: int = 0) -> bytes:
    """A picture of one colour, in seven passes; Pillow writes none."""
    rows_of_passes = bytearray()
    for left, top, across, down in ADAM7:
        columns, rows = len(range(left, width_px, across)), len(range(top, height_px, down))
        rows_of_passes += (b"\0" + bytes([value]) * 3 * columns) * rows if columns else b""
    kept = rows_of_passes[: len(rows_of_passes) - missing_bytes]
    return png_of(head(width_px, height_px, interlace=1), chunk(b"IDAT", zlib.compress(kept)), END)


def head(width_px: int, height_px: int, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, interlace))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_that_ends_black_is_whole(mode: str) -> None:
    """All kinds of pixels, in rows that do not fill their last byte: none of them is taken for cut."""
    data = encoded(Image.new(mode, (WIDTH_PX, HEIGHT_PX)), "PNG")

    refuse_missing_rows(data)
    assert admit(data, Expected(), "It").checks.width_px == WIDTH_PX


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_palettes_pack_several_pixels_into_a_byte(bits: int) -> None:
    """Thirteen pixels of 1, 2 or 4 bits fill 2, 4 or 7 bytes."""
    with io.BytesIO() as file:
        Image.new("P", (WIDTH_PX, HEIGHT_PX)).save(file, "PNG", bits=bits)
        refuse_missing_rows(file.getvalue())


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (1, 5), (8, 8), (13, 9), (64, 33)])
def test_an_interlaced_picture_is_counted_pass_by_pass(size: tuple[int, int]) -> None:
    """Passes that have no pixel in a small picture have no row either."""
    refuse_missing_rows(interlaced(*size))
    with pytest.raises(Flaw, match="ends too early: its picture data has") as caught:
        refuse_missing_rows(interlaced(*size, missing_bytes=1))
    assert caught.value.refusal == Refusal.CUT_SHORT


def test_rows_of_the_last_pass_are_missed_although_the_last_row_is_there() -> None:
    """At an odd height it comes with an earlier pass, and the picture does not end black."""
    of_last_pass = 4 * (1 + 3 * WIDTH_PX)
    assert admit(interlaced(WIDTH_PX, HEIGHT_PX, value=99), Expected(), "It").checks.height_px == HEIGHT_PX
    with pytest.raises(BadPicture, match="It ends too early: its picture data has") as caught:
        admit(interlaced(WIDTH_PX, HEIGHT_PX, missing_bytes=of_last_pass, value=99), Expected(), "It")
    assert caught.value.reason == Refusal.CUT_SHORT


def test_a_wrong_sum_does_not_decode() -> None:
    """So that what is unpacked once more is known to be right."""
    packed = zlib.compress(bytes(HEIGHT_PX * (1 + 3 * WIDTH_PX)))
    data = png_of(head(WIDTH_PX, HEIGHT_PX), chunk(b"IDAT", packed[:-4] + bytes(4)), END)
    with pytest.raises(BadPicture) as caught:
        admit(data, Expected(), "It")
    assert caught.value.reason == Refusal.UNDECODABLE
