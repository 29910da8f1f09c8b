"""What a picture looks like in 298 bytes, to find its copies, crops, small rotations and mirror images by.

Ten views, the full picture and a 3 x 3 grid of crops, each with the 192 bits of `tasks/near.py`; the mirrored picture;
how much there is to see; and a few colours. All come from one small gray picture, in one decode. Every part of a view
is bit for bit what imagehash says of that view, so any other tool can check it.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tasks.measured import FINGERPRINT_DIGITS, VIEWS, Checks, Signature
from tasks.near import FINGERPRINT_BITS, FINGERPRINT_RULE, small_of

SIGNATURE_RULE = f"{FINGERPRINT_RULE}+views3x3x92+mirror+chroma4x4/1"
"""Name and version of the rule; a change of the rule is a new name, and signatures of two rules are never compared."""

CROP_SHARE = 0.92
"""Side of a crop; with the nine of them, crops of 10 % were found 100 times of 100 instead of 9 (240 pictures)."""

FINGERPRINT_BYTES = FINGERPRINT_BITS // 8
LEAST_DETAIL = 32
LEAST_GRADIENT = 50
COLOR_VARIANT_LEVELS = 6.0

PACKED = np.dtype(
    [
        ("views", "u1", (VIEWS, FINGERPRINT_BYTES)),
        ("mirror", "u1", (FINGERPRINT_BYTES,)),
        ("detail", "u1"),
        ("gradient", "u1"),
        ("chroma", "u1", (32,)),
    ]
)
"""One signature in 298 bytes: in the catalogue, and as numpy reads a million of them at once."""

Packed = NDArray[np.void]
"""Shape (n,), of the type `PACKED`."""

_SIZES = {SIGNATURE_RULE: PACKED.itemsize, FINGERPRINT_RULE: FINGERPRINT_BYTES}
_NOISE_LEVELS = 2
_CROPS_SIDE_PX = 64
_GRADIENT_SIDE_PX = 64
_GRADIENT_SCALE = 90  # as PDQ has it: a sum of 90 per cents is one
_MOST_DETAIL, _MOST_GRADIENT = 128, 255
_CHROMA_SIDE_PX = 4

Levels = NDArray[np.uint8]
Bits = NDArray[np.bool_]


def sign(picture: Image.Image) -> Signature:
    """Signs a decoded picture; transparency is seen over white. CPU work, a few milliseconds."""
    small = small_of(picture)
    gray = small.convert("L")
    views = views_of(gray)
    across = np.diff(_shrunk(views, 9, 8).astype(np.int16), axis=2)
    down = np.diff(_shrunk(views, 8, 9).astype(np.int16), axis=1)
    parts = (_phash(_shrunk(views, 32, 32)), across > 0, down > 0)
    prints = np.concatenate([np.packbits(part.reshape(-1, 64), axis=1) for part in parts], axis=1)
    return Signature(
        rule=SIGNATURE_RULE,
        views=prints[:VIEWS].tobytes().hex(),
        mirror=prints[VIEWS].tobytes().hex(),
        detail=int(np.count_nonzero(abs(across[0]) > _NOISE_LEVELS) + np.count_nonzero(abs(down[0]) > _NOISE_LEVELS)),
        gradient=_gradient(gray),
        chroma=_chroma(small),
    )


def is_plain(signature: Signature) -> bool:
    """Whether there is too little to see in a picture to tell it from another plain one (a colour, a soft gradient)."""
    return signature.detail < LEAST_DETAIL or signature.gradient < LEAST_GRADIENT


def are_plain(signatures: Packed) -> Bits:
    """As `is_plain`, for many. Shape (n,)."""
    plain: Bits = are_without_detail(signatures) | (signatures["gradient"] < LEAST_GRADIENT)
    return plain


def are_without_detail(signatures: Packed) -> Bits:
    """Whether there is no detail at all: an even ground, perhaps with a small thing on it. Shape (n,)."""
    without: Bits = signatures["detail"] < LEAST_DETAIL
    return without


def is_color_variant(one: Signature, other: Signature, *, mirrored: bool = False) -> bool:
    """Whether pictures that look alike in gray differ in their colours: a label, and no reason to tell them apart.

    Of 45 pictures of the sandbox: 76 % of them in gray and 87 % with other hues, none encoded anew or cropped by 5 %,
    11 % of them made much darker.
    """
    return bool(are_color_variants(unpacked(packed(one)), unpacked(packed(other)), mirrored=mirrored)[0])


def are_color_variants(
    ones: Packed, others: Packed, *, mirrored: bool | Bits = False, levels: float = COLOR_VARIANT_LEVELS
) -> Bits:
    """As `is_color_variant`, row by row; false where the colours of one are not known. Shape (n,).

    Args:
        ones: Shape (n,).
        others: Shape (n,).
        mirrored: Whether the pictures are alike as mirror images, so that their places are; of all, or shape (n,).
        levels: By how much of 256 they differ at least, on average.
    """
    first, second = ones["chroma"].astype(np.int16), others["chroma"].astype(np.int16)
    known = first.any(axis=1) & second.any(axis=1)
    turned = second.reshape(-1, _CHROMA_SIDE_PX, _CHROMA_SIDE_PX, 2)[:, :, ::-1].reshape(second.shape)
    second = np.where(np.broadcast_to(mirrored, len(second))[:, np.newaxis], turned, second)
    differ: Bits = np.abs(first - second).mean(axis=1) > levels
    return differ & known


def packed(signature: Signature) -> bytes:
    """Writes a signature in the form of `PACKED`."""
    figures = bytes((signature.detail, signature.gradient))
    return b"".join(
        (bytes.fromhex(signature.views), bytes.fromhex(signature.mirror), figures, bytes.fromhex(signature.chroma))
    )


def unpacked(rows: bytes) -> Packed:
    """Reads signatures that lie one behind another. Shape (n,)."""
    return np.frombuffer(rows, dtype=PACKED)


def signature_row(checks: Checks) -> tuple[str, bytes]:
    """What the catalogue keeps of a picture: rule and signature. Old records have a fingerprint alone, of its rule."""
    if checks.signature is None:
        return FINGERPRINT_RULE, bytes.fromhex(checks.fingerprint)
    return checks.signature.rule, packed(checks.signature)


def is_comparable(rule: str, signature: bytes) -> bool:
    """Whether a row of the catalogue can be compared with today's signatures; else it has to be signed anew."""
    return _SIZES.get(rule) == len(signature)


