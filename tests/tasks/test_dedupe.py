import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.brief import Dedupe
from tasks.dedupe import Known, Wishes, dedupe, detail_octaves, judge, rule_text
from tasks.measured import Checks, Drift, Quality
from tasks.models import ImageRecord, Verdict
from tasks.signature import SIGNATURE_RULE
from tests.tasks.rows import PLAIN, print_of, row_of, signature_of

ImageOf = Callable[..., ImageRecord]
NORMAL = Dedupe()
RULE = f"{SIGNATURE_RULE} <=27 +crops +mirror"
DISTINCT = "distinct: no keeper of another chain within 27 of 192 bits"


def name_of(number: int) -> str:
    return f"{number:02x}" * 32


@pytest.fixture
def image(image_of: ImageOf) -> ImageOf:
    """Makes an image by number, with a signature of so many bits; a parent is named by its number."""

    def make(number: int, bits: int = 0, *, parent: int | None = None, **changes: Any) -> ImageRecord:
        looks = {key: changes.pop(key) for key in ("crop", "mirror", "hue", "detail", "gradient") if key in changes}
        checks = {key: changes.pop(key) for key in ("quality", "flags", "width_px") if key in changes}
        return image_of(
            sha256=name_of(number),
            parent_sha256=None if parent is None else name_of(parent),
            checks=Checks.model_validate(
                {
                    "media_type": "image/png",
                    "width_px": 64,
                    "height_px": 64,
                    "size_bytes": 1,
                    "fingerprint": print_of(range(bits)),
                    "signature": signature_of(range(bits), **looks),
                    **checks,
                }
            ),
            **changes,
        )

    return make


def known(number: int, bits: int = 0, *, parent: int | None = None, is_keeper: bool = True) -> Known:
    return Known(
        sha256=name_of(number),
        signature=row_of(range(bits)),
        parent_sha256=None if parent is None else name_of(parent),
        is_keeper=is_keeper,
    )


def kinds(verdicts: tuple[Verdict, ...]) -> dict[str, str]:
    return {verdict.sha256[:2]: verdict.kind for verdict in verdicts}


def keeper(number: int, reason: str = DISTINCT, **changes: Any) -> Verdict:
    name = name_of(number)
    return Verdict.model_validate(
        {"sha256": name, "kind": "keeper", "keeper_sha256": name, "distance_bits": 0, "reason": reason, "rule": RULE}
        | changes
    )


# What is said


def test_a_verdict_says_what_decided(image: ImageOf) -> None:
    """The keeper, how far and in what way, why it is the keeper, and by which rule."""
    flipped = range(60, 90)
    images = [image(1, mirror=flipped), image(2, 9), image(3, 100)]
    images.append(images[0].model_copy(update={"sha256": name_of(4), "checks": _looks_like(images[0], flipped)}))

    assert judge(images, (), NORMAL) == (
        keeper(1),
        Verdict(
            sha256=name_of(2),
            kind="duplicate",
            keeper_sha256=name_of(1),
            distance_bits=9,
            how="copy",
            reason="duplicate of 01010101: 9 of 192 bits; keeper has the smaller hash",
            rule=RULE,
        ),
        keeper(3),
        Verdict(
            sha256=name_of(4),
            kind="duplicate",
            keeper_sha256=name_of(1),
            distance_bits=0,
            how="mirror",
            reason="duplicate of 01010101, mirrored: 0 of 192 bits; keeper has the smaller hash",
            rule=RULE,
        ),
    )


def _looks_like(image: ImageRecord, bits: range) -> Checks:
    return image.checks.model_copy(update={"signature": signature_of(bits, crop=range(140, 190))})


