from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.brief import Dedupe
from tasks.dedupe import Known, dedupe, judge
from tasks.measured import Checks
from tasks.models import ImageRecord, Verdict

ImageOf = Callable[..., ImageRecord]
SHARED_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
NORMAL = Dedupe()


def print_of(*bits: int) -> str:
    """A fingerprint with these bits set, of 192."""
    return f"{sum(1 << bit for bit in bits):048x}"


def name_of(number: int) -> str:
    return f"{number:02x}" * 32


def checks_of(fingerprint: str) -> Checks:
    return Checks(media_type="image/png", width_px=1, height_px=1, size_bytes=1, fingerprint=fingerprint)


@pytest.fixture
def image(image_of: ImageOf) -> Callable[..., ImageRecord]:
    """Makes an image by number, with a fingerprint of so many bits; a parent is named by its number."""

    def make(number: int, bits: int = 0, *, parent: int | None = None, **changes: Any) -> ImageRecord:
        return image_of(
            sha256=name_of(number),
            parent_sha256=None if parent is None else name_of(parent),
            checks=checks_of(print_of(*range(bits))),
            **changes,
        )

    return make


def known(number: int, bits: int = 0, *, parent: int | None = None, is_keeper: bool = True) -> Known:
    return Known(
        sha256=name_of(number),
        fingerprint=print_of(*range(bits)),
        parent_sha256=None if parent is None else name_of(parent),
        is_keeper=is_keeper,
    )


def kinds(verdicts: tuple[Verdict, ...]) -> dict[str, str]:
    return {verdict.sha256[:2]: verdict.kind for verdict in verdicts}


# Against an oracle, in any order


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Known], int]:
    """New images and archived ones with random parents (also wrong ones, also circles), and a threshold."""
    total = draw(st.integers(1, 9))
    split = draw(st.integers(0, total))
    parents = st.one_of(st.none(), st.integers(0, total))
    fingerprints = st.sets(st.integers(0, 191), max_size=6).map(lambda bits: print_of(*bits))
    archived = [
        Known(
            sha256=name_of(number),
            fingerprint=draw(fingerprints),
            parent_sha256=None if (parent := draw(parents)) is None else name_of(parent),
            is_keeper=draw(st.booleans()),
        )
        for number in range(split)
    ]
    new = [
        {
            "sha256": name_of(number),
            "parent_sha256": None if (parent := draw(parents)) is None else name_of(parent),
            "step": draw(st.integers(0, 2)),
            "position": draw(st.integers(0, 2)),
            "checks": checks_of(draw(fingerprints)),
        }
        for number in range(split, total)
    ]
    return new, archived, draw(st.integers(0, 8))


def oracle(images: list[ImageRecord], archived: list[Known], threshold_bits: int) -> list[tuple[str, str, int]]:
    """The rule said as slowly and plainly as possible: name, its keeper, bits between them."""
    parents = {each.sha256: each.parent_sha256 for each in archived}
    parents |= {each.sha256: each.parent_sha256 for each in images}

    def family(start: str) -> set[str]:
        """All pictures that hang together through parents, from above and from below."""
        found = {start}
        while True:
            up = {parent for child, parent in parents.items() if child in found and parent is not None}
            down = {child for child, parent in parents.items() if parent in found}
            if up | down <= found:
                return found
            found |= up | down

    keepers = [(each.sha256, int(each.fingerprint, 16)) for each in archived if each.is_keeper]
    said = []
    for each in sorted(images, key=lambda image: (image.step, image.position, image.sha256)):
        own, bits = family(each.sha256), int(each.checks.fingerprint, 16)
        near = [(name, (bits ^ other).bit_count()) for name, other in keepers if name not in own]
        name, distance = min(near, key=lambda pair: pair[1], default=("", threshold_bits + 1))
        if distance > threshold_bits:
            keepers.append((each.sha256, bits))
            name, distance = each.sha256, 0
        said.append((each.sha256, name, distance))
    return said


