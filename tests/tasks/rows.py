"""Signatures as the catalogue keeps them, made of single bits: how far two of them are apart can be counted by eye."""

from collections.abc import Iterable

from tasks.measured import VIEWS, Signature
from tasks.signature import SIGNATURE_RULE, packed

PLAIN = {"detail": 3, "gradient": 10}
FAR = range(96, 192)
"""Bits of crops and mirror images, unless a test is about them: far from all that tests draw."""


def print_of(bits: Iterable[int]) -> str:
    """A fingerprint with these bits set, of 192."""
    return f"{sum(1 << bit for bit in bits):048x}"


def signature_of(
    bits: Iterable[int] = (),
    *,
    crop: Iterable[int] = FAR,
    mirror: Iterable[int] = FAR,
    hue: int = 100,
    detail: int = 100,
    gradient: int = 200,
) -> Signature:
    """The signature of a picture; all its nine crops look alike."""
    return Signature(
        rule=SIGNATURE_RULE,
        views=print_of(bits) + (VIEWS - 1) * print_of(crop),
        mirror=print_of(mirror),
        detail=detail,
        gradient=gradient,
        chroma=f"{hue:02x}" * 32,
    )


def row_of(bits: Iterable[int] = (), **changes: object) -> bytes:
    """The same, packed."""
    return packed(signature_of(bits, **changes))  # type: ignore[arg-type] # what `signature_of` takes
