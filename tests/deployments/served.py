"""`make serve` as a person runs it: from a clean home, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
TRIES = 5
DOWN_TIMEOUT_SECONDS = 60
RUN_TIMEOUT_SECONDS = 90
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True)
class Served:
    """What `make serve` runs, and where."""

    ui: str
    sheets: str
    state: Path

    def get(self, path: str) -> Any:
        """Asks Prefect's API."""
        return self._ask("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        """Asks Prefect's API."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        for _ in range(TRIES):
            answer = httpx.request(method, f"{self.ui}/api{path}", json=body, timeout=30, trust_env=False)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # its SQLite was busy, and nothing was done
                break
            time.sleep(1)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def state_of(self, run_id: str) -> dict[str, Any]:
        """Says in which state a flow run is."""
        state: dict[str, Any] = self.get(f"/flow_runs/{run_id}")["state"]
        return state

    def wait_for(self, run_id: str, *names: str) -> dict[str, Any]:
        """Waits until a flow run is in a state of one of these names, or has ended in another."""

        def arrived() -> dict[str, Any] | None:
            state = self.state_of(run_id)
            return state if state["name"] in names or state["type"] in ENDED else None

        state = self.wait_until(arrived)
        assert state["name"] in names, state
        return state

    def wait_until(self, ask: Callable[[], T | None]) -> T:
        """Asks until there is an answer."""
        deadline = time.monotonic() + RUN_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if answer := ask():
                return answer
            time.sleep(0.5)
        raise AssertionError(f"It did not happen within {RUN_TIMEOUT_SECONDS} s.")


@contextmanager
def serving(state: Path) -> Iterator[Served]:
    """Serves for as long as the context is open, and ends it as Ctrl-C does."""
    own = ("PREFECT_", "KLEINBILD_", "SCENARIO_", "SUNRA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    process = subprocess.Popen(
        [sys.executable, "-m", "deployments.serve", "--state", str(state), "--port", "0"],
        cwd=ROOT,
        env=kept | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield _await_panel(process, state)
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=DOWN_TIMEOUT_SECONDS)
    assert process.returncode == 0, said


def _await_panel(process: subprocess.Popen[str], state: Path) -> Served:
    assert process.stdout is not None
    said: list[str] = []
    facts: dict[str, str] = {}
    for line in process.stdout:  # it says what is wrong and ends, or prints its panel, in bounded time
        said.append(line)
        name, _, value = line.strip().partition("  ")
        facts[name] = value.strip()
        if line.startswith("Ctrl-C"):
            return Served(facts["Prefect UI"].removesuffix("/deployments"), facts["Contact sheets"], state)
    raise AssertionError("".join(said))
