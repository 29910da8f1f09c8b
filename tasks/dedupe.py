"""Fingerprints -> verdicts: which pictures are distinct, which repeat another, and why. Nothing is ever deleted.

Greedy leaders in a canonical order: the first picture is a keeper; each next one is a duplicate of the nearest keeper
within the threshold, or a keeper itself. Unlike connected components this cannot chain A ~ B ~ C into one group, and in
a fixed order it gives the same answer whatever the number of workers.
"""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.provider import Frozen
from tasks.brief import Dedupe
from tasks.models import ImageRecord, Verdict
from tasks.near import FINGERPRINT_BITS, THRESHOLD_BITS, as_words, distances_bits


class Keeper(Frozen):
    """A picture that new ones are held against."""

    sha256: str
    fingerprint: str


@task(name="dedupe", cache_policy=NO_CACHE)
async def dedupe(images: Sequence[ImageRecord], archived: Sequence[Keeper], rule: Dedupe) -> tuple[Verdict, ...]:
    """Judges the images of a campaign; a Prefect task around `judge`."""
    return judge(images, archived, rule)


def judge(images: Sequence[ImageRecord], archived: Sequence[Keeper], rule: Dedupe) -> tuple[Verdict, ...]:
    """Gives every image a verdict with a reason.

    The order is canonical: what the archive had before, then earlier steps, the order of the plan, the hash. An image
    is never a duplicate of its own chain: an edit is meant to resemble its parent.

    Args:
        images: Images of the campaign; each SHA-256 is judged once.
        archived: Keepers of earlier campaigns; empty when only the campaign counts.
        rule: Threshold.
    """
    threshold_bits = THRESHOLD_BITS[rule.threshold] if rule.distance_bits is None else rule.distance_bits
    ordered = sorted({image.sha256: image for image in images}.values(), key=_canonical)
    chains = _chains(ordered)
    own = {image.sha256 for image in ordered}
    keepers = [keeper for keeper in archived if keeper.sha256 not in own]
    verdicts = []
    for image in ordered:
        verdict = _verdict(image, keepers, chains, threshold_bits)
        if verdict.kind == "keeper":
            keepers.append(Keeper(sha256=image.sha256, fingerprint=image.checks.fingerprint))
        verdicts.append(verdict)
    return tuple(verdicts)


def _canonical(image: ImageRecord) -> tuple[int, int, str]:
    return image.step, image.position, image.sha256


def _chains(images: Sequence[ImageRecord]) -> dict[str, str]:
    """Names the chain of each image by its first picture. Earlier steps come first."""
    chains: dict[str, str] = {}
    for image in images:
        parent = image.parent_sha256
        chains[image.sha256] = image.sha256 if parent is None else chains.get(parent, parent)
    return chains


def _verdict(image: ImageRecord, keepers: Sequence[Keeper], chains: dict[str, str], threshold_bits: int) -> Verdict:
    chain = chains[image.sha256]
    strangers = [keeper for keeper in keepers if chains.get(keeper.sha256, keeper.sha256) != chain]
    if not strangers:
        return _keeper(image, "the first of its kind")
    own = as_words([image.checks.fingerprint])[0]
    distances = distances_bits(own, as_words([keeper.fingerprint for keeper in strangers]))
    nearest = int(distances.argmin())
    bits = int(distances[nearest])
    twin = strangers[nearest].sha256
    if bits > threshold_bits:
        return _keeper(image, f"nearest other is {twin[:8]}: {bits} of {FINGERPRINT_BITS} bits apart")
    reason = f"duplicate of {twin[:8]}: {bits} of {FINGERPRINT_BITS} bits apart, threshold {threshold_bits}"
    return Verdict(sha256=image.sha256, kind="duplicate", keeper_sha256=twin, distance_bits=bits, reason=reason)


def _keeper(image: ImageRecord, reason: str) -> Verdict:
    return Verdict(sha256=image.sha256, kind="keeper", keeper_sha256=image.sha256, distance_bits=0, reason=reason)
