from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tasks import near_index, near_tables
from tasks.brief import Dedupe
from tasks.likeness import (
    HOW,
    PLAIN_THRESHOLD_BITS,
    Alikeness,
    Candidates,
    Likenesses,
    about_how_many_pairs,
    all_pairs,
    are_alike,
    resemblance,
    resemblances,
)
from tasks.near import THRESHOLD_BITS
from tasks.signature import PACKED, Packed, packed, sign, unpacked

MakePicture = Callable[..., Image.Image]
Pairs = list[tuple[int, int, int, int]]

ALIKE = st.builds(Alikeness, st.integers(0, 45), st.booleans(), st.booleans())
MAIN = Alikeness(27)


def signatures_of(count: int, seed: int) -> Packed:
    """Signatures near and far from each other in all their views, some of them plain, some of one view."""
    chance = np.random.default_rng(seed)
    few = chance.integers(0, 256, (max(2, count // 3), 24), dtype=np.uint8)

    def near_some(*shape: int) -> np.ndarray:
        codes = few[chance.integers(0, len(few), shape)]
        share = chance.choice([0.0, 0.03, 0.08, 0.3], shape)
        return codes ^ np.packbits(chance.random((*codes.shape, 8)) < share[..., None, None], axis=-1)[..., 0]

    made = np.zeros(count, dtype=PACKED)
    made["views"], made["mirror"] = near_some(count, 10), near_some(count)
    made["detail"], made["gradient"] = chance.choice([10, 99], count, p=[0.2, 0.8]), chance.choice([10, 99], count)
    of_one_view = chance.random(count) < 0.2
    made["views"][of_one_view] = made["views"][of_one_view][:, :1]
    made["mirror"][of_one_view] = made["views"][of_one_view][:, 0]
    return made


def pairs_of(found: Likenesses) -> Pairs:
    return list(zip(*(column.tolist() for column in found), strict=True))


def by_brute_force(new: Packed, known: Packed, alike: Alikeness) -> Pairs:
    """What the definition says of every pair."""
    first, second = np.divmod(np.arange(len(new) * len(known)), max(1, len(known)))
    distances, hows = resemblances(new[first], known[second], alike)
    wanted = are_alike(new[first], known[second], distances, alike)
    return pairs_of(Likenesses(first[wanted], second[wanted], distances[wanted], hows[wanted]))


@pytest.fixture(params=["tables", "one by one"])
def _ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few codes are compared one by one; the tables have to say the same."""
    if request.param == "tables":
        for module in (near_index, near_tables):
            monkeypatch.setattr(module, "FEWEST_ROWS", 1)
        monkeypatch.setattr(near_tables, "_PAIR_COST", 1e9)
        monkeypatch.setattr(near_tables, "_FEWEST_BAND_BITS", 8)


@pytest.mark.usefixtures("_ways")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 10_000), ALIKE)
def test_candidates_are_those_of_the_definition(new: int, known: int, more: int, seed: int, alike: Alikeness) -> None:
    """Every pair that is alike, once, with its distance and how; known from the beginning or made known later."""
    made = signatures_of(new + known + more, seed)
    candidates = Candidates.of(made[new : new + known], alike)
    candidates.append(made[new + known :])

    assert len(candidates) == known + more
    assert pairs_of(candidates.within(made[:new])) == by_brute_force(made[:new], made[new:], alike)


@pytest.mark.usefixtures("_ways")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 10_000), ALIKE, st.integers(1, 2))
def test_all_pairs_are_those_of_the_definition(count: int, seed: int, alike: Alikeness, threads: int) -> None:
    """Each two pictures once, the later one first, and none with itself."""
    made = signatures_of(count, seed)
    wanted = [each for each in by_brute_force(made, made, alike) if each[0] > each[1]]

    assert pairs_of(all_pairs(made, alike, threads=threads)) == wanted


@given(st.integers(0, 10_000), ALIKE)
def test_it_makes_no_difference_who_is_asked(seed: int, alike: Alikeness) -> None:
    """As near to you as you to me; and each to itself without any difference."""
    one, other = signatures_of(20, seed), signatures_of(20, seed + 1)
    (there, how_there), (back, how_back) = resemblances(one, other, alike), resemblances(other, one, alike)
    itself, how_itself = resemblances(one, one, alike)

    assert (there.tolist(), how_there.tolist()) == (back.tolist(), how_back.tolist())
    assert not itself.any()
    assert not how_itself.any()


def shapes(seed: int) -> Image.Image:
    few = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(few).resize((640, 480), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("seed", range(5))
def test_copies_crops_and_mirror_images_are_told_as_such(seed: int) -> None:
    """Within the usual threshold, and by their names; another picture is far away."""
    picture = shapes(seed)
    original = sign(picture)
    copy, crop = picture.resize((400, 300)), picture.crop((20, 30, 596, 462))
    found = [resemblance(original, sign(each), MAIN) for each in (copy, crop, ImageOps.mirror(picture))]

    assert [each.how for each in found] == ["copy", "crop", "mirror"]
    assert max(each.distance_bits for each in found) <= THRESHOLD_BITS["normal"]
    assert resemblance(original, sign(shapes(seed + 100)), MAIN).distance_bits > THRESHOLD_BITS["loose"]


def test_what_the_brief_leaves_out_does_not_count() -> None:
    """Without crops and mirror images only copies are alike."""
    picture = shapes(7)
    original, crop, mirror = sign(picture), sign(picture.crop((20, 30, 596, 462))), sign(ImageOps.mirror(picture))

    assert resemblance(original, crop, MAIN._replace(crops=False)).how == "copy"
    assert resemblance(original, crop, MAIN._replace(crops=False)).distance_bits > 27
    assert resemblance(original, mirror, MAIN._replace(mirror=False)).distance_bits > 27
    assert Alikeness.of(Dedupe()) == Alikeness(27, crops=True, mirror=True)
    assert Alikeness.of(Dedupe(threshold="strict", crops=False, mirror=False)) == Alikeness(20, False, False)
    assert Alikeness.of(Dedupe(threshold="strict", distance_bits=3)).threshold_bits == 3


def test_plain_pictures_have_to_be_nearer() -> None:
    """Where there is little to see, but a few bits may differ; where there is no detail, of the full pictures alone."""
    near, far = np.zeros(5, dtype=PACKED), np.zeros(5, dtype=PACKED)
    near["detail"] = near["gradient"] = 100
    far["detail"], far["gradient"] = (100, 100, 100, 100, 5), (100, 100, 5, 5, 100)
    far["views"][:, 0, :2] = 0xFF, 0xFF
    far["views"][:, 1:] = 0xFF
    far["views"][[0, 2, 4], 1:] = 0
    far["mirror"] = 0xFF
    distances, hows = resemblances(near, far, MAIN)

    assert distances.tolist() == [0, 16, 0, 16, 16]
    assert [HOW[how] for how in hows] == ["crop", "copy", "crop", "copy", "copy"]
    assert are_alike(near, far, distances, MAIN).tolist() == [True, True, True, False, False]
    assert are_alike(near, far, np.minimum(distances, PLAIN_THRESHOLD_BITS), MAIN).all()
    assert pairs_of(Candidates.of(near[:1], MAIN).within(far)) == [(0, 0, 0, 1), (1, 0, 16, 0), (2, 0, 0, 1)]


def test_one_signature_is_compared_as_many_are() -> None:
    """The plain way and the fast way say the same."""
    one, other = sign(shapes(1)), sign(shapes(2))
    distances, hows = resemblances(unpacked(packed(one)), unpacked(packed(other)), MAIN)

    assert resemblance(one, other, MAIN) == (int(distances[0]), HOW[hows[0]])


@pytest.mark.parametrize(("equal", "others"), [(0, 700), (1, 0), (700, 0), (700, 1400)])
def test_the_number_of_pairs_is_known_beforehand(equal: int, others: int) -> None:
    """From a sample, to a few per cent: whoever asks for all pairs of thousands of equal pictures asks for millions."""
    signatures = np.zeros(equal + others, dtype=PACKED)
    signatures["views"][equal:] = np.random.default_rng(3).integers(0, 256, (others, 10, 24))
    expected = equal * (equal - 1) // 2
    assert about_how_many_pairs(signatures, MAIN) == pytest.approx(expected, rel=0.05)
