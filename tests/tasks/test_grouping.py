import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.grouping import MOST_PAIRS, OTHER_COLORS_LEVELS, Entrant, Merits, Pair, Placing, group
from tasks.likeness import Alikeness, Likenesses, all_pairs, are_alike, resemblance
from tasks.measured import Signature
from tasks.signature import PACKED, are_color_variants, packed, unpacked
from tests.tasks.rows import PLAIN, row_of, signature_of

NORMAL = Alikeness(27)


def entrant(name: str, bits: int = 0, **changes: Any) -> Entrant:
    """A picture with so many bits set; its hash is its name."""
    signature = row_of(range(bits), **{key: changes.pop(key) for key in ("hue", "crop", "mirror") if key in changes})
    merits = Merits(sha256=name, **{key: changes.pop(key) for key in Merits._fields if key in changes})
    return Entrant(name, signature, **{"chain": name, "merits": merits, **changes})


def leaders(placings: tuple[Placing, ...]) -> dict[str, str]:
    """Whom each picture follows; itself, where it leads."""
    return {each.name: each.leader or "" if each.follows else each.name for each in placings}


# Against an oracle


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[Entrant], frozenset[Pair], Alikeness]:
    """Some pictures, settled or new, with everything that matters drawn at random, from few values."""
    bits = st.sets(st.integers(0, 191), max_size=5)
    entrants = [
        Entrant(
            name=f"{number:02}",
            signature=packed(
                signature_of(
                    draw(bits),
                    crop=draw(bits),
                    mirror=draw(bits),
                    hue=draw(st.sampled_from((100, 120))),
                    **draw(st.sampled_from(({}, {}, PLAIN))),
                )
            ),
            chain=draw(st.sampled_from("abcdefgh")),
            parent=None,
            merits=Merits(
                is_new=draw(st.booleans()),
                is_unasked=draw(st.integers(0, 5)) > 0,
                minus_stars=-draw(st.integers(0, 1)),
                edits=draw(st.integers(0, 1)),
                sha256=f"{number:02}",
            ),
            may_lead=draw(st.integers(0, 5)) > 0,
        )
        for number in range(draw(st.integers(1, 9)))
    ]
    pairs = st.tuples(st.sampled_from(entrants), st.sampled_from(entrants)).filter(lambda pair: pair[0] != pair[1])
    apart = (
        draw(st.sets(pairs.map(lambda pair: frozenset(each.name for each in pair)), max_size=3)) if entrants[1:] else ()
    )
    return entrants, frozenset(apart), Alikeness(draw(st.integers(0, 9)), draw(st.booleans()), draw(st.booleans()))


def oracle(entrants: list[Entrant], apart: frozenset[Pair], alike: Alikeness) -> dict[str, tuple[str, int]]:
    """The rule said as slowly and plainly as possible: whom each new picture follows, and how far away that is."""
    rows = {each.name: unpacked(each.signature) for each in entrants}
    led: list[Entrant] = []
    said = {}
    for each in sorted(entrants, key=lambda one: one.merits):
        near = []
        for place, leader in enumerate(led):
            near_bits, how = resemblance(_signature(each), _signature(leader), alike)
            is_near = are_alike(rows[each.name], rows[leader.name], np.array([near_bits]), alike)[0]
            is_variant = are_color_variants(
                rows[each.name], rows[leader.name], mirrored=how == "mirror", levels=OTHER_COLORS_LEVELS
            )[0]
            told = frozenset((each.name, leader.name)) in apart
            if is_near and not is_variant and not told and leader.chain != each.chain:
                near.append((near_bits, place, leader.name))
        is_settled, insists = not each.merits.is_new, not each.merits.is_unasked
        follows = bool(near) and not insists and not is_settled
        if not follows and (each.may_lead or is_settled):
            led.append(each)
        if not is_settled:
            said[each.name] = (min(near)[2], min(near)[0]) if follows else (each.name, 0)
    return said


def _signature(each: Entrant) -> Signature:
    row = unpacked(each.signature)[0]
    views, mirror, chroma = (row[field].tobytes().hex() for field in ("views", "mirror", "chroma"))
    return Signature(
        rule="r", views=views, mirror=mirror, detail=int(row["detail"]), gradient=int(row["gradient"]), chroma=chroma
    )


