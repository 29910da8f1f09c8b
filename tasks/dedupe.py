"""Signatures -> verdicts: which pictures are distinct, which repeat another, and why. Nothing is ever deleted.

`tasks/likeness.py` says what is alike, `tasks/grouping.py` who leads and who follows; this says it of images.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.provider import Frozen
from tasks.brief import Dedupe
from tasks.change_limits import is_unchanged
from tasks.grouping import COLOR_VARIANT, KEPT, STANDING, Entrant, Merits, Pair, Placing, group
from tasks.likeness import Alikeness
from tasks.measured import HOW_IN_WORDS
from tasks.models import ImageRecord, Verdict
from tasks.near import FINGERPRINT_BITS
from tasks.signature import SIGNATURE_RULE, signature_row

WORKERS = 2
"""Threads that compare; more of them hardly pay."""

_DIGITS = 8


class Known(Frozen):
    """An image that the archive had before, and that new ones are held against."""

    sha256: str
    signature: bytes
    parent_sha256: str | None
    is_keeper: bool


class Wishes(Frozen):
    """What people have said of pictures, and what they were told."""

    rejected: Mapping[str, str] = {}
    """SHA-256 of what was put aside, and why. Nothing is a duplicate of such a picture."""
    kept: frozenset[str] = frozenset()
    """What was kept by name: it is a keeper, whatever it resembles."""
    stars: Mapping[str, int] = {}
    apart: frozenset[Pair] = frozenset()
    """Pairs that are no duplicates of each other."""
    keepers_before: frozenset[str] = frozenset()
    """What this edition has found to be keepers before, by the same rule. They stay: edits were bought of them."""


@task(name="dedupe", cache_policy=NO_CACHE)
async def dedupe(
    images: Sequence[ImageRecord], archived: Sequence[Known], rule: Dedupe, wishes: Wishes
) -> tuple[Verdict, ...]:
    """Judges the images of a campaign; a Prefect task around `judge`."""
    return await asyncio.to_thread(judge, images, archived, rule, wishes)


def judge(
    images: Sequence[ImageRecord],
    archived: Sequence[Known],
    rule: Dedupe,
    wishes: Wishes | None = None,
    *,
    workers: int = WORKERS,
) -> tuple[Verdict, ...]:
    """Gives every image a verdict with a reason; the verdicts come in the order of the plan.

    An image is never a duplicate of its own chain, unless the rule says so: an edit is meant to resemble its parent.

    Args:
        images: Images of the campaign; each SHA-256 is judged once.
        archived: Images of earlier campaigns; empty when only the campaign counts. Their keepers stay keepers. Of
            images of the campaign itself it may tell the signature, where it is newer than that of their record.
        rule: What counts as a repeat.
        wishes: What people have said.
        workers: Threads that compare; the verdicts are the same with any number of them.
    """
    wishes = wishes or Wishes()
    own = {image.sha256: image for image in sorted(images, key=_in_plan, reverse=True)}
    signed = {each.sha256: each.signature for each in archived}
    known = [each for each in archived if each.sha256 not in own]
    parents = {each.sha256: each.parent_sha256 for each in known}
    parents |= {image.sha256: image.parent_sha256 for image in own.values()}
    roots = Roots(parents, within_chain=rule.within_chain)
    entrants = [_settled(each, roots) for each in known if each.is_keeper]
    entrants += [
        entrant_of(image, signed.get(image.sha256) or signature_of(image), roots, wishes) for image in own.values()
    ]
    alike = Alikeness.of(rule)
    placings = {each.name: each for each in group(entrants, alike, apart=wishes.apart, workers=workers)}
    return tuple(verdict_on(placings[sha256], rule, wishes.rejected) for sha256 in reversed(own))


def verdict_on(placing: Placing, rule: Dedupe, rejected: Mapping[str, str]) -> Verdict:
    """Says in words what became of a picture."""
    found = Verdict(
        sha256=placing.name,
        kind="keeper",
        keeper_sha256=placing.name,
        distance_bits=0,
        reason=_reason(placing, rule),
        rule=rule_text(rule),
    )
    if placing.name in rejected:
        return found.model_copy(update={"kind": "rejected", "reason": rejected[placing.name]})
    if not placing.follows or placing.resemblance is None:
        return found.model_copy(update={"is_color_variant": placing.has_other_colors})
    near = placing.resemblance
    repeats = {"keeper_sha256": placing.leader, "distance_bits": near.distance_bits, "how": near.how}
    repeats["is_color_variant"] = placing.has_other_colors
    return found.model_copy(update={"kind": "duplicate", **repeats})


def rule_text(rule: Dedupe) -> str:
    """Names what decided: signature, threshold, and what else counts."""
    bits, crops, mirror = Alikeness.of(rule)
    options = {"crops": crops, "mirror": mirror, "within chain": rule.within_chain, "alone": rule.scope == "campaign"}
    return " ".join((SIGNATURE_RULE, f"<={bits}", *(f"+{name}" for name, is_on in options.items() if is_on)))


def entrant_of(image: ImageRecord, signature: bytes, roots: "Roots", wishes: Wishes) -> Entrant:
    """Enters an image, with all that speaks for it."""
    sha256, checks = image.sha256, image.checks
    is_kept = sha256 in wishes.kept and sha256 not in wishes.rejected
    was_keeper = sha256 in wishes.keepers_before and sha256 not in wishes.rejected
    sharpness = 0.0 if checks.quality is None else checks.quality.sharpness
    merits = Merits(
        is_unasked=not is_kept,
        is_unsettled=not was_keeper,
        minus_stars=-wishes.stars.get(sha256, 0),
        edits=image.step,
        is_flagged=bool(checks.flags) or (image.drift is not None and is_unchanged(image.drift)),
        minus_quality=-detail_octaves(sharpness, checks.width_px * checks.height_px),
        minus_pixels=-checks.width_px * checks.height_px,
        made_at=image.made_at.timestamp(),
        sha256=sha256,
    )
    return Entrant(
        name=sha256,
        signature=signature,
        chain=roots.of(sha256),
        parent=image.parent_sha256,
        merits=merits,
        may_lead=sha256 not in wishes.rejected,
    )


def signature_of(image: ImageRecord) -> bytes:
    """The signature in an image's record; the fingerprint alone where it is of another rule."""
    rule, signature = signature_row(image.checks)
    return signature if rule == SIGNATURE_RULE else bytes.fromhex(image.checks.fingerprint)


