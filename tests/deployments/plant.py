"""What many workers need, on one machine: PostgreSQL databases, Redis, a Prefect server that uses both, workers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import make_url

from deployments.processes import server
from tests.ports import held_port

PROJECT = Path(__file__).parents[2]
REDIS = shutil.which("redis-server")
START_TIMEOUT_SECONDS = 100.0
STOP_TIMEOUT_SECONDS = 15.0
POOL = "plant"


@dataclass
class Worker:
    """A worker and all processes that it has started, in sessions of their own."""

    process: subprocess.Popen[bytes]
    log: Path
    dead: set[int] = field(default_factory=set)

    @property
    def pids(self) -> set[int]:
        """Those that are alive."""
        return {self.process.pid, *_descendants(self.process.pid)}

    def kill(self) -> None:
        """What a power cut does: nobody gets to say a word, and the worker first, for it would notice the others."""
        for pid in sorted(self.pids, key=lambda pid: pid != self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.dead.add(pid)
        self.process.wait(STOP_TIMEOUT_SECONDS)

    def printed(self) -> str:
        """The end of what it and its runs have said."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]


@asynccontextmanager
async def postgres_database(server_url: str) -> AsyncIterator[str]:
    """Makes a database, and drops it; yields its URL."""
    name = f"kleinbild_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url, timeout=10)
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@contextmanager
def redis() -> Iterator[int]:
    """Runs a Redis that writes nothing down; yields its port."""
    port = held_port()
    command = [str(REDIS), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            _await_redis(port)
            yield port
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_SECONDS)


@contextmanager
def prefect_server(home: Path, database_url: str, redis_port: int) -> Iterator[str]:
    """Runs a Prefect server as compose.yaml sets it up; yields the URL of its API."""
    origin = f"http://127.0.0.1:{held_port()}"
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_DATABASE_CONNECTION_URL": make_url(database_url)
        .set(drivername="postgresql+asyncpg")
        .render_as_string(hide_password=False),
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis_port}/1",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port"]
    with server(
        ["env", *(f"{name}={value}" for name, value in settings.items()), *command, origin.rpartition(":")[2]],
        answers_at=f"{origin}/api/health",
        timeout_seconds=START_TIMEOUT_SECONDS,
    ):
        yield f"{origin}/api"


@contextmanager
def sandbox(latency_seconds: float) -> Iterator[str]:
    """Runs a sandbox; yields its origin."""
    origin = f"http://127.0.0.1:{held_port()}"
    options = {"--port": origin.rpartition(":")[2], "--latency": str(latency_seconds), "--repeat-rate": "0"}
    command = [sys.executable, "-m", "deployments.sandbox", *(word for pair in options.items() for word in pair)]
    with server(command, answers_at=f"{origin}/sandbox/health", timeout_seconds=START_TIMEOUT_SECONDS):
        yield origin


@contextmanager
def workers(number: int, runs_each: int, home: Path, settings: Mapping[str, str]) -> Iterator[list[Worker]]:
    """Runs process workers, each in a session and with a log of its own; kills them and their runs at the end."""
    hired: list[Worker] = []
    try:
        for index in range(number):
            log = home / f"worker-{index}.log"
            options = ("--pool", POOL, "--limit", str(runs_each), "--name", f"worker-{index}")
            with log.open("wb") as printed:
                process = subprocess.Popen(
                    [sys.executable, "-m", "prefect", "worker", "start", "--install-policy", "never", *options],
                    cwd=home,
                    env={**os.environ, "PREFECT_HOME": str(home / f"worker-{index}"), **settings},
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            hired.append(Worker(process, log))
        yield hired
    finally:
        for worker in hired:
            worker.kill()


def _await_redis(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.05)
    raise TimeoutError(f"Redis did not answer within {START_TIMEOUT_SECONDS:g} s.")


def _descendants(pid: int) -> Iterator[int]:
    """Finds children and theirs, wherever they have moved their session to."""
    parents = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):  # it has just ended
            if folder.name.isdigit():
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
        yield from more
