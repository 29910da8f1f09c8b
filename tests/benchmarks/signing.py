"""What signing pictures costs, beside the imagehash calls that say the same, and beside decoding them.

`python -m tests.benchmarks signing`

The pictures are the sandbox's, 1024x1024. *In RAM* is processor time of one thread, each round all ways in turn; the
ratio is the median of the rounds. *From files* is what two threads do in a second, in turn with decoding alone, and
the share of their processor time that is decoding.
"""

import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import imagehash
from PIL import Image

from deployments.sandbox.pictures.drawing import draw
from deployments.sandbox.pictures.recipe import Recipe
from tasks.near import fingerprint
from tasks.signature import sign, views_of

PICTURES = 12
ROUNDS = 7
REPEATED = 4
THREADS = 2
SIDE_PX = 1024
PROMPTS = ("a blue teapot", "a city street at night", "a fern, botanical", "a poster", "rolling hills", "bauhaus")
FORMATS: dict[str, dict[str, object]] = {"PNG": {"compress_level": 6}, "JPEG": {"quality": 90}, "WEBP": {"quality": 90}}

Way = Callable[[Image.Image], object]


def main() -> None:
    pictures = [draw(Recipe(PROMPTS[number % len(PROMPTS)], number, SIDE_PX, SIDE_PX)) for number in range(PICTURES)]
    in_ram(pictures)
    from_files(pictures)


def three_hashes(picture: Image.Image) -> object:
    """The peer: the same 192 bits of one view, of the full picture."""
    return [hashed(picture) for hashed in (imagehash.phash, imagehash.dhash, imagehash.dhash_vertical)]


def of_all_views(picture: Image.Image) -> object:
    """The peer for all views: the three calls for each of them."""
    return [three_hashes(view) for view in views_of(picture)]


WAYS: dict[str, Way] = {
    "three imagehash calls": three_hashes,
    "the same 192 bits (fingerprint)": fingerprint,
    "the whole signature (11 views, gate, colours)": sign,
    "three imagehash calls for each of 11 views": of_all_views,
}


def in_ram(pictures: list[Image.Image]) -> None:
    milliseconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            begun = time.thread_time()
            for picture in pictures:
                way(picture)
            milliseconds[name].append((time.thread_time() - begun) * 1000 / len(pictures))
    three, same_bits, whole, of_all = milliseconds.values()
    print(f"signing a picture of {SIDE_PX}x{SIDE_PX} in RAM\n{'':48}{'CPU ms':>8}{'of three calls':>16}")
    for name, each in milliseconds.items():
        print(f"{name:48}{statistics.median(each):>8.2f}{median_ratio(each, three):>16.2f}")
    print(f"aim: the same bits in 1/5 of the time; it is 1/{median_ratio(three, same_bits):.1f}")
    print(f"the whole signature takes 1/{median_ratio(of_all, whole):.1f} of the calls for all views\n")


def from_files(pictures: list[Image.Image]) -> None:
    ways: dict[str, Callable[[bytes], object]] = {
        "decoded": decode,
        "decoded and signed": lambda data: sign(decode(data)),
        "decoded, three imagehash calls": lambda data: three_hashes(decode(data)),
    }
    print(f"from files, {THREADS} threads\n{'':40}{'pictures/s':>12}{'CPU ms':>10}{'decoding of it':>16}")
    for kind, options in FORMATS.items():
        files = [encoded(picture, kind, options) for picture in pictures] * REPEATED
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                begun, begun_cpu = time.perf_counter(), time.process_time()
                with ThreadPoolExecutor(THREADS) as pool:
                    list(pool.map(way, files))
                seconds[name].append(time.perf_counter() - begun)
                cpu[name].append(time.process_time() - begun_cpu)
        for name in ways:
            speed, ms = len(files) / statistics.median(seconds[name]), statistics.median(cpu[name]) * 1000 / len(files)
            share = median_ratio(cpu["decoded"], cpu[name])
            print(f"{f'{kind}, {name}':40}{speed:>12.0f}{ms:>10.1f}{share:>15.0%}")


def decode(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def encoded(picture: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def median_ratio(ones: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))
