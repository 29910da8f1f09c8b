"""Whole processes, as people start them: what is left in Prefect's database and on the terminal when they end."""

import functools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.conftest import Sandbox
from tests.flows.conftest import small_brief

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from flows.accounts import sandbox_credentials
from flows.campaign import campaign

if __name__ == "__main__":
    scenario, sunra = sandbox_credentials(sys.argv[1])
    result = campaign(Path(sys.argv[2]), archive=Path(sys.argv[3]), scenario=scenario, sunra=sunra)
    print(len(result.images), result.bought)
"""
TIMEOUT_SECONDS = 90


def environment(**variables: str) -> dict[str, str]:
    """A person's environment that says nothing about Prefect but what a test says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture
def brief(tmp_path: Path) -> Path:
    path = tmp_path / "brief.yaml"
    path.write_text(yaml.safe_dump(small_brief(seeds=6)), encoding="utf-8")
    return path


def test_a_plain_script_keeps_its_history_and_a_clean_terminal(sandbox: Sandbox, brief: Path, tmp_path: Path) -> None:
    """With no server configured every task run is on record when the script ends, and nothing looks like a failure."""
    home = tmp_path / "home"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, str(script), sandbox.origin, str(brief), str(tmp_path / "archive")],
        cwd=ROOT,
        env=environment(PREFECT_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )

    assert finished.stdout.splitlines()[-1] == "12 12"
    assert "Traceback" not in finished.stdout + finished.stderr
    assert "ERROR" not in finished.stdout + finished.stderr
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        flow_runs = database.execute("SELECT state_type, count(*) FROM flow_run GROUP BY 1").fetchall()
        task_runs = database.execute("SELECT state_type, count(*) FROM task_run GROUP BY 1").fetchall()
    assert flow_runs == [("COMPLETED", 1)]
    assert task_runs == [("COMPLETED", 2 * 12 + 4)]


def test_ctrl_c_ends_in_peace_and_the_next_run_goes_on(
    sandbox: Sandbox, brief: Path, tmp_path: Path, prefect_server: str
) -> None:
    """A run that is stopped while jobs are at work ends with 130 and one sentence; the next one buys none of them."""
    command = [sys.executable, "-m", "flows", "campaign", str(brief), "--sandbox", sandbox.origin]
    command += ["--archive", str(tmp_path / "archive")]
    settings = environment(PREFECT_API_URL=prefect_server, PREFECT_HOME=str(tmp_path / "home"))
    sandbox.fault("job_slow", seconds=4, times=None)
    # A test run in the background ignores SIGINT, and so would its children: this one is to obey.
    obey = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stderr=subprocess.PIPE, text=True, preexec_fn=obey
    ) as process:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(sandbox.jobs()) < 12:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)  # their ids are on their way into the ledger
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 130
    assert "Stopped. " in said
    assert "Traceback" not in said

    sandbox.clear_faults()
    again = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, timeout=TIMEOUT_SECONDS, check=True)
    assert b"shots had before" in again.stdout
    assert len(sandbox.jobs()) == 12