def detail_octaves(sharpness: float, pixels: int) -> int:
    """How much detail a picture has, in steps of two: variance of the Laplacian, times pixels.

    Of the figures that are measured this one is wrong least often. Of 24 pictures of the sandbox and copies of them it
    put the original first in all cases of blur, of half and of twice the size, and never last after JPEG and WebP;
    sharpness alone preferred 19 of 24 pictures of half the size. Steps, so that a little grain does not decide. It is
    deceived by strong noise, sharpening and contrast, which is why lineage comes first.
    """
    return round(math.log2(1 + sharpness * pixels))


class Roots:
    """Knows the first picture of every chain of edits.

    Args:
        parents: The parent of each picture, or None.
        within_chain: Let every picture be a chain of its own.
    """

    def __init__(self, parents: Mapping[str, str | None], *, within_chain: bool = False) -> None:
        self._parents = {} if within_chain else parents
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


def _settled(known: Known, roots: Roots) -> Entrant:
    merits = Merits(is_new=False, sha256=known.sha256)
    return Entrant(known.sha256, known.signature, roots.of(known.sha256), known.parent_sha256, merits)


def _in_plan(image: ImageRecord) -> tuple[int, int, str, str]:
    return image.step, image.position, image.sha256, image.shot_key


def _reason(placing: Placing, rule: Dedupe) -> str:
    near, of_192 = placing.resemblance, f"of {FINGERPRINT_BITS} bits"
    if near is None:
        which = "other keeper" if rule.within_chain else "keeper of another chain"
        return placing.because or f"distinct: no {which} within {placing.threshold_bits} {of_192}"
    twin = f"{(placing.leader or '')[:_DIGITS]}{HOW_IN_WORDS[near.how]}"
    apart = f"{near.distance_bits} {of_192}"
    if placing.follows:
        tinted = ", tinted" if placing.has_other_colors else ""
        return f"duplicate of {twin}{tinted}: {apart}; keeper {placing.because}"
    twin = f"{twin}: {apart}"
    if placing.because == COLOR_VARIANT:
        return f"colour variant of {twin}"
    insists = placing.because in {KEPT, STANDING}
    return f"{placing.because}, although like {twin}" if insists else f"{placing.because} from {twin}"
