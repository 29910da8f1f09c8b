"""Good pictures, and the tools to spoil them."""

import functools
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

SIDE_PX = 192
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@functools.cache
def scene() -> Image.Image:
    """A picture with areas, edges and grain, so that every format has real data to hold."""
    ramp, disc = Image.linear_gradient("L"), Image.radial_gradient("L")
    bands = Image.merge("RGB", (ramp.rotate(37), disc, ramp.rotate(101))).resize((SIDE_PX, SIDE_PX))
    grain = np.random.default_rng(7).integers(-9, 10, (SIDE_PX, SIDE_PX, 3))
    return Image.fromarray(np.clip(np.asarray(bands).astype(int) + grain, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, file_format, **options)
        return file.getvalue()


PNG = encoded(scene(), "PNG")
JPEG = encoded(scene(), "JPEG", quality=95)
WEBP = encoded(scene(), "WEBP", quality=95)
LOSSLESS = encoded(scene(), "WEBP", lossless=True)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, with the right CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks)


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a good PNG: kind, and body."""
    position = len(PNG_SIGNATURE)
    while position < len(png):
        body = position + 8
        end = body + int.from_bytes(png[position : position + 4])
        yield png[position + 4 : body], png[body:end]
        position = end + 4


def header(width_px: int = SIDE_PX, height_px: int = SIDE_PX) -> bytes:
    """The header chunk of a PNG with 8 bits of red, green and blue."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))


def picture_data(png: bytes) -> bytes:
    """The picture data of a PNG, packed."""
    return b"".join(body for kind, body in chunks_of(png) if kind == b"IDAT")


def unpacked(png: bytes) -> bytes:
    """The rows of a PNG, each behind the byte that names its filter."""
    return zlib.decompress(picture_data(png))


def in_pieces(png: bytes, count: int) -> list[bytes]:
    """The picture data of a PNG as so many chunks."""
    data = picture_data(png)
    step = -(-len(data) // count)
    return [chunk(b"IDAT", data[at : at + step]) for at in range(0, len(data), step)]


END = chunk(b"IEND", b"")


def spliced(png: bytes, *more: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    at = len(PNG_SIGNATURE) + 25
    return png[:at] + b"".join(more) + png[at:]


def riff(*chunks: bytes) -> bytes:
    """A WebP file around its chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def segment(marker: int, body: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def flipped(data: bytes, place: float, bit: int = 0) -> bytes:
    """The bytes with one bit turned over, at this share of their length."""
    at = int(len(data) * place)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def overwritten(data: bytes, place: float, patch: bytes) -> bytes:
    at = int(len(data) * place)
    return data[:at] + patch + data[at + len(patch) :]
