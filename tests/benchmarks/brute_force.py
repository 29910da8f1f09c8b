"""All pairs, or new ones against all, as other tools find them: by comparing each with each, on one thread.

What would take hours is measured on some queries and scaled, which is right as brute force is linear in them.
"""

import time
from collections.abc import Callable
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray

from tasks.near import Words
from tests.benchmarks.peers import faiss_of_one_thread, imagededup_search

_SAMPLE = 200


def flat_of(codes: Words, bits: int) -> Any:
    flat = faiss_of_one_thread().IndexBinaryFlat(bits)
    flat.add(as_bytes(codes, bits))
    return flat


def as_bytes(codes: Words, bits: int) -> NDArray[np.uint8]:
    """As faiss wants codes, with zeros up to so many bits."""
    prints = codes.astype(">u8").view(np.uint8).reshape(len(codes), -1)
    return np.pad(prints, ((0, 0), (0, bits // 8 - prints.shape[1])))


def all_by_faiss(codes: Words, bits: int, radius_bits: int) -> float:
    """Its radius is one that is not reached any more. It meets each pair twice."""
    flat, some = flat_of(codes, bits), as_bytes(codes[:_SAMPLE], bits)
    return timed(lambda: flat.range_search(some, radius_bits + 1))[0] * len(codes) / _SAMPLE


def all_by_numpy(codes: Words, radius_bits: int) -> float:
    """One code with all others, a word at a time, in blocks that stay in the cache."""
    columns = np.ascontiguousarray(codes.T)

    def compare() -> int:
        found = 0
        for code in codes[:_SAMPLE]:
            for first in range(0, len(codes), 1 << 15):
                block = columns[:, first : first + (1 << 15)]
                distances = sum(np.bitwise_count(column ^ word) for column, word in zip(block, code, strict=True))
                found += int(np.count_nonzero(distances <= radius_bits))
        return found

    return timed(compare)[0] * len(codes) / 2 / _SAMPLE


def all_by_imagededup(codes: Words) -> float:
    """It compares what it is asked for with all; in `find_duplicates` it is asked for each picture."""
    hashes = {f"{number}.png": f"{code:016x}" for number, code in enumerate(codes[:, 0].tolist())}
    search, queries = imagededup_search()(hashes, None), list(hashes.values())[:3]
    return timed(lambda: [search.search(query, tol=8) for query in queries])[0] * len(codes) / len(queries)


def all_by_imagehash(codes: Words) -> float:
    hashes = [imagehash.hex_to_hash(f"{code:016x}") for code in codes[:_SAMPLE, 0].tolist()]
    compared = timed(lambda: sum(one - other <= 8 for one in hashes for other in hashes))[0]
    return compared / len(hashes) ** 2 * len(codes) ** 2 / 2


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    answer = function()
    return time.process_time() - begun, answer
