import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==[^ ;]+")


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def requirements(lock: str) -> list[str]:
    """The logical lines of the lock: one for each pinned package, with its hashes."""
    text = lock.replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def test_every_line_is_pinned_and_hashed(lock: str) -> None:
    """What is installed is known byte for byte."""
    lines = requirements(lock)

    assert len(lines) > 50
    assert [line for line in lines if not PINNED.match(line)] == []
    assert [line for line in lines if not re.search(r" --hash=sha256:[0-9a-f]{64}\b", line)] == []


def test_the_lock_names_no_address(lock: str) -> None:
    """It is installed from whatever index a machine is set to: no URL, no index option."""
    assert "://" not in lock
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links)\b", lock, re.MULTILINE)


def test_the_lock_has_what_the_project_asks_for(lock: str) -> None:
    """A dependency that was added to the project is in the lock too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {normal(match["name"]) for line in requirements(lock) if (match := PINNED.match(line))}

    assert {normal(re.split(r"[\[<>=~! ]", each, maxsplit=1)[0]) for each in asked} <= locked


def normal(name: str) -> str:
    """A project's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