def unpacked_each(rows: Iterable[bytes]) -> Packed:
    """Reads comparable rows of the catalogue. Shape (n,)."""
    return unpacked(b"".join(row if len(row) == PACKED.itemsize else _of_one_view(row) for row in rows))


def _of_one_view(fingerprint: bytes) -> bytes:
    """Makes do with the fingerprint of an old record: its crops and its mirror image are the picture itself.

    Whatever is measured against them, the full picture is as near, so the answer is that of the one view that is
    known. It counts as not plain, and as of unknown colours (zeros, as no picture has them).
    """
    return fingerprint * (VIEWS + 1) + bytes((_MOST_DETAIL, _MOST_GRADIENT)) + bytes(32)


def fingerprint_of(signature: Signature) -> str:
    """The fingerprint of the full picture, the first view."""
    return signature.views[:FINGERPRINT_DIGITS]


def spans(side_px: int) -> tuple[tuple[int, int], ...]:
    """Where the crops of the grid begin and end along one side."""
    length = max(1, round(side_px * CROP_SHARE))
    return tuple((start, start + length) for start in (0, (side_px - length) // 2, side_px - length))


def views_of(gray: Image.Image) -> list[Image.Image]:
    """Cuts out the full picture, the nine crops row by row, and the mirrored one.

    The crops come from half the size, if that is 64 px or more: they cost a third so, and are found as well (45
    pictures of the sandbox: all crops of 5 % and of 10 %, either way).
    """
    half = gray.reduce(2) if min(gray.size) >= 2 * _CROPS_SIDE_PX else gray
    across, down = spans(half.width), spans(half.height)
    crops = [half.crop((left, top, right, bottom)) for top, bottom in down for left, right in across]
    return [gray, *crops, ImageOps.mirror(gray)]


def _shrunk(views: Iterable[Image.Image], width_px: int, height_px: int) -> Levels:
    """Makes pictures this small, as imagehash does. Shape (views, height, width)."""
    size = (width_px, height_px)
    return np.stack([np.asarray(view.resize(size, Image.Resampling.LANCZOS)) for view in views])


def _phash(views: Levels) -> Bits:
    """Says which low frequencies are above their median, of n views at once. Shape (n, 8, 8)."""
    from scipy.fftpack import dct  # type: ignore[import-untyped]  # late, as in imagehash: it takes a fifth of a second

    frequencies = dct(dct(views, axis=1)[:, :8], axis=2)[:, :, :8]
    above: Bits = frequencies > np.median(frequencies, axis=(1, 2), keepdims=True)
    return above


def _gradient(gray: Image.Image) -> int:
    """Adds up the differences of neighbours in 64 x 64 places, as PDQ does to say how good its hash is."""
    side = (_GRADIENT_SIDE_PX, _GRADIENT_SIDE_PX)
    levels = np.asarray(gray.resize(side, Image.Resampling.BOX), dtype=np.int32)
    total = sum(int((abs(np.diff(levels, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(_MOST_GRADIENT, total // _GRADIENT_SCALE)


def _chroma(small: Image.Image) -> str:
    side = (_CHROMA_SIDE_PX, _CHROMA_SIDE_PX)
    places = np.asarray(small.convert("RGB").resize(side, Image.Resampling.BOX).convert("YCbCr"))
    return places[:, :, 1:].tobytes().hex()
