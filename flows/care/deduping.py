"""Judges a whole archive anew, or says what that would change."""

from blocks.errors import BriefError
from blocks.provider import Frozen
from flows.archives import existing_archive
from flows.care.tables import publish_rejudged
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.brief import Dedupe
from tasks.near import THRESHOLD_BITS
from tasks.rejudging import Rejudged, rejudge
from tasks.signing_anew import SignedAnew, sign_anew
from tasks.steps import Steps

THRESHOLD = "normal"
MOST_BITS = 96


class Deduped(Frozen):
    """What came of it."""

    signed: SignedAnew | None
    """None where nothing was to be signed anew."""
    rejudged: Rejudged


@runnable(name="dedupe")
async def dedupe(
    threshold: str = THRESHOLD, apply: bool = False, sign: bool = False, archive: ArchiveInput = None
) -> Deduped:
    """Holds all pictures of an archive against each other by one rule. Deletes nothing, and buys nothing.

    Says only which verdicts would change, unless it is told to write them. What people have decided holds.

    Args:
        threshold: What counts as a repeat: strict, normal, loose, or a number of bits of 192.
        apply: Write the verdicts.
        sign: First sign the pictures anew that are signed by another rule, or not at all.
        archive: Where they are. If left out: the saved block named default, or the folder named archive.

    Raises:
        BriefError: The threshold is none.
        SetupError: There is no archive.
    """
    rule = rule_of(threshold)
    block = await existing_archive(archive)
    async with block.open() as opened:
        signed = await sign_anew(opened, on_progress=Steps("signed")) if sign else None
        rejudged = await rejudge(opened, rule, is_applied=apply, on_read=Steps("read"), on_placed=Steps("compared"))
    deduped = Deduped(signed=signed, rejudged=rejudged)
    await publish_rejudged(rejudged)
    await keep_history()
    return deduped


def rule_of(threshold: str) -> Dedupe:
    """Reads a threshold: its name, or a number of bits.

    Raises:
        BriefError: It is neither.
    """
    name = threshold.strip().lower()
    if name in THRESHOLD_BITS:
        return Dedupe.model_validate({"threshold": name})
    if name.isascii() and name.isdigit() and len(name) < 4 and int(name) <= MOST_BITS:
        return Dedupe(distance_bits=int(name))
    raise BriefError(
        f"{threshold!r} is no threshold: {', '.join(THRESHOLD_BITS)}, or 0 to {MOST_BITS} bits.", where="threshold"
    )