def test_a_colour_variant_is_kept_and_called_so(image: ImageOf) -> None:
    """Who asks for a red teapot and a blue one wants both; of unknown colours it is a repeat, and with a tint."""
    images = [image(1), image(2, 3, hue=113), _unsigned(image(3, 4)), image(4, hue=112), image(5, hue=106)]
    variant, old, tinted, same = judge(images, (), NORMAL)[1:]

    said = "colour variant of 01010101: 3 of 192 bits"
    assert variant == keeper(2, said, is_color_variant=True)
    assert (old.kind, old.distance_bits) == ("duplicate", 1)
    assert (tinted.is_color_variant, tinted.reason) == (
        True,
        "duplicate of 01010101, tinted: 0 of 192 bits; keeper has the smaller hash",
    )
    assert (same.kind, same.is_color_variant) == ("duplicate", False)


def _unsigned(image: ImageRecord) -> ImageRecord:
    return image.model_copy(update={"checks": image.checks.model_copy(update={"signature": None})})


def test_plain_pictures_have_to_be_nearer(image: ImageOf) -> None:
    """All of them resemble each other."""
    plain, near = judge([image(1, **PLAIN), image(2, 13, **PLAIN), image(3, 12, **PLAIN)], (), NORMAL)[1:]
    assert (plain.kind, plain.reason) == ("keeper", "distinct: no keeper of another chain within 12 of 192 bits")
    assert (near.kind, near.keeper_sha256, near.distance_bits) == ("duplicate", name_of(2), 1)


def test_the_rule_is_named_with_all_that_counts() -> None:
    """A verdict in the catalogue says by itself what it was found by."""
    assert rule_text(NORMAL) == RULE
    strict = Dedupe(threshold="strict", crops=False, mirror=False, within_chain=True)
    assert rule_text(strict) == f"{SIGNATURE_RULE} <=20 +within chain"


# In one order


def test_verdicts_do_not_depend_on_the_order_of_anything(image: ImageOf) -> None:
    """New images, archived ones and workers: the same verdicts with the same words, in the same order."""
    draw = random.Random(1)
    images = [
        image(number, 9 * draw.randrange(9) + draw.randrange(3), position=number % 7, step=number % 2)
        for number in range(40)
    ]
    archived = [known(number, draw.choice((0, 40)), is_keeper=number % 3 > 0) for number in range(40, 70)]
    expected = judge(images, archived, NORMAL)
    assert {verdict.kind for verdict in expected} == {"keeper", "duplicate"}
    for _ in range(50):
        draw.shuffle(images)
        draw.shuffle(archived)
        assert judge([*images, images[0]], archived, NORMAL, workers=draw.choice((1, 2, 8))) == expected


def test_of_equal_bytes_the_first_in_the_plan_counts(image: ImageOf) -> None:
    """Two shots that made the same bytes are judged once, in the chain of the earlier, named first or not."""
    early, late = image(9, position=0), image(9, parent=1, position=5)
    between = image(1, 1, position=3)
    for images in ([early, between, late], [late, between, early]):
        assert kinds(judge(images, (), NORMAL)) == {"01": "keeper", "09": "duplicate"}


@pytest.mark.parametrize(
    ("better", "worse", "because"),
    [
        ({"step": 0}, {"step": 1, "quality": (9000.0, 0.0)}, "was edited less"),
        ({"quality": (1.0, 0.0)}, {"flags": ("flat",), "quality": (9000.0, 0.0)}, "is not flagged"),
        ({"quality": (100.0, 0.0)}, {"quality": (10.0, 0.0), "width_px": 128}, "has more detail"),
        ({"width_px": 65}, {}, "is larger"),
        ({"made_at": datetime(2024, 1, 1, tzinfo=UTC)}, {}, "is older"),
    ],
)
def test_of_two_that_are_alike_the_better_one_is_kept(
    image: ImageOf, better: dict[str, Any], worse: dict[str, Any], because: str
) -> None:
    """By lineage, flags, detail, size and age, in this order; whatever its hash and its place in the plan."""

    def made(number: int, changes: dict[str, Any], **place: int) -> ImageRecord:
        quality = changes.get("quality", (50.0, 0.0))
        measured = Quality(sharpness=quality[0], contrast=0.5, clipped_share=quality[1], entropy_bits=7)
        return image(number, number, **{**place, **changes, "quality": measured})

    one, other = made(2, better, position=5), made(1, worse, position=0)
    verdicts = {each.sha256: each for each in judge([one, other], (), NORMAL)}
    assert verdicts[one.sha256].kind == "keeper"
    assert verdicts[other.sha256].reason == f"duplicate of 02020202: 1 of 192 bits; keeper {because}"


