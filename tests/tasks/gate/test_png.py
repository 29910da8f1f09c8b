import io
import struct
import zlib

import pytest
from PIL import Image

from tasks.gate.admit import Expected, admit
from tasks.gate.png import refuse_missing_rows
from tasks.gate.refusal import Flaw, Refusal
from tests.tasks.gate.files import END, chunk, encoded, png_of

WIDTH_PX, HEIGHT_PX = 13, 9
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced(width_px: int, height_px: int, missing_bytes: int = 0) -> bytes:
    """A black picture in colours, in seven passes; Pillow writes none."""
    size_bytes = 0
    for left, top, across, down in ADAM7:
        columns, rows = len(range(left, width_px, across)), len(range(top, height_px, down))
        size_bytes += rows * (1 + 3 * columns) if columns else 0
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 1))
    return png_of(head, chunk(b"IDAT", zlib.compress(bytes(size_bytes - missing_bytes))), END)


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


def test_data_with_a_wrong_sum_is_damaged() -> None:
    """The sum at the end of packed data is another one than that of its chunk."""
    packed = zlib.compress(bytes(9 * (1 + 3 * 13)))
    wrong = packed[:-4] + bytes(4)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH_PX, HEIGHT_PX, 8, 2, 0, 0, 0))
    with pytest.raises(Flaw, match="its picture data has a wrong sum"):
        refuse_missing_rows(png_of(head, chunk(b"IDAT", wrong), END))
