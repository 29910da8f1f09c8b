"""Knows an image again whose bytes were changed: stripped of metadata, marked, re-encoded, made smaller."""

import asyncio
from collections.abc import Sequence

import numpy as np

from blocks.archive.catalogue import Catalogue
from blocks.archive.signatures import Signed
from blocks.errors import BadPicture, BriefError
from blocks.provider import Frozen
from tasks.archive import read_record
from tasks.checks import decode_and_check, decode_and_hash_as_before
from tasks.measured import Checks
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, as_words, distances_bits, words_of
from tasks.signature import is_comparable, unpacked_each

MOST_LIKENESSES = 5


class Likeness(Frozen):
    """An image of the archive that a file looks like."""

    sha256: str
    distance_bits: int
    has_same_pixels: bool
    """In other bytes: a copy with its metadata stripped, or with marks added."""


async def recognise(data: bytes, shown_as: str, catalogue: Catalogue) -> tuple[Likeness, ...]:
    """Finds the images that a file looks like, the nearest first.

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
    nearest = await asyncio.to_thread(_nearest, checks.fingerprint, known)
    near = [(known[place].sha256, bits) for place, bits in nearest if bits <= THRESHOLD_BITS["normal"]]
    if not near:
        least = f"; the nearest differs in {nearest[0][1]} of {FINGERPRINT_BITS} bits" if nearest else ""
        raise BriefError(
            f"No image in the archive is {shown_as}, or looks like it{least}.{_unread(len(signed) - len(known))}"
        )
    originals = [await _checks_of(sha256, catalogue) for sha256, _ in near]
    pixels = {checks.pixels_blake3}
    if any(each is not None and each.pixels_sha256 for each in originals):
        pixels.add(await asyncio.to_thread(decode_and_hash_as_before, data, shown_as))
    likenesses = [
        Likeness(sha256=sha256, distance_bits=bits, has_same_pixels=_pixels_of(original) in pixels)
        for (sha256, bits), original in zip(near, originals, strict=True)
    ]
    return tuple(sorted(likenesses, key=lambda each: (not each.has_same_pixels, each.distance_bits)))


def _nearest(fingerprint: str, known: Sequence[Signed]) -> list[tuple[int, int]]:
    """The places of the nearest, and how many bits differ. The older one comes first."""
    (one,) = as_words([fingerprint])
    fulls = unpacked_each(each.signature for each in known)["views"][:, 0]
    distances = distances_bits(one, words_of(fulls))
    order = np.argsort(distances, kind="stable")[:MOST_LIKENESSES]
    return [(int(place), int(distances[place])) for place in order]


def _unread(count: int) -> str:
    said = "of its images are signed by another rule, and were not compared: sign them with `dedupe --sign`."
    return f" {count} {said}" if count else ""


async def _checks_of(sha256: str, catalogue: Catalogue) -> Checks | None:
    entry = await catalogue.get(sha256)
    return None if entry is None else read_record(entry.record_json).checks


def _pixels_of(checks: Checks | None) -> str | None:
    """The hash that a record has of its pixels, by whichever function its format has it."""
    return None if checks is None else checks.pixels_blake3 or checks.pixels_sha256
