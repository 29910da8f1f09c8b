from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks import near_index, near_tables
from tasks.near import Words
from tasks.near_index import NearIndex, each_pairs_within, pairs_within
from tasks.near_tables import Matches, Tables

Triples = list[tuple[int, int, int]]


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses the tables also where so few codes would be compared one by one, and small batches."""
    for module in (near_index, near_tables):
        monkeypatch.setattr(module, "FEWEST_ROWS", 1)
        monkeypatch.setattr(module, "AT_ONCE", 64)
    monkeypatch.setattr(near_index, "_ROWS_AT_ONCE", 50)
    monkeypatch.setattr(near_index, "_PASSES", 2)
    monkeypatch.setattr(near_tables, "_PAIR_COST", 1e9)
    monkeypatch.setattr(near_tables, "_FEWEST_BAND_BITS", 8)


def codes_of(count: int, words: int, kind: str, seed: int) -> Words:
    """Codes with near ones among them: at random, with most bits alike, or many of them equal."""
    chance = np.random.default_rng(seed)
    bits = chance.random((count, 64 * words)) < (0.5 if kind == "random" else 0.06)
    copies = chance.integers(0, count, count)
    is_copy = chance.random(count) < 0.6
    bits[is_copy] = bits[copies[is_copy]]
    if kind != "equal":
        flips = chance.choice([0.0, 0.02, 0.08, 0.15], count)
        bits ^= chance.random(bits.shape) < flips[:, np.newaxis]
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)


def brute(queries: Words, words: Words, radius_bits: int) -> Triples:
    apart: NDArray[Any] = np.bitwise_count(queries[:, np.newaxis] ^ words).sum(axis=2, dtype=int)
    query, row = np.nonzero(apart <= radius_bits)
    return list(zip(query.tolist(), row.tolist(), apart[query, row].tolist(), strict=True))


def triples(matches: Matches) -> Triples:
    return list(zip(*(column.tolist() for column in matches), strict=True))


ANY_CODES = st.builds(
    codes_of,
    st.integers(2, 120),
    st.sampled_from([1, 3, 4]),
    st.sampled_from(["random", "skewed", "equal"]),
    st.integers(0, 10_000),
)


@settings(max_examples=150, deadline=None)
@given(ANY_CODES, st.integers(0, 31), st.integers(0, 119))
def test_the_index_finds_what_brute_force_finds(codes: Words, radius_bits: int, indexed: int) -> None:
    """Each row within the radius of each query once, with its distance, in order: whatever the codes and the radius."""
    found = NearIndex.of(codes[: indexed + 1]).within(codes, radius_bits)

    assert triples(found) == brute(codes, codes[: indexed + 1], radius_bits)


@settings(max_examples=150, deadline=None)
@given(ANY_CODES, st.integers(0, 31), st.integers(1, 2))
def test_all_pairs_are_those_of_brute_force(codes: Words, radius_bits: int, threads: int) -> None:
    """Each pair once, the lower row first, with any number of threads."""
    found = pairs_within(codes, radius_bits, threads=threads)

    assert triples(found) == [each for each in brute(codes, codes, radius_bits) if each[0] < each[1]]


@pytest.mark.parametrize("radius_bits", [0, 8, 23, 24, 27, 31, 40, 96, 192])
def test_every_radius_is_right_with_bands_of_the_usual_size(radius_bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a radius that no choice of flips covers."""
    monkeypatch.setattr(near_tables, "_FEWEST_BAND_BITS", 16)
    monkeypatch.setattr(near_tables, "AT_ONCE", 5000)
    codes = codes_of(300, 3, "random", radius_bits)

    assert triples(NearIndex.of(codes).within(codes[:40], radius_bits)) == brute(codes[:40], codes, radius_bits)


@pytest.mark.parametrize("bits_wanted", [16, 19, 21, 22])
def test_bands_need_not_end_with_a_word(bits_wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a million codes bands are wider than 16 bits, and some lie in two words."""
    monkeypatch.setattr(near_tables, "_FEWEST_BAND_BITS", bits_wanted)
    monkeypatch.setattr(near_tables, "AT_ONCE", 5000)
    codes = codes_of(200, 3, "random", bits_wanted)

    assert triples(pairs_within(codes, 27)) == [each for each in brute(codes, codes, 27) if each[0] < each[1]]


@settings(max_examples=50, deadline=None)
@given(ANY_CODES, st.lists(st.integers(0, 40), max_size=8), st.integers(0, 31))
def test_appended_codes_are_found_as_if_they_had_been_there(codes: Words, sizes: list[int], radius_bits: int) -> None:
    """In the tail and after it was worked in, with rows numbered on."""
    cuts = np.minimum(np.cumsum([0, *sizes]), len(codes)).tolist()
    index = NearIndex.of(codes[:0])
    for start, stop in pairwise(cuts):
        index.append(codes[start:stop])

    assert len(index) == cuts[-1]
    assert triples(index.within(codes, radius_bits)) == brute(codes, codes[: cuts[-1]], radius_bits)


def test_nothing_is_near_where_there_is_nothing() -> None:
    """An empty archive and an empty campaign are ordinary."""
    none, codes = codes_of(2, 3, "random", 1)[:0], codes_of(9, 3, "random", 2)

    assert triples(NearIndex.of(none).within(codes, 27)) == []
    assert triples(NearIndex.of(codes).within(none, 27)) == []
    assert triples(pairs_within(none, 27)) == []
    assert triples(pairs_within(codes[:1], 192)) == []


def test_cliques_come_in_parts() -> None:
    """Equal codes by the hundred, and others a bit apart, as plain pictures have them: no part becomes large."""
    codes = np.zeros((300, 3), dtype=np.uint64)
    codes[::2, 1] = 1
    parts = [len(part.query) for part in each_pairs_within(codes, 27)]

    assert sum(parts) == 300 * 299 // 2
    assert max(parts) <= 2 * 64


def test_a_common_value_is_not_looked_up_where_others_do() -> None:
    """A band in which most codes agree finds most codes: the flips go to the other bands, which cover the radius."""
    codes = codes_of(4000, 3, "random", 5)
    codes[:, 0] &= np.uint64(0xFFFF_FFFF)
    tables = Tables(codes)
    plan = tables.plan(15)
    assert plan is not None
    common = [flips for band, flips in zip(tables.bands, plan, strict=True) if band.first_bit + band.bits <= 32]

    assert common
    assert set(common) == {-1}
    assert sum(flips + 1 for flips in plan) >= 16
