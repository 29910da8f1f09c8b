"""Cuts the power of a writer again and again, and holds what the disk has against what the writer was told."""

import fcntl
import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.power.disk import after_a_cut, frozen, mounted, new_disk
from tests.power.writer import SHEET_KEY, SHEET_LINES, Style

CUTS_PER_DISK = 10
PIPE_BYTES = 1024 * 1024
START_SECONDS = 60.0
STATES = ("reserved", "sending", "running", "done")

PROJECT = Path(__file__).parents[2]


class Promises:
    """What the writer said is durable: the newest of each."""

    def __init__(self) -> None:
        self.archive_id: str | None = None
        self.keys: set[str] = set()
        self.states: dict[str, str] = {}
        self.members: set[str] = set()
        self.sheet = 0
        self.count = 0

    def take(self, line: str) -> None:
        """Takes one line of the writer's."""
        what, *words = line.split()
        self.count += 1
        if what == "archive":
            self.archive_id = words[0]
        elif what == "object":
            self.keys.add(words[0])
        elif what == "state":
            self.states[words[0]] = words[1]
        elif what == "member":
            self.members.add(words[0])
        else:
            self.sheet = int(words[0])


class Result(NamedTuple):
    """What many cuts came to.

    Args:
        cuts: How often the power was cut.
        promises: How many writes had been acknowledged, all disks together.
        lost: Those that a cut disk did not have, by name.
        corrupt: Files under their final names that are not whole, and databases that are not sound.
    """

    cuts: int
    promises: int
    lost: tuple[str, ...]
    corrupt: tuple[str, ...]


def cut(folder: Path, cuts: int, style: Style, source: random.Random) -> Result:
    """Cuts the power so many times, some times on one disk, then on the next.

    Args:
        folder: An empty folder for disks and mounts.
        cuts: How many.
        style: How the product is run.
        source: Draws the moments.
    """
    done, promised = 0, 0
    lost: list[str] = []
    corrupt: list[str] = []
    while done < cuts:
        promises = Promises()
        lost_of_disk: dict[str, None] = {}
        for disk in _cut_disks(folder, promises, min(CUTS_PER_DISK, cuts - done), style, source):
            with mounted(disk, folder / "after") as root:
                lost_of_disk |= dict.fromkeys(_lost(root / "archive", promises))
                corrupt += _corrupt(root / "archive")
            done += 1
        promised += promises.count
        lost += lost_of_disk
    return Result(done, promised, tuple(lost), tuple(corrupt))


def _cut_disks(folder: Path, promises: Promises, cuts: int, style: Style, source: random.Random) -> Iterator[Path]:
    """Lets a writer write on a new disk, and gives what a cut leaves, with what was promised by then."""
    disk = new_disk(folder / "disk")
    with mounted(disk, folder / "before") as root, _writing(root / "archive", style) as (pid, said):
        for _ in range(cuts):
            time.sleep(source.uniform(0.02, 0.25))
            with frozen(pid):
                for line in _lines(said):
                    promises.take(line)
                copy = after_a_cut(disk, folder / "copy")
            yield copy


@contextmanager
def _writing(root: Path, style: Style) -> Iterator[tuple[int, int]]:
    """Starts the writer; its process id, and the pipe that it speaks into."""
    command = [sys.executable, "-m", "tests.power.writer", str(root), style]
    writer = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    said = writer.stdout.fileno()
    fcntl.fcntl(said, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(said, False)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (root / SHEET_KEY).exists():
            assert writer.poll() is None, "the writer ended"
            assert time.monotonic() < deadline, "the writer does not write"
            time.sleep(0.01)
        yield writer.pid, said
    finally:
        writer.kill()
        writer.communicate(timeout=30)


def _lines(said: int) -> list[str]:
    """All that was said since: each line was written at once, so none is half."""
    parts = []
    while True:
        try:
            part = os.read(said, PIPE_BYTES)
        except BlockingIOError:
            break
        assert part, "the writer ended"
        parts.append(part)
    return b"".join(parts).decode().splitlines()


def _lost(root: Path, promises: Promises) -> list[str]:
    """Every promise that the disk does not keep."""
    lost = [f"object {key}" for key in sorted(promises.keys) if not (root / key).is_file()]
    if promises.sheet and _sheet(root) < promises.sheet:
        lost.append(f"sheet {promises.sheet}, which is {_sheet(root)}")
    if promises.archive_id and promises.archive_id not in _text(root / "archive.json"):
        lost.append("archive.json")
    states, members = _books(root)
    lost += [
        f"shot {shot} {state}, which is {states.get(shot)}"
        for shot, state in promises.states.items()
        if shot not in states or STATES.index(states[shot]) < STATES.index(state)
    ]
    return lost + [f"member {shot}" for shot in promises.members - members]


def _books(root: Path) -> tuple[dict[str, str], set[str]]:
    """State of every shot, and the members of the campaign; empty where there are no such tables."""
    if not (root / "catalogue.sqlite").is_file():
        return {}, set()
    with closing(sqlite3.connect(root / "catalogue.sqlite")) as books:
        try:
            states = dict(books.execute("SELECT shot_key, state FROM shots").fetchall())
            return states, {shot for (shot,) in books.execute("SELECT shot_key FROM members")}
        except sqlite3.DatabaseError:
            return {}, set()


def _corrupt(root: Path) -> list[str]:
    """Every file that has its final name and is not whole."""
    corrupt = [
        str(path.relative_to(root))
        for path in root.glob("objects/*/*")
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name
    ]
    corrupt += [
        str(path.relative_to(root))
        for path in root.glob("records/*/*.json")
        if _text(path) != f'{{"of": "{path.stem}"}}'
    ]
    sheet = root / SHEET_KEY
    if sheet.exists() and _text(sheet) != f"{_sheet(root)}\n" * SHEET_LINES:
        corrupt.append(SHEET_KEY)
    return corrupt + _unsound(root / "catalogue.sqlite")


def _unsound(file: Path) -> list[str]:
    if not file.is_file():
        return []
    with closing(sqlite3.connect(file)) as books:
        try:
            said = [row for (row,) in books.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            said = [str(error)]
    return [] if said == ["ok"] else [f"{file.name}: {each}" for each in said]


def _sheet(root: Path) -> int:
    first = _text(root / SHEET_KEY).partition("\n")[0]
    return int(first) if first.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
