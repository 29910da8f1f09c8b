"""A test that is skipped in CI protects nothing, and nobody notices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import COMPLETE

ROOT = Path(__file__).parents[1]
SKIPPING = """
import pytest


@pytest.mark.skipif(True, reason="redis-server is not installed")
def test_by_a_mark() -> None: ...


@pytest.fixture
def program() -> None:
    pytest.skip("exiftool is not installed")


def test_by_a_fixture(program: None) -> None: ...


def test_for_a_reason_that_stays() -> None:
    pytest.skip("no power can be cut here: it is a container")


@pytest.mark.xfail(reason="not yet")
def test_that_is_known_to_fail() -> None:
    raise AssertionError
"""


@pytest.mark.parametrize(
    ("setting", "counts"),
    [({}, "3 skipped, 1 xfailed"), ({COMPLETE: "1"}, "1 skipped, 1 xfailed, 2 errors")],
    ids=["a developer's machine", "CI"],
)
def test_nothing_is_skipped_where_everything_is_installed(setting: dict[str, str], counts: str, tmp_path: Path) -> None:
    """Elsewhere a test without its program is skipped; where CI installs the program, it fails."""
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        "pyproject.toml",
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if name != COMPLETE}
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, **setting}, capture_output=True, text=True, timeout=60, check=False
    )

    assert f"{counts} in" in done.stdout.splitlines()[-1], done.stdout + done.stderr
