"""The outside world of the chaos tests: a sandbox and a Prefect server in processes of their own, and a nursery."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.processes import server
from tests.chaos.nursery import Child, Nursery, nursery, temporary_home
from tests.chaos.orders import Order
from tests.conftest import Sandbox
from tests.ports import held_port

START_TIMEOUT_SECONDS = 100.0
LATENCY_SECONDS = 0.1


@dataclass(frozen=True)
class World:
    """Everything that a campaign meets outside its process."""

    sandbox: Sandbox
    prefect_api: str
    home: Path
    _nursery: Nursery
    _client: httpx.Client

    def archive(self) -> Path:
        """Root of an archive that nobody has used."""
        return self.home / f"archive-{uuid.uuid4().hex}"

    def start(self, **fields: Any) -> Child:
        """Starts a child; the fields are those of `Order`."""
        result = self.home / f"result-{uuid.uuid4().hex}.json"
        return self._nursery.start(Order(origin=self.sandbox.origin, result=result, **fields))

    def reset(self) -> None:
        """Lets the sandbox forget jobs, pictures and faults."""
        self._client.post("/sandbox/reset").raise_for_status()

    def printed(self) -> str:
        """What children printed: where a failure of theirs is explained."""
        return (self.home / "children.log").read_text(encoding="utf-8", errors="replace")[-4000:]


@contextmanager
def world() -> Iterator[World]:
    """Starts all of it, and ends all of it."""
    with temporary_home() as folder:
        home = Path(folder)
        (home / "prefect").mkdir()
        environment = {"PREFECT_HOME": str(home / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        sandbox, prefect = (f"http://127.0.0.1:{held_port()}" for _ in range(2))
        with (
            server(_sandbox_command(sandbox), answers_at=f"{sandbox}/sandbox/health", timeout_seconds=60),
            server(
                [*_env(environment), *_prefect_command(prefect)],
                answers_at=f"{prefect}/api/health",
                timeout_seconds=START_TIMEOUT_SECONDS,
            ),
            nursery({**environment, **_of_children(prefect)}, home / "children.log") as opened,
            httpx.Client(base_url=sandbox, timeout=30, trust_env=False) as client,
        ):
            yield World(Sandbox(sandbox, client), f"{prefect}/api", home, opened, client)


def _of_children(prefect: str) -> dict[str, str]:
    return {
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
    }


def _env(environment: dict[str, str]) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in environment.items())]


def _sandbox_command(origin: str) -> list[str]:
    options = {"--port": _port(origin), "--latency": str(LATENCY_SECONDS), "--repeat-rate": "0"}
    return [sys.executable, "-m", "deployments.sandbox", *(word for pair in options.items() for word in pair)]


def _prefect_command(origin: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        _port(origin),
        "--no-ui",
    ]


def _port(origin: str) -> str:
    return origin.rpartition(":")[2]
