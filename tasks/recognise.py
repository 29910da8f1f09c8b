"""Knows an image again whose bytes were changed: stripped, marked, re-encoded, made smaller, cropped, mirrored."""

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np

from blocks.archive.catalogue import Catalogue
from blocks.archive.signatures import Signed
from blocks.errors import BadPicture, BriefError
from blocks.provider import Frozen
from tasks.archive import read_record
from tasks.checks import decode_and_check, decode_and_hash_as_before
from tasks.likeness import HOW, Alikeness, are_alike, resemblances
from tasks.measured import Checks, How
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS
from tasks.signature import is_comparable, signature_row, unpacked_each

MOST_LIKENESSES = 5

_ANY = Alikeness(THRESHOLD_BITS["normal"])
_COPY = Alikeness(THRESHOLD_BITS["normal"], crops=False, mirror=False)
_AT_ONCE = 1 << 16

_HANDICAP_BITS = 8
"""By more than this a crop or a mirror image has to be nearer than a copy to come before it: of many, one is near."""


class Likeness(Frozen):
    """An image of the archive that a file looks like."""

    sha256: str
    distance_bits: int
    how: How = "copy"
    has_same_pixels: bool
    """In other bytes: a copy with its metadata stripped, or with marks added."""


async def recognise(data: bytes, shown_as: str, catalogue: Catalogue) -> tuple[Likeness, ...]:
    """Finds the images that a file looks like, the nearest first; crops and mirror images with a handicap.

    Args:
        data: The file's bytes.
        shown_as: What a message calls it.
        catalogue: Where to look.

    Raises:
        BriefError: It is no picture, or looks like none of the archive.
    """
    try:
        checks = await asyncio.to_thread(decode_and_check, data, shown_as)
    except BadPicture as error:
        raise BriefError(f"No image in the archive has these bytes, and they are no picture. {error}") from error
    signed = await catalogue.signatures()
    known = [each for each in signed if is_comparable(each.rule, each.signature)]
    nearest = await asyncio.to_thread(_nearest, signature_row(checks)[1], known)
    near = [each for each in nearest if each.distance_bits <= _ANY.threshold_bits]
    if not near:
        least = f"; the nearest differs in {nearest[0].distance_bits} of {FINGERPRINT_BITS} bits" if nearest else ""
        raise BriefError(
            f"No image in the archive is {shown_as}, or looks like it{least}.{_unread(len(signed) - len(known))}"
        )
    originals = [await _checks_of(each.sha256, catalogue) for each in near]
    pixels = {checks.pixels_blake3}
    if any(each is not None and each.pixels_sha256 for each in originals):
        pixels.add(await asyncio.to_thread(decode_and_hash_as_before, data, shown_as))
    likenesses = [
        each.model_copy(update={"has_same_pixels": _pixels_of(original) in pixels})
        for each, original in zip(near, originals, strict=True)
    ]
    return tuple(sorted(likenesses, key=lambda each: not each.has_same_pixels))


def _nearest(row: bytes, known: Sequence[Signed]) -> list[Likeness]:
    """Those that are nearest, whatever the threshold. Of equals the older one comes first. CPU work."""
    nearest: list[Likeness] = []
    for start in range(0, len(known), _AT_ONCE):
        some = known[start : start + _AT_ONCE]
        found = _measured(row, some)
        nearest = sorted([*nearest, *found], key=_rank)[:MOST_LIKENESSES]
    return nearest


def _measured(row: bytes, known: Sequence[Signed]) -> Iterator[Likeness]:
    """Measures how near they are as copies, or else, where that is nearer by far, as crops and mirror images."""
    rows = unpacked_each(each.signature for each in known)
    ones = np.repeat(unpacked_each([row]), len(rows))
    copies, _ = resemblances(ones, rows, _COPY)
    others, hows = resemblances(ones, rows, _ANY)
    is_other = (others + _HANDICAP_BITS < copies) & are_alike(ones, rows, others, _ANY)
    bits = np.where(is_other, others, copies)
    is_unlike = bits > _ANY.threshold_bits
    for place in np.lexsort((bits + _HANDICAP_BITS * is_other, is_unlike))[:MOST_LIKENESSES]:
        how = HOW[hows[place]] if is_other[place] else "copy"
        yield Likeness(sha256=known[place].sha256, distance_bits=int(bits[place]), how=how, has_same_pixels=False)


def _rank(likeness: Likeness) -> tuple[bool, int]:
    """Where one stands; behind all that are alike, with whatever handicap, come those that are not."""
    is_unlike = likeness.distance_bits > _ANY.threshold_bits
    return is_unlike, likeness.distance_bits + (_HANDICAP_BITS if likeness.how != "copy" else 0)


def _unread(count: int) -> str:
    said = "of its images are signed by another rule, and were not compared: sign them with `dedupe --sign`."
    return f" {count} {said}" if count else ""


async def _checks_of(sha256: str, catalogue: Catalogue) -> Checks | None:
    entry = await catalogue.get(sha256)
    return None if entry is None else read_record(entry.record_json).checks


def _pixels_of(checks: Checks | None) -> str | None:
    """The hash that a record has of its pixels, by whichever function its format has it."""
    return None if checks is None else checks.pixels_blake3 or checks.pixels_sha256
