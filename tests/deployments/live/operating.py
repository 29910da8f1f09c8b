"""A Prefect server, a clone of the project and an operator's commands, for tests that deploy for real."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import httpx
from sqlalchemy import make_url

ROOT = Path(__file__).parents[3]
START_TIMEOUT_SECONDS = 90.0
DEADLINE_SECONDS = 60.0

T = TypeVar("T")

QUICK = {
    # What waits for minutes in real life is looked at each second here.
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}


@dataclass(frozen=True)
class Operator:
    """Somebody at a terminal, in a clone of the project."""

    clone: Path
    environment: Mapping[str, str]

    @property
    def api(self) -> str:
        """Address of the Prefect server."""
        return self.environment["PREFECT_API_URL"]

    def python(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs `python -m …` in the clone, to its end."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.clone,
            env={**self.environment, "PWD": str(self.clone)},  # as a shell says it
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_SECONDS,
            check=False,
        )

    def left_in(self, folder: Path) -> list[str]:
        """Lists what lies in a folder."""
        return sorted(path.name for path in folder.iterdir())

    @contextmanager
    def worker(self, folder: Path) -> Iterator[None]:
        """Runs a worker that was started in another folder."""
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "deployments.worker"]
            with child(command, folder, {**self.environment, "PYTHONPATH": str(self.clone)}, log):
                yield


@contextmanager
def operator(folder: Path, port: int, database_url: str | None = None) -> Iterator[Operator]:
    """Clones the project as it is now, and starts a server with a home of its own; its database is SQLite or this."""
    clone = folder / "clone"
    clone_project(clone)
    api = f"http://127.0.0.1:{port}/api"
    (folder / "home").mkdir()
    environment = {**undisturbed(), "PREFECT_HOME": str(folder / "home"), "PREFECT_API_URL": api, **QUICK}
    server = {**environment, **settings_of(clone / "deployments" / "server.env")}
    if database_url is not None:
        server["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
            make_url(database_url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        )
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log, child(command, folder, server, log) as process:
        _wait_for(f"{api}/health", process)
        yield Operator(clone, environment)


def undisturbed() -> dict[str, str]:
    """The environment, without what somebody has set for Prefect, Python or us."""
    ours = ("PREFECT_", "KLEINBILD_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def clone_project(clone: Path) -> None:
    """Clones the project, with what is changed and not committed yet."""
    _git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone), cwd=ROOT)
    for name in _git("ls-files", "--modified", "--others", "--exclude-standard", "-z", cwd=ROOT).split("\0"):
        source, target = ROOT / name, clone / name
        if not name or source.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():
            shutil.copy2(source, target)
        else:
            target.unlink(missing_ok=True)


def settings_of(file: Path) -> dict[str, str]:
    """Reads KEY=VALUE lines."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """Waits until there is something to be seen."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if (seen := await look()) is not None:
            return seen
        await asyncio.sleep(0.2)
    raise AssertionError(f"Not seen within {DEADLINE_SECONDS:g} s: {look}")


def table(words: str) -> dict[str, tuple[str, str]]:
    """Reads the lines about things: their name, what was done, and the remark."""
    lines = re.findall(r"^(?:work pool|deployment|automation) +(\S.*?)  +(\S+)(?:  +(.*))?$", words, re.MULTILINE)
    return {name: (outcome, remark) for name, outcome, remark in lines}


@contextmanager
def child(
    command: list[str], folder: Path, environment: Mapping[str, str], log: IO[bytes]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a process in a group of its own, which ends with the context, all of it."""
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    with httpx.Client(timeout=5, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(url).is_success:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer; exit code {process.poll()}.")


def _git(*arguments: str, cwd: Path) -> str:
    # A repository that belongs to somebody else may be cloned: it is the one whose tests these are.
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout
