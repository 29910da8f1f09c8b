from collections.abc import Callable
from typing import Any

import pytest

from tasks import replay
from tasks.models import ImageRecord, ReferenceUse, Shot
from tasks.replay import compare, replay_campaign, verdict_on

ImageOf = Callable[..., ImageRecord]
ShotOf = Callable[..., Shot]


def record_of(shot: Shot, image_of: ImageOf, **changes: Any) -> ImageRecord:
    facts = {name: getattr(shot, name) for name in ("provider", "sandbox", "request", "prompt", "position", "step")}
    more = {"parent_sha256": shot.parent_sha256, "references": shot.references, "again": shot.again}
    return image_of(shot_key=shot.key, **facts, **more, **changes)


@pytest.mark.parametrize("again", [None, "1", "2026-11-20"])
def test_a_record_holds_all_of_its_shot(again: str | None, shot_of: ShotOf, image_of: ImageOf) -> None:
    """What was bought can be asked for again, to the letter: also what a replay has bought."""
    shot = replay.shot_of(record_of(_edited(shot_of(), again), image_of))

    assert shot == _edited(shot_of(), again)
    assert shot.key == record_of(_edited(shot_of(), again), image_of).shot_key


def _edited(shot: Shot, again: str | None) -> Shot:
    references = (ReferenceUse(role="cup", sha256="d" * 64),)
    return shot.model_copy(update={"again": again, "step": 2, "parent_sha256": "c" * 64, "references": references})


def test_a_replay_is_another_purchase_for_each_edition(shot_of: ShotOf) -> None:
    """The ledger must not take it for the first one; without a replay the key is what it always was."""
    shot = shot_of()
    keys = {shot.model_copy(update={"again": again}).key for again in (None, "", "1", "2")}

    assert len(keys) == 4
    assert shot.key == "86ac2851c9d0ca1f3eadbaabb7be6fdb1858f44b9b7e7115d15ae22175411da0"


def test_what_was_made_again_is_compared(image_of: ImageOf) -> None:
    """The same bytes, the same pixels, or how far apart they look."""
    checks = image_of().checks.model_copy(update={"pixels_blake3": "e" * 64})
    original = image_of(checks=checks)
    apart = checks.model_copy(update={"pixels_blake3": "f" * 64, "fingerprint": "7" + "0" * 47})

    assert compare(original, original).said == "the very same bytes"
    assert compare(original, image_of(sha256="1" * 64, checks=checks)).said == "the same pixels, in other bytes"
    assert (
        compare(original, image_of(sha256="1" * 64, checks=apart)).said == "differs in 3 of 192 bits of its fingerprint"
    )


def test_pixels_that_nobody_has_hashed_are_not_the_same(image_of: ImageOf) -> None:
    """Records of the first format have none."""
    assert not compare(image_of(), image_of(sha256="1" * 64)).has_same_pixels


def test_what_was_made_again_repeats_the_image(image_of: ImageOf) -> None:
    """So no later picture is held against it, and the image's own campaign finds its image as it left it."""
    original = image_of()
    made = compare(original, image_of(sha256="1" * 64, campaign=replay_campaign(original), edition="2"))
    verdict = verdict_on(original, made)

    assert (verdict.campaign, verdict.edition) == ("replay-aaaaaaaaaaaa", "2")
    assert (verdict.sha256, verdict.kind, verdict.keeper_sha256) == ("1" * 64, "duplicate", original.sha256)
