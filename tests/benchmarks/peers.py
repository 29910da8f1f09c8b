"""Other tools to measure beside: installed when a benchmark asks for them, into a folder that is thrown away.

They never enter the project's own environment. imagededup declares torch for its neural methods; its hashes and its
search, which are measured here, need none, so it is taken without what it declares, and without its `__init__` files.
"""

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

PEERS = ("faiss-cpu", "imagededup", "PyWavelets", "scikit-learn", "joblib", "threadpoolctl", "narwhals", "tqdm")
_WITHOUT_INIT = ("imagededup.methods", "imagededup.utils")


@contextmanager
def installed(*names: str) -> Iterator[Path]:
    """Makes packages importable for a while, beside our own; what both have is ours. Yields their folder."""
    with tempfile.TemporaryDirectory(prefix="kleinbild-peers-") as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", folder, *(names or PEERS)], check=True)
        sys.path.append(folder)
        try:
            yield Path(folder)
        finally:
            sys.path.remove(folder)


def faiss_of_one_thread() -> Any:
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    return faiss


def imagededup_phash() -> Any:
    """Its perceptual hash: `encode_image(image_array=…)` says 16 hexadecimal digits."""
    return _of_imagededup("methods.hashing").PHash(verbose=False)


def imagededup_search() -> Any:
    """The class of its default search: `(hashes by name, distance function).search(query, tol=…)`."""
    return _of_imagededup("handlers.search.brute_force_cython").BruteForceCython


def _of_imagededup(module: str) -> ModuleType:
    parent = importlib.import_module("imagededup")
    for name in _WITHOUT_INIT:
        if name not in sys.modules:
            bare = sys.modules[name] = ModuleType(name)
            bare.__path__ = [str(Path(parent.__path__[0], name.rpartition(".")[2]))]
    return importlib.import_module(f"imagededup.{module}")


def versions(folder: Path) -> str:
    """What was measured, for the head of a table."""
    found = sorted(path.name.removesuffix(".dist-info").replace("-", " ") for path in folder.glob("*.dist-info"))
    return ", ".join(name for name in found if name.startswith(("faiss", "imagededup")))