def test_an_edit_that_changed_nothing_is_flagged(image: ImageOf) -> None:
    """Of two edits that are alike the one that did something is kept."""
    same = Drift(changed_share=0, mean_change=0, color_shift=0)
    idle, edited = image(1, step=1, drift=same), image(2, 1, step=1, drift=same.model_copy(update={"changed_share": 1}))
    assert kinds(judge([idle, edited], (), NORMAL)) == {"02": "keeper", "01": "duplicate"}


def test_detail_goes_in_steps_of_two() -> None:
    """Grain of a few per cent decides nothing; half the size, which is sharper by the pixel, has less detail."""
    assert detail_octaves(100, 4096) == detail_octaves(108, 4096) < detail_octaves(200, 4096)
    assert detail_octaves(0, 4096) == 0
    assert detail_octaves(180, 1024) < detail_octaves(100, 4096)


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
    expected = dict.fromkeys(("01", "02", "03", "04", "05"), "keeper") | {"06": "duplicate"}
    assert kinds(judge(images, (), NORMAL)) == expected


def test_within_a_chain_where_the_brief_asks_for_it(image: ImageOf) -> None:
    """An edit that is like its parent is a duplicate of it then; one that is like none is none."""
    images = [image(1), image(2, 1, parent=1, step=1), image(3, 50, parent=1, step=1)]
    verdicts = judge(images, (), Dedupe(within_chain=True))
    assert [each.reason for each in verdicts] == [
        "distinct: no other keeper within 27 of 192 bits",
        "duplicate of 01010101: 1 of 192 bits; keeper is its parent",
        "distinct: no other keeper within 27 of 192 bits",
    ]


def test_a_chain_goes_on_across_campaigns(image: ImageOf) -> None:
    """An edit of an archived picture is held against everything but its archived forebears, however far back."""
    archived = [known(1, 0), known(2, 1, parent=1), known(3, 1, parent=2, is_keeper=False)]
    assert judge([image(4, 1, parent=3)], archived, NORMAL) == (keeper(4),)
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
    expected = {"01": "keeper", "02": "keeper", "03": "duplicate"}
    assert kinds(judge([image(1, parent=9), image(2, parent=9), image(3)], (), NORMAL)) == expected


# Against the archive


def test_keepers_of_the_archive_win(image: ImageOf) -> None:
    """They were there before, whatever speaks for the new one."""
    (verdict,) = judge([image(1, 3)], [known(7, 2), known(8, 5)], NORMAL, Wishes(stars={name_of(1): 5}))
    assert (verdict.keeper_sha256, verdict.reason) == (
        name_of(7),
        "duplicate of 07070707: 1 of 192 bits; keeper was there before",
    )


def test_a_duplicate_of_the_archive_is_nobodys_keeper(image: ImageOf) -> None:
    """What repeated another picture does not make new ones repeat it."""
    assert judge([image(1, 40)], [known(7, 0), known(8, 40, is_keeper=False)], NORMAL) == (keeper(1),)


def test_an_image_of_the_campaign_is_not_held_against_itself(image: ImageOf) -> None:
    """One that the archive lists too is judged as the campaign's; its signature there is the newer one."""
    assert judge([image(1)], [known(1)], NORMAL) == (keeper(1),)
    assert kinds(judge([_unsigned(image(1)), image(2, 40)], [known(1, 40)], NORMAL)) == {
        "01": "keeper",
        "02": "duplicate",
    }


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
    assert await dedupe.fn(images, (), NORMAL, Wishes()) == judge(images, (), NORMAL)


# What people have said


