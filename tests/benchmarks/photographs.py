"""Photographs that come with packages of Debian and PyPI: fetched when a benchmark asks, used, and thrown away.

Debian, as their `debian/copyright` says: mate-backgrounds (nature; GPL-2+ and CC-BY-SA-4.0),
plasma-workspace-wallpapers (GPL-2+), lomiri-wallpapers-16.04 and -20.04 (CC0-1.0, CC-BY-4.0, CC-BY-SA-3.0 and -4.0),
lxqt-themes (CC-BY-SA-3.0, LGPL-3), tuxpaint-stamps-default (objects without ground, seen on white; GPL-2).
PyPI, in their wheels: scikit-image (its sample data; public domain and CC0, BSD-3-Clause for the rest), scikit-learn
(china.jpg, flower.jpg; CC-BY), matplotlib (grace_hopper.jpg; public domain).
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

DEBIAN = {
    "mate-backgrounds": ["usr/share/backgrounds/mate/nature/*.jpg"],
    "plasma-workspace-wallpapers": ["usr/share/wallpapers/*/contents/images/2560x1600.jpg"],
    "lomiri-wallpapers-16.04": ["usr/share/backgrounds/*.jpg"],
    "lomiri-wallpapers-20.04": ["usr/share/backgrounds/*.jpg"],
    "lxqt-themes": [
        f"usr/share/lxqt/wallpapers/{name}.*"
        for name in (
            *("Butterfly*", "Valendas", "after-the-rain", "appleflower", "beam", "butterfly", "cloud", "drop"),
            *("flowers", "fog", "this-is-not-windows"),
        )
    ],
}
STAMPS = {"tuxpaint-stamps-default": ["usr/share/tuxpaint/stamps/**/*.png"]}
PYPI = {
    "scikit-image": [
        f"skimage/data/{name}.*"
        for name in (
            *("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble*", "ihc"),
            *("moon", "motorcycle_left", "page", "retina", "rocket"),
        )
    ],
    "scikit-learn": ["sklearn/datasets/images/*.jpg"],
    "matplotlib": ["matplotlib/mpl-data/sample_data/grace_hopper.jpg"],
}

_LEAST_STAMP_BYTES = 20_000
_NO_STAMPS = ("mirror", "cartoon", "_dot_")


class Fetched:
    """Files in a folder: photographs, and objects without ground."""

    def __init__(self, photographs: list[Path], stamps: list[Path]) -> None:
        self.photographs, self.stamps = photographs, stamps


@contextmanager
def fetched() -> Iterator[Fetched]:
    """Unpacks the packages into a folder that is thrown away. Without `apt-get`, PyPI's alone."""
    with tempfile.TemporaryDirectory(prefix="kleinbild-photographs-") as folder:
        photographs = list(_of_pypi(Path(folder)))
        stamps: list[Path] = []
        if _has_debian(Path(folder)):
            photographs += _of_debian(DEBIAN, Path(folder))
            stamps = [path for path in _of_debian(STAMPS, Path(folder)) if _is_wanted(path)]
        else:
            print("apt-get does not bring Debian's packages here: their photographs are missing from this set.")
        yield Fetched(photographs, stamps)


def opened(path: Path) -> Image.Image:
    """Decodes a picture; what lies behind an object is white."""
    with Image.open(path) as picture:
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture.convert("RGBA"))
        return ground.convert("RGB")


def _has_debian(folder: Path) -> bool:
    """Downloads the packages, if that can be done here."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return False
    ask = ["apt-get", "--quiet=2", "download", *DEBIAN, *STAMPS]
    return subprocess.run(ask, cwd=folder, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _of_debian(packages: dict[str, list[str]], folder: Path) -> Iterator[Path]:
    for package, patterns in packages.items():
        (file,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "--extract", file, folder / package], check=True)
        yield from _matching(folder / package, patterns)


def _of_pypi(folder: Path) -> Iterator[Path]:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for package, patterns in PYPI.items():
        subprocess.run([*pip, "--target", folder / package, package], check=True)
        yield from _matching(folder / package, patterns)


def _matching(folder: Path, patterns: list[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())


def _is_wanted(stamp: Path) -> bool:
    return stamp.stat().st_size >= _LEAST_STAMP_BYTES and not any(word in str(stamp) for word in _NO_STAMPS)
