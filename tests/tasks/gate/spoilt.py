"""The corruption matrix: 32 bad files, and what the gate says of each."""

import gzip
import zlib
from typing import NamedTuple

from tasks.gate.refusal import Refusal
from tests.tasks.gate.files import (
    END,
    JPEG,
    LOSSLESS,
    PNG,
    WEBP,
    chunk,
    encoded,
    flipped,
    header,
    in_pieces,
    overwritten,
    png_of,
    scene,
    spliced,
    unpacked,
)

HTML = b"<!doctype html><html><body>AccessDenied</body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def text_bomb(size_bytes: int) -> bytes:
    """A text chunk that is a thousand times larger once it is unpacked."""
    press, block = zlib.compressobj(1, wbits=-zlib.MAX_WBITS), bytes(1_000_000)
    # Pressed once and repeated, for pressing it all takes seconds: after a full flush nothing looks back.
    pressed = (press.compress(block) + press.flush(zlib.Z_FULL_FLUSH)) * (size_bytes // len(block))
    adler32 = size_bytes % 65521 << 16 | 1  # of so many zeros
    packed = b"\x78\x01" + pressed + press.flush() + adler32.to_bytes(4)
    return chunk(b"zTXt", b"a\0\0" + packed)


class Spoilt(NamedTuple):
    """A bad file."""

    name: str
    data: bytes
    refusal: Refusal | None
    """None where only the SHA-256 of what was received can tell."""


first_half, second_half = in_pieces(PNG, 2)
half_of_rows = chunk(b"IDAT", zlib.compress(unpacked(PNG)[: len(unpacked(PNG)) // 2]))
bomb = chunk(b"IDAT", zlib.compress(bytes(99)))

SPOILT = (
    Spoilt("PNG, the last byte gone", PNG[:-1], Refusal.CUT_SHORT),
    Spoilt("PNG, half of it", PNG[: len(PNG) // 2], Refusal.CUT_SHORT),
    Spoilt("PNG without its end", PNG[:-12], Refusal.CUT_SHORT),
    Spoilt("PNG, half of its data, all sums right", png_of(header(), first_half, END), Refusal.UNDECODABLE),
    Spoilt("PNG, half of its rows, all sums right", png_of(header(), half_of_rows, END), Refusal.CUT_SHORT),
    Spoilt("PNG without data", png_of(header(), END), Refusal.DAMAGED),
    Spoilt("PNG with a page behind it", PNG + HTML, Refusal.TRAILING_BYTES),
    Spoilt("PNG with a PNG behind it", PNG + PNG, Refusal.TRAILING_BYTES),
    Spoilt("PNG, a bit of its data turned", flipped(PNG, 0.5), Refusal.DAMAGED),
    Spoilt("PNG, its width changed", overwritten(PNG, 19 / len(PNG), b"\xc1"), Refusal.DAMAGED),
    Spoilt(
        "PNG, its data torn apart",
        png_of(header(), first_half, chunk(b"tEXt", b"a\0b"), second_half, END),
        Refusal.DAMAGED,
    ),
    Spoilt("PNG, 4 kB of its data zeroed", overwritten(PNG, 0.5, bytes(4096)), Refusal.DAMAGED),
    Spoilt("PNG, 300 MB of text in it", spliced(PNG, text_bomb(300_000_000)), Refusal.UNDECODABLE),
    Spoilt("PNG, 5 MB of metadata", spliced(PNG, chunk(b"prVt", bytes(5_000_000))), Refusal.OVERSIZED_METADATA),
    Spoilt("PNG of 30000 x 30000 pixels", png_of(header(30_000, 30_000), bomb, END), Refusal.TOO_MANY_PIXELS),
    Spoilt("JPEG, half of it", JPEG[: len(JPEG) // 2], Refusal.CUT_SHORT),
    Spoilt("JPEG, 99 % of it", JPEG[: len(JPEG) * 99 // 100], Refusal.CUT_SHORT),
    Spoilt("JPEG without its end", JPEG[:-2], Refusal.CUT_SHORT),
    Spoilt("JPEG, 4 kB of its data zeroed", overwritten(JPEG, 0.5, bytes(4096)), Refusal.DAMAGED),
    Spoilt("JPEG with a page behind it", JPEG + HTML, Refusal.TRAILING_BYTES),
    Spoilt("JPEG, a bit turned", flipped(JPEG, 0.5), None),
    Spoilt("WebP, half of it", WEBP[: len(WEBP) // 2], Refusal.CUT_SHORT),
    Spoilt("WebP with a page behind it", WEBP + HTML, Refusal.TRAILING_BYTES),
    Spoilt("WebP, a bit turned", flipped(WEBP, 0.5), None),
    Spoilt("lossless WebP, a bit turned", flipped(LOSSLESS, 0.5), None),
    Spoilt("AVIF", encoded(scene(), "AVIF"), Refusal.UNKNOWN_TYPE),
    Spoilt("a page", HTML, Refusal.UNKNOWN_TYPE),
    Spoilt("JSON", b'{"error": "expired"}', Refusal.UNKNOWN_TYPE),
    Spoilt("XML", XML, Refusal.UNKNOWN_TYPE),
    Spoilt("SVG", SVG, Refusal.UNKNOWN_TYPE),
    Spoilt("PNG in gzip", gzip.compress(PNG), Refusal.UNKNOWN_TYPE),
    Spoilt("nothing", b"", Refusal.EMPTY),
)
GOOD = {"PNG": PNG, "JPEG": JPEG, "WebP": WEBP, "lossless WebP": LOSSLESS}