def test_what_a_person_rejected_leads_nobody(image: ImageOf) -> None:
    """It is no keeper, whatever it resembles, and what resembles it is held against the others only."""
    images = [image(1, 0), image(2, 1), image(3, 2), image(4, 100)]
    rejected = {name_of(1): "too dull", name_of(4): "too dull"}
    verdicts = judge(images, [known(9, 100)], Dedupe(distance_bits=4), Wishes(rejected=rejected))

    assert kinds(verdicts) == {"01": "rejected", "02": "keeper", "03": "duplicate", "04": "rejected"}
    assert (verdicts[0].keeper_sha256, verdicts[0].reason) == (name_of(1), "too dull")
    assert verdicts[2].keeper_sha256 == name_of(2)


def test_what_a_person_kept_is_a_keeper(image: ImageOf) -> None:
    """And leads the others of its campaign; one that was also rejected is rejected."""
    wishes = Wishes(kept=frozenset({name_of(2), name_of(3)}), rejected={name_of(3): "too dull"})
    verdicts = judge([image(1), image(2, 1), image(3, 2)], [known(9)], NORMAL, wishes)

    assert kinds(verdicts) == {"01": "duplicate", "02": "keeper", "03": "rejected"}
    assert {each.sha256[:2]: each.reason for each in verdicts}["02"] == (
        "kept by a person, although like 09090909: 1 of 192 bits"
    )


def test_stars_make_a_keeper_and_told_apart_pictures_are_two(image: ImageOf) -> None:
    """Approval comes before all that the pixels say; what no duplicates are, a person knows."""
    images = [image(1), image(2, 1)]
    assert kinds(judge(images, (), NORMAL, Wishes(stars={name_of(2): 1}))) == {"02": "keeper", "01": "duplicate"}
    apart = Wishes(apart=frozenset({frozenset((name_of(1), name_of(2)))}))
    assert [each.reason for each in judge(images, (), NORMAL, apart)] == [
        DISTINCT,
        "told apart by a person from 01010101: 1 of 192 bits",
    ]


def test_a_keeper_of_an_earlier_run_stays_one(image: ImageOf) -> None:
    """Edits were bought of it: no better picture displaces it, no restored one, and none of another campaign."""
    dull, fine = image(1, 0, position=0), image(2, 5, position=1, width_px=128)
    before = Wishes(keepers_before=frozenset({dull.sha256}))
    assert [each.kind for each in judge([dull, fine], [], NORMAL)] == ["duplicate", "keeper"]

    stays = judge([dull, fine], [], NORMAL, before)
    assert [(each.kind, each.reason) for each in stays] == [
        ("keeper", DISTINCT),
        ("duplicate", f"duplicate of {name_of(1)[:8]}: 5 of 192 bits; keeper was it already"),
    ]
    restored = Wishes(keepers_before=before.keepers_before, kept=frozenset({fine.sha256}))
    assert [(each.kind, each.reason) for each in judge([dull, fine], [], NORMAL, restored)] == [
        ("keeper", f"keeper already, although like {name_of(2)[:8]}: 5 of 192 bits"),
        ("keeper", "kept by a person"),
    ]
    others = judge([dull, fine], [known(3, 2)], NORMAL, before)
    assert [each.kind for each in others] == ["keeper", "duplicate"]


def test_a_keeper_that_was_rejected_since_stays_none(image: ImageOf) -> None:
    """What a person puts aside is not held up by what was said before."""
    first, second = image(1, 0, position=0), image(2, 5, position=1)
    wishes = Wishes(keepers_before=frozenset({first.sha256}), rejected={first.sha256: "dull"})
    assert [each.kind for each in judge([first, second], [], NORMAL, wishes)] == ["rejected", "keeper"]


def test_the_same_reason_is_said_each_time(image: ImageOf) -> None:
    """A run again finds its keepers on record, and comes to the same words."""
    images = [image(1, 0, position=0), image(2, 5, position=1)]
    first = judge(images, [], NORMAL)
    before = Wishes(keepers_before=frozenset(each.sha256 for each in first if each.kind == "keeper"))
    assert judge(images, [], NORMAL, before) == first