@SHARED_FIXTURE
@given(gallery=galleries(), random=st.randoms(use_true_random=False))
def test_verdicts_are_those_of_the_rule_in_whatever_order_images_come(
    image_of: ImageOf, gallery: tuple[list[dict[str, Any]], list[Known], int], random: Any
) -> None:
    """Exactly the brute-force answer: nearest keeper of another chain, greedy in the canonical order."""
    new, archived, threshold_bits = gallery
    images = [image_of(**changes) for changes in new]
    expected = oracle(images, archived, threshold_bits)
    shuffled = [*images, *images[:2]]
    random.shuffle(shuffled)
    verdicts = judge(shuffled, archived, Dedupe(distance_bits=threshold_bits))

    assert [(each.sha256, each.keeper_sha256, each.distance_bits) for each in verdicts] == expected
    assert all((each.kind == "keeper") == (each.sha256 == each.keeper_sha256) for each in verdicts)


def test_of_equal_bytes_the_first_in_the_plan_counts(image: ImageOf) -> None:
    """Two shots that made the same bytes are judged once, in the place and chain of the earlier, named first or not."""
    early, late = image(9, 0, position=0), image(9, 0, parent=1, position=5)
    between = image(1, 1, position=3)
    for images in ([early, between, late], [late, between, early]):
        assert kinds(judge(images, (), NORMAL)) == {"09": "keeper", "01": "duplicate"}


def test_earlier_steps_come_first_then_the_plan_then_the_hash(image: ImageOf) -> None:
    """The order of verdicts is canonical, so the keeper of a group is the same on every machine."""
    images = [
        image(1, 0, step=1, position=0),
        image(2, 100, step=0, position=1),
        image(3, 150, step=0, position=0),
        image(4, 50, step=0, position=0),
    ]
    assert [verdict.sha256[:2] for verdict in judge(images, (), NORMAL)] == ["03", "04", "02", "01"]


# Never its own chain


def test_an_edit_is_no_duplicate_of_its_own_chain(image: ImageOf) -> None:
    """Parent, grandparent, sister and cousin resemble it on purpose; a stranger that does is a duplicate."""
    images = [
        image(1, 0),
        image(2, 1, parent=1, step=1),
        image(3, 1, parent=1, step=1),
        image(4, 2, parent=2, step=2),
        image(5, 2, parent=3, step=2),
        image(6, 2, step=2),
    ]
    assert kinds(judge(images, (), NORMAL)) == {
        "01": "keeper",
        "02": "keeper",
        "03": "keeper",
        "04": "keeper",
        "05": "keeper",
        "06": "duplicate",
    }


def test_a_chain_goes_on_across_campaigns(image: ImageOf) -> None:
    """An edit of an archived picture is held against everything but its archived forebears, however far back."""
    archived = [known(1, 0), known(2, 1, parent=1), known(3, 1, parent=2, is_keeper=False)]
    (edit,) = judge([image(4, 1, parent=3)], archived, NORMAL)
    assert (edit.kind, edit.reason) == ("keeper", "nothing else to compare it with")
    (stranger,) = judge([image(5, 1)], archived, NORMAL)
    assert (stranger.kind, stranger.keeper_sha256) == ("duplicate", name_of(2))


@pytest.mark.parametrize("parents", [(1, 1, None), (2, 1, None), (2, 3, 1)])
def test_a_circle_of_parents_ends(image: ImageOf, parents: tuple[int | None, ...]) -> None:
    """Only damage makes one; its pictures are one chain, and judging them comes to an end."""
    images = [image(number, 0, parent=parent) for number, parent in enumerate(parents, start=1)]
    in_circle = {name_of(number) for number, parent in enumerate(parents, start=1) if parent is not None}
    for start in (images, images[::-1]):
        keepers = {each.sha256 for each in judge(start, (), NORMAL) if each.kind == "keeper"}
        assert keepers >= in_circle


def test_a_chain_whose_first_picture_is_unknown_is_still_one(image: ImageOf) -> None:
    """Two edits of a picture that is in no list are sisters all the same."""
    assert kinds(judge([image(1, parent=9), image(2, parent=9), image(3)], (), NORMAL)) == {
        "01": "keeper",
        "02": "keeper",
        "03": "duplicate",
    }


