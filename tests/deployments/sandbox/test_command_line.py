"""``python -m deployments.sandbox`` says where it listens, serves, and stops when told to."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[3]


@contextmanager
def started(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The running command and the address of its start line."""
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield process, line.split()[3].removesuffix("/v1")
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_from_its_start_line_until_a_signal(number: signal.Signals) -> None:
    """One line with the real address, then an answer; the signal ends it with 0 and no word."""
    with started() as (process, origin):
        assert httpx.get(f"{origin}/sandbox/health", timeout=30).json() == {"ready": True, "jobs": 0}
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    """They are live from the start."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"faults": [{"kind": "list_error", "http_status": 500}]}), encoding="utf-8")
    with started("--faults", str(path)) as (_, origin):
        replies = [httpx.get(f"{origin}/v1/jobs", auth=("sandbox-key", "sandbox-secret"), timeout=30) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [500, 200]


def test_a_bad_faults_file_is_named(tmp_path: Path) -> None:
    """Exit 1 with the file and the reason, no traceback."""
    path = tmp_path / "faults.json"
    path.write_text('{"faults": [{"kind": "nonsense"}]}', encoding="utf-8")
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--faults", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"cannot read the faults file {path}" in done.stderr
    assert "Traceback" not in done.stderr
