"""An image's own request once more: rebuilt from its record, and what came of it held against the image."""

from blocks.archive.catalogue import VerdictRow
from blocks.provider import Frozen
from tasks.models import ImageRecord, Shot
from tasks.near import FINGERPRINT_BITS, FINGERPRINT_RULE, as_words, distances_bits

_DIGITS = 12


class Comparison(Frozen):
    """What a replay has made, beside what was made first."""

    record: ImageRecord
    distance_bits: int
    has_same_bytes: bool
    has_same_pixels: bool

    @property
    def said(self) -> str:
        """In words."""
        if self.has_same_bytes:
            return "the very same bytes"
        if self.has_same_pixels:
            return "the same pixels, in other bytes"
        return f"differs in {self.distance_bits} of {FINGERPRINT_BITS} bits of its fingerprint"


def shot_of(record: ImageRecord) -> Shot:
    """Rebuilds the shot that made an image. Its key is the record's `shot_key`, if nothing was forgotten."""
    return Shot(
        provider=record.provider,
        sandbox=record.sandbox,
        request=record.request,
        prompt=record.prompt,
        position=record.position,
        step=record.step,
        parent_sha256=record.parent_sha256,
        references=record.references,
        again=record.again,
    )


def replay_campaign(record: ImageRecord) -> str:
    """Names the campaign that the replays of an image belong to: they change nothing of the one that made it."""
    return f"replay-{record.sha256[:_DIGITS]}"


def compare(original: ImageRecord, made: ImageRecord) -> Comparison:
    """Holds an image against the one whose request it was made from."""
    one, other = as_words([original.checks.fingerprint, made.checks.fingerprint])
    pixels = original.checks.pixels_blake3  # what is not known, as in records of former formats, is not the same
    return Comparison(
        record=made,
        distance_bits=int(distances_bits(one, other.reshape(1, -1))[0]),
        has_same_bytes=made.sha256 == original.sha256,
        has_same_pixels=pixels is not None and pixels == made.checks.pixels_blake3,
    )


def verdict_on(original: ImageRecord, compared: Comparison) -> VerdictRow:
    """Says that an image repeats the one whose request it was made from, so that no other is held against it."""
    return VerdictRow(
        campaign=replay_campaign(original),
        edition=compared.record.edition,
        sha256=compared.record.sha256,
        kind="duplicate",
        keeper_sha256=original.sha256,
        distance_bits=compared.distance_bits,
        reason=f"made again from the same request; {compared.said}",
        rule=FINGERPRINT_RULE,
    )