# Against the archive


def test_keepers_of_the_archive_win(image: ImageOf) -> None:
    """They were there before: the new picture is the duplicate, and the earlier of two equally near ones is named."""
    (verdict,) = judge([image(1, 3)], [known(7, 2), known(8, 4), known(9, 6)], NORMAL)
    assert verdict == Verdict(
        sha256=name_of(1),
        kind="duplicate",
        keeper_sha256=name_of(7),
        distance_bits=1,
        reason="duplicate of 07070707: 1 of 192 bits apart, threshold 27",
    )


def test_a_duplicate_of_the_archive_is_nobodys_keeper(image: ImageOf) -> None:
    """What repeated another picture does not make new ones repeat it."""
    verdicts = judge([image(1, 40)], [known(7, 0), known(8, 40, is_keeper=False)], NORMAL)
    assert verdicts == (
        Verdict(
            sha256=name_of(1),
            kind="keeper",
            keeper_sha256=name_of(1),
            distance_bits=0,
            reason="nearest other is 07070707: 40 of 192 bits apart",
        ),
    )


def test_an_image_of_the_campaign_is_not_held_against_itself(image: ImageOf) -> None:
    """One that the archive lists too is judged as the campaign's, with the campaign's parent."""
    (verdict,) = judge([image(1)], [known(1)], NORMAL)
    assert (verdict.kind, verdict.reason) == ("keeper", "nothing else to compare it with")


def test_duplicates_do_not_chain(image: ImageOf) -> None:
    """A ~ B and B ~ C make no group of A and C: each one is held against keepers alone."""
    images = [image(number, 20 * number, position=number) for number in range(5)]
    verdicts = judge(images, (), NORMAL)
    assert [(each.kind, each.keeper_sha256[:2], each.distance_bits) for each in verdicts] == [
        ("keeper", "00", 0),
        ("duplicate", "00", 20),
        ("keeper", "02", 0),
        ("duplicate", "02", 20),
        ("keeper", "04", 0),
    ]


# Thresholds


@pytest.mark.parametrize(
    ("rule", "most_bits"),
    [
        ({}, 27),
        ({"threshold": "strict"}, 20),
        ({"threshold": "normal"}, 27),
        ({"threshold": "loose"}, 31),
        ({"threshold": "strict", "distance_bits": 40}, 40),
        ({"threshold": "loose", "distance_bits": 0}, 0),
    ],
)
def test_a_threshold_is_the_last_distance_that_counts(image: ImageOf, rule: dict[str, Any], most_bits: int) -> None:
    """Presets by name; a number overrides them, also zero."""
    for bits, kind in ((most_bits, "duplicate"), (most_bits + 1, "keeper")):
        verdicts = judge([image(1, 0), image(2, bits, position=1)], (), Dedupe.model_validate(rule))
        assert [each.kind for each in verdicts] == ["keeper", kind]


def test_nothing_is_judged_as_nothing() -> None:
    """No images have no verdicts, whatever the archive has."""
    assert judge((), (), NORMAL) == judge((), [known(1)], NORMAL) == ()


async def test_the_task_judges(image: ImageOf) -> None:
    """The task is the same function, started by Prefect."""
    images = [image(1), image(2, position=1)]
    assert await dedupe.fn(images, (), NORMAL) == judge(images, (), NORMAL)


def test_what_a_person_rejected_leads_nobody(image: Callable[..., ImageRecord]) -> None:
    """It is no keeper, whatever it resembles, and what resembles it is held against the others only."""
    images = [image(1, 0), image(2, 1), image(3, 2), image(4, 100)]
    verdicts = judge(images, [known(9, 100)], Dedupe(distance_bits=4), {name_of(1): "too dull", name_of(4): "too dull"})

    assert kinds(verdicts) == {"01": "rejected", "02": "keeper", "03": "duplicate", "04": "rejected"}
    assert verdicts[0] == Verdict(
        sha256=name_of(1), kind="rejected", keeper_sha256=name_of(1), distance_bits=0, reason="too dull"
    )
    assert verdicts[2].keeper_sha256 == name_of(2)
