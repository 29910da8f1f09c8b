"""Fingerprints -> verdicts: which pictures are distinct, which repeat another, and why. Nothing is ever deleted.

Greedy leaders in a canonical order: the first picture is a keeper; each next one is a duplicate of the nearest keeper
within the threshold, or a keeper itself. Unlike connected components this cannot chain A ~ B ~ C into one group, and in
a fixed order it gives the same answer whatever the number of workers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.provider import Frozen
from tasks.brief import Dedupe
from tasks.models import ImageRecord, Verdict
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, as_words, distances_bits


class Known(Frozen):
    """An image that the archive had before, and that new ones are held against."""

    sha256: str
    fingerprint: str
    parent_sha256: str | None
    is_keeper: bool


@task(name="dedupe", cache_policy=NO_CACHE)
async def dedupe(
    images: Sequence[ImageRecord],
    archived: Sequence[Known],
    rule: Dedupe,
    rejected: Mapping[str, str] | None = None,
) -> tuple[Verdict, ...]:
    """Judges the images of a campaign; a Prefect task around `judge`."""
    return judge(images, archived, rule, rejected)


def judge(
    images: Sequence[ImageRecord],
    archived: Sequence[Known],
    rule: Dedupe,
    rejected: Mapping[str, str] | None = None,
) -> tuple[Verdict, ...]:
    """Gives every image a verdict with a reason.

    The order is canonical: what the archive had before, then earlier steps, the order of the plan, the hash. An image
    is never a duplicate of its own chain: an edit is meant to resemble its parent.

    Args:
        images: Images of the campaign; each SHA-256 is judged once.
        archived: Images of earlier campaigns; empty when only the campaign counts.
        rule: Threshold.
        rejected: What people have put aside: SHA-256 and reason. Nothing is a duplicate of such a picture.
    """
    threshold_bits = THRESHOLD_BITS[rule.threshold] if rule.distance_bits is None else rule.distance_bits
    ordered = _once_each(sorted(images, key=_canonical))
    own = {image.sha256 for image in ordered}
    known = [each for each in archived if each.sha256 not in own]
    leaders = _Leaders(_Roots([*known, *ordered]), capacity=len(known) + len(ordered))
    for each in known:
        if each.is_keeper:
            leaders.add(each.sha256, each.fingerprint)
    reasons = rejected or {}
    verdicts = []
    for image in ordered:
        if image.sha256 in reasons:
            verdicts.append(_put_aside(image, reasons[image.sha256]))
            continue
        verdict = _verdict(image, leaders.nearest_to(image.sha256, image.checks.fingerprint), threshold_bits)
        if verdict.kind == "keeper":
            leaders.add(image.sha256, image.checks.fingerprint)
        verdicts.append(verdict)
    return tuple(verdicts)


class _Near(NamedTuple):
    sha256: str
    distance_bits: int


class _Roots:
    """Knows the first picture of every chain of edits."""

    def __init__(self, images: Iterable[Known | ImageRecord]) -> None:
        self._parents = {image.sha256: image.parent_sha256 for image in images}
        self._roots: dict[str, str] = {}

    def of(self, sha256: str) -> str:
        """Follows the parents as far as they are known; a circle, which only damage can make, ends where it began."""
        path: dict[str, None] = {}
        here = sha256
        while here not in path and (parent := self._parents.get(here)) is not None:
            path[here] = None
            here = self._roots.get(parent, parent)
        self._roots |= dict.fromkeys(path, here)
        return here


class _Leaders:
    """The keepers so far, in arrays that are compared at once."""

    def __init__(self, roots: _Roots, capacity: int) -> None:
        self._roots = roots
        self._sha256s: list[str] = []
        self._words = np.empty((capacity, 3), dtype=np.uint64)
        self._chains = np.empty(capacity, dtype=np.int64)
        self._numbers: dict[str, int] = {}

    def add(self, sha256: str, fingerprint: str) -> None:
        """Makes an image a keeper."""
        row = len(self._sha256s)
        self._words[row] = as_words([fingerprint])[0]
        self._chains[row] = self._chain(sha256)
        self._sha256s.append(sha256)

    def nearest_to(self, sha256: str, fingerprint: str) -> _Near | None:
        """Finds the nearest keeper of another chain; the earlier one of two that are equally near."""
        count = len(self._sha256s)
        strangers = np.flatnonzero(self._chains[:count] != self._chain(sha256))
        if strangers.size == 0:
            return None
        distances = distances_bits(as_words([fingerprint])[0], self._words[strangers])
        nearest = int(distances.argmin())
        return _Near(self._sha256s[strangers[nearest]], int(distances[nearest]))

    def _chain(self, sha256: str) -> int:
        return self._numbers.setdefault(self._roots.of(sha256), len(self._numbers))


def _canonical(image: ImageRecord) -> tuple[int, int, str, str]:
    return image.step, image.position, image.sha256, image.shot_key


def _once_each(images: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Leaves of equal bytes the first ones."""
    once: dict[str, ImageRecord] = {}
    for image in images:
        once.setdefault(image.sha256, image)
    return list(once.values())


def _verdict(image: ImageRecord, nearest: _Near | None, threshold_bits: int) -> Verdict:
    if nearest is None:
        return _keeper(image, "nothing else to compare it with")
    twin, bits = nearest
    if bits > threshold_bits:
        return _keeper(image, f"nearest other is {twin[:8]}: {bits} of {FINGERPRINT_BITS} bits apart")
    reason = f"duplicate of {twin[:8]}: {bits} of {FINGERPRINT_BITS} bits apart, threshold {threshold_bits}"
    return Verdict(sha256=image.sha256, kind="duplicate", keeper_sha256=twin, distance_bits=bits, reason=reason)


def _keeper(image: ImageRecord, reason: str) -> Verdict:
    return Verdict(sha256=image.sha256, kind="keeper", keeper_sha256=image.sha256, distance_bits=0, reason=reason)


def _put_aside(image: ImageRecord, reason: str) -> Verdict:
    return Verdict(sha256=image.sha256, kind="rejected", keeper_sha256=image.sha256, distance_bits=0, reason=reason)
