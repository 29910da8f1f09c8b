"""How alike two pictures look: a fingerprint of 192 bits, and the distance between two of them.

The fingerprint is phash ‖ dhash ‖ dhash_vertical of imagehash, 64 bits each, all computed from one small gray picture.
Together they tell apart far better than any of them alone: on 15.5 million pairs of pictures, 27 differing bits of 192
found 98.6 % of mild changes without a false pair, where phash alone at comparable precision found 76 %.
"""

from collections.abc import Sequence

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FINGERPRINT_RULE = "phash8+dhash8+dhash_vertical8/1"
"""Name and version of the rule; a change of the rule is a new name."""

FINGERPRINT_BITS = 192
THRESHOLD_BITS = {"strict": 20, "normal": 27, "loose": 31}
"""Same picture; the default; worth a look."""

_SMALL_SIDE_PX = 128

Words = NDArray[np.uint64]
"""Shape (n, 3): n fingerprints as three machine words each."""


def fingerprint(picture: Image.Image) -> str:
    """Computes the fingerprint of a decoded picture, as 48 hexadecimal digits."""
    gray = small_of(picture).convert("L")
    parts = (imagehash.phash(gray), imagehash.dhash(gray), imagehash.dhash_vertical(gray))
    return b"".join(np.packbits(part.hash.flatten()).tobytes() for part in parts).hex()


def small_of(picture: Image.Image) -> Image.Image:
    """Makes a picture small, by a whole factor to a short side of 128 px or more, in gray (`L`) or `RGB`."""
    factor = max(1, min(picture.size) // _SMALL_SIDE_PX)
    flat = over_white(picture)
    return flat.reduce(factor) if factor > 1 else flat


def over_white(picture: Image.Image) -> Image.Image:
    """Shows a picture as it looks on a white page, in gray (`L`) or `RGB`."""
    if not picture.has_transparency_data:
        return picture if picture.mode in {"L", "RGB"} else picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture.convert("RGBA"))
    return ground.convert("RGB")


def as_words(fingerprints: Sequence[str]) -> Words:
    """Packs fingerprints for fast comparison. Shape (n, 3)."""
    return words_of(np.frombuffer(b"".join(bytes.fromhex(each) for each in fingerprints), dtype=np.uint8))


def words_of(prints: NDArray[np.uint8]) -> Words:
    """Packs the bytes of fingerprints, shape (…, 24), for fast comparison. Shape (n, 3)."""
    return np.frombuffer(prints.tobytes(), dtype=">u8").astype(np.uint64).reshape(-1, FINGERPRINT_BITS // 64)


def distances_bits(one: Words, many: Words) -> NDArray[np.int64]:
    """Counts the differing bits between one fingerprint, shape (3,), and many, shape (n, 3). Shape (n,)."""
    distances: NDArray[np.int64] = np.bitwise_count(many ^ one).sum(axis=1, dtype=np.int64)
    return distances
