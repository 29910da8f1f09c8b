"""A disk in a file, and a copy of it as a power cut would leave it.

An ext4 in a file is mounted through a loop device. What a program wrote and did not sync is in the memory of the kernel
and not in the file: a copy of the file, made while the program stands still, is what the disk would hold if the power
went at that moment. The file system's own clock (`commit=`) is set so late that it syncs nothing by itself.

Not simulated: a disk that lies about its flushes, and blocks that were torn in the middle.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SIZE_MB = 96
COMMIT_SECONDS = 600
FREEZE_SECONDS = 20.0


def why_not() -> str | None:
    """Says why there can be no such disk here, or None where there can."""
    if os.geteuid() != 0:
        return "a loop device is for root only"
    missing = [program for program in ("mkfs.ext4", "mount", "umount") if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} not found"
    try:
        with tempfile.TemporaryDirectory() as folder, mounted(new_disk(Path(folder) / "trial"), Path(folder) / "mount"):
            return None
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd[:1])}: {error.stderr.strip()}"


def new_disk(file: Path) -> Path:
    """Makes an empty disk."""
    with file.open("wb") as disk:
        disk.truncate(SIZE_MB * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-F", str(file))
    return file


@contextlib.contextmanager
def mounted(disk: Path, folder: Path) -> Iterator[Path]:
    """Mounts a disk; after a cut this replays its journal."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-o", f"loop,commit={COMMIT_SECONDS}", str(disk), str(folder))
    try:
        yield folder
    finally:
        _run("umount", str(folder))


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Makes a process stand still, with all its threads, also those that are in the middle of a write."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + FREEZE_SECONDS
        while _states(pid) != {"T"}:
            assert time.monotonic() < deadline, f"process {pid} does not stand still: {_states(pid)}"
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def after_a_cut(disk: Path, copy: Path) -> Path:
    """What the disk holds if the power goes now."""
    _run("cp", "--sparse=always", str(disk), str(copy))
    return copy


def _states(pid: int) -> set[str]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {(thread / "stat").read_text("ascii").rpartition(")")[2].split()[0] for thread in threads}


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