@settings(deadline=None)
@given(gallery=galleries(), seed=st.integers(0, 99), workers=st.integers(1, 3), block=st.integers(1, 4))
def test_groups_are_those_of_the_rule(
    gallery: tuple[list[Entrant], frozenset[Pair], Alikeness], seed: int, workers: int, block: int
) -> None:
    """Exactly the brute-force answer, in whatever order, by however many workers, in blocks of whatever size."""
    entrants, apart, alike = gallery
    shuffled = random.Random(seed).sample(entrants, len(entrants))
    placings = group(shuffled, alike, apart=apart, workers=workers, block=block)

    said = {
        each.name: (each.leader, each.resemblance.distance_bits)
        if each.follows and each.resemblance
        else (each.name, 0)
        for each in placings
    }
    assert said == oracle(entrants, apart, alike)
    assert placings == group(entrants, alike, apart=apart)


def crowd(seed: int) -> list[Entrant]:
    """Sixty pictures in loose groups that run into each other, with merits that often are equal."""
    draw = random.Random(seed)
    return [
        entrant(
            f"{number:02}",
            10 * draw.randrange(9) + draw.randrange(3),
            edits=draw.randrange(2),
            minus_stars=-draw.randrange(2),
            is_new=draw.random() > 0.1,
            hue=draw.choice((100, 100, 100, 120)),
            chain=draw.choice("abcdefghijklmnop"),
        )
        for number in range(60)
    ]


