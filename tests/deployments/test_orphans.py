import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PARENT = """
import os, subprocess, sys, time
from deployments.orphans import adopt_orphans, end_orphans

adopt_orphans()
child = "import subprocess as s, sys; print(s.Popen([sys.executable, '-c', sys.argv[1]], stdout=s.DEVNULL).pid)"
ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
dead = subprocess.run([sys.executable, "-c", child, sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True)
orphan = int(dead.stdout.split()[0])
while "ready" not in open(sys.argv[2]).read():
    time.sleep(0.05)
left = end_orphans(lambda: sys.argv[3] == "hurried", ours={ours.pid})
print(left, ours.poll() is None, os.path.exists(f"/proc/{orphan}"), open(sys.argv[2]).read())
ours.kill()
ours.wait()
"""
ORPHAN = """
import signal, sys, time
def end(*_):
    {on_sigterm}
signal.signal(signal.SIGTERM, end)
print("ready", end="", file=open({file!r}, "w"), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
@pytest.mark.parametrize(
    ("on_sigterm", "patience", "written"),
    [
        (
            "time.sleep(1); print(' and done', end='', file=open({file!r}, 'a'), flush=True); sys.exit()",
            "patient",
            "ready and done",
        ),
        ("pass", "hurried", "ready"),
    ],
)
def test_no_orphan_is_left(tmp_path: Path, on_sigterm: str, patience: str, written: str) -> None:
    """A process whose parent died is asked to end and given its time; what we run ourselves is left alone."""
    file = tmp_path / "file"
    file.touch()
    orphan = ORPHAN.format(file=str(file), on_sigterm=on_sigterm.format(file=str(file)))

    told = subprocess.run(
        [sys.executable, "-c", PARENT, orphan, str(file), patience],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )

    assert told.stdout == f"1 True False {written}\n"