def test_a_thousand_shuffles_and_any_number_of_workers_give_one_answer() -> None:
    """The same groups, leaders and reasons, whatever the order of the pictures and however they are dealt out."""
    entrants, draw = crowd(1), random.Random(2)
    expected = group(entrants, NORMAL)
    assert 5 < sum(each.follows for each in expected) < 50
    for number in range(1000):
        draw.shuffle(entrants)
        workers, block = ((1, 2, 8)[number % 3], (3, 16, 1024)[number // 3 % 3]) if number % 10 == 0 else (1, 1024)
        assert group(entrants, NORMAL, workers=workers, block=block) == expected


def test_groups_do_not_chain() -> None:
    """A ~ B and B ~ C make no group of A and C: each one is like its own leader."""
    placings = group([entrant(str(number), 20 * number) for number in range(5)], NORMAL)
    assert leaders(placings) == {"0": "0", "1": "0", "2": "2", "3": "2", "4": "4"}


def test_thousands_of_equal_pictures_are_one_group() -> None:
    """A clique of 5,000 has twelve million pairs; only those with its leader are ever looked at."""
    placings = group([entrant(f"{number:04}") for number in range(5000)], NORMAL)
    assert set(leaders(placings).values()) == {"0000"}


def test_equal_pictures_that_come_late_are_never_paired_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand side by side, so the last block has nearly nothing else: 1.1 million pairs, of 1,500 pictures."""
    chance = np.random.default_rng(1)
    apart = np.zeros(2048, dtype=PACKED)
    for part in ("views", "mirror"):
        apart[part] = chance.integers(0, 256, apart[part].shape)
    apart["detail"], apart["gradient"] = 100, 200
    pictures = [Entrant(f"a{place}", one.tobytes(), f"a{place}", merits=Merits()) for place, one in enumerate(apart)]
    pictures += [entrant(f"z{number:04}", minus_pixels=1) for number in range(1500)]
    found: list[int] = []

    def counted(*args: Any, **options: Any) -> Likenesses:
        pairs = all_pairs(*args, **options)
        found.append(len(pairs.new))
        return pairs

    monkeypatch.setattr("tasks.grouping.all_pairs", counted)
    placings = group(pictures, NORMAL)

    assert {leader for name, leader in leaders(placings).items() if name.startswith("z")} == {"z0000"}
    assert sum(each.follows for each in placings) == 1499
    assert 0 < max(found) <= MOST_PAIRS


# Who leads


@pytest.mark.parametrize(
    ("better", "because"),
    [
        ({"is_new": False}, "was there before"),
        ({"minus_stars": -1}, "has more stars"),
        ({"edits": 0}, "was edited less"),
        ({"is_flagged": False}, "is not flagged"),
        ({"minus_quality": -2}, "has more detail"),
        ({"minus_pixels": -2}, "is larger"),
        ({"made_at": 0.0}, "is older"),
        ({}, "has the smaller hash"),
    ],
)
def test_the_first_merit_that_differs_decides(better: dict[str, Any], because: str) -> None:
    """Each stands over all that follow it, and is the reason that is told."""
    equal = {"edits": 1, "is_flagged": True, "minus_quality": -1, "minus_pixels": -1, "made_at": 1.0}
    fields = list(Merits._fields)
    place = fields.index(next(iter(better))) if better else len(fields) - 1
    worse = {name: value for name, value in equal.items() if fields.index(name) > place}
    one = entrant("b" if better else "a", **{**equal, **better, **dict.fromkeys(worse, 9)})
    other = entrant("a" if better else "b", 3, **equal)
    [placing] = [each for each in group([one, other], NORMAL) if each.name == other.name]

    assert (placing.follows, placing.leader, placing.because) == (True, one.name, because)


def test_of_two_leaders_the_nearer_one_is_followed() -> None:
    """The better one of two that are equally near."""
    entrants = [entrant("a", 0), entrant("b", 40), entrant("c", 21, edits=1), entrant("d", 20, edits=1)]
    assert leaders(group(entrants, NORMAL)) == {"a": "a", "b": "b", "c": "b", "d": "a"}


def test_what_a_person_kept_leads_in_any_case() -> None:
    """And says what it is like all the same."""
    [first, second] = group([entrant("a", is_unasked=False), entrant("b", 3, is_unasked=False)], NORMAL)
    assert (first.follows, first.leader, first.because) == (False, None, "kept by a person")
    assert (second.follows, second.leader, second.because) == (False, "a", "kept by a person")


def test_what_was_told_apart_stays_apart() -> None:
    """Either may follow somebody else."""
    entrants = [entrant("a"), entrant("b", 2), entrant("c", 3)]
    placings = group(entrants, NORMAL, apart=frozenset({frozenset(("a", "b"))}))
    assert leaders(placings) == {"a": "a", "b": "b", "c": "b"}
    assert (placings[1].leader, placings[1].because) == ("a", "told apart by a person")


def test_a_colour_variant_leads_those_of_its_colour() -> None:
    """A red teapot is no repeat of a blue one; a second red one is a repeat of the first."""
    entrants = [entrant("a"), entrant("b", 1, hue=120), entrant("c", 2, hue=121), entrant("d", 2)]
    placings = group(entrants, NORMAL)
    assert leaders(placings) == {"a": "a", "b": "b", "c": "b", "d": "a"}
    assert (placings[1].leader, placings[1].because) == ("a", "colour variant")


def test_colours_of_a_mirror_image_are_compared_the_other_way_round() -> None:
    """Red on the left and blue on the right is no other colour than blue on the left and red on the right."""
    red_blue, blue_red = (f"{2 * '20' * 2 + 2 * 'c0' * 2}" * 4, f"{2 * 'c0' * 2 + 2 * '20' * 2}" * 4)
    whole = signature_of(range(30), mirror=range(60, 90)).model_copy(update={"chroma": red_blue})
    turned = signature_of(range(60, 90), mirror=range(30)).model_copy(update={"chroma": blue_red})
    variant = turned.model_copy(update={"chroma": red_blue})
    entrants = [Entrant(name, packed(each), name) for name, each in (("a", whole), ("b", turned), ("c", variant))]
    placings = group(entrants, NORMAL)

    assert [(each.follows, each.leader, each.because == "colour variant") for each in placings] == [
        (False, None, False),
        (True, "a", False),
        (False, "a", True),
    ]


def test_a_chain_is_not_held_against_itself_and_a_parent_is_named() -> None:
    """Where every picture is a chain of its own, an edit follows the parent that it is like."""
    parent, edit = entrant("a"), entrant("b", 3, edits=1, parent="a")
    assert leaders(group([parent._replace(chain="x"), edit._replace(chain="x")], NORMAL)) == {"a": "a", "b": "b"}
    assert group([parent, edit], NORMAL)[1].because == "is its parent"


def test_how_and_by_what_threshold_is_said() -> None:
    """A crop and a mirror image are called so; plain pictures have to be nearer."""
    whole, flipped = range(60, 90), range(100, 130)
    entrants = [
        Entrant("a", row_of(range(40), crop=whole, mirror=flipped), "a"),
        Entrant("b", row_of(whole), "b"),
        Entrant("c", row_of(flipped), "c"),
        Entrant("d", row_of(range(90, 130, 2), **PLAIN), "d"),
    ]
    placings = {each.name: each for each in group(entrants, NORMAL)}
    assert [(name, each.resemblance and each.resemblance.how) for name, each in placings.items()] == [
        ("a", None),
        ("b", "crop"),
        ("c", "mirror"),
        ("d", None),
    ]
    assert [each.threshold_bits for each in placings.values()] == [27, 27, 27, 12]


def test_who_may_not_lead_leads_nobody() -> None:
    """What a person has rejected takes part, and is no reason to drop another."""
    placings = group([entrant("a", may_lead=False), entrant("b", 1), entrant("c", 2)], NORMAL)
    assert leaders(placings) == {"a": "a", "b": "b", "c": "b"}


def test_nothing_is_placed_as_nothing() -> None:
    """Settled pictures are not judged."""
    assert group((), NORMAL) == group([entrant("a", is_new=False)], NORMAL) == ()
