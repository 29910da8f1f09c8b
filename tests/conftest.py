"""What every test may use: the sandbox, served on a free port of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from deployments.sandbox.app import create_app
from deployments.sandbox.server import served


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The running sandbox as a test sees it."""

    origin: str
    _client: httpx.Client = field(repr=False)

    @property
    def url(self) -> str:
        """The base URL of both APIs, ``http://127.0.0.1:PORT/v1``."""
        return f"{self.origin}/v1"

    def jobs(self, provider: str | None = None) -> list[dict[str, Any]]:
        """Every paid job accepted since the test began: what was bought."""
        jobs: list[dict[str, Any]] = self._client.get("/sandbox/jobs").raise_for_status().json()
        return [job for job in jobs if provider in (None, job["provider"])]

    def fault(self, kind: str, **fields: Any) -> None:
        """Inject one fault from now on; see ``deployments/sandbox/faults.py`` for kinds and fields."""
        body = {"faults": [{"kind": kind, **fields}]}
        self._client.post("/sandbox/faults", json=body).raise_for_status()

    def struck(self) -> list[int]:
        """How often each injected fault has struck, in the order of injection."""
        answer = self._client.get("/sandbox/faults").raise_for_status().json()
        return [fault["struck"] for fault in answer["faults"]]

    def clear_faults(self) -> None:
        """Make no fault live."""
        self._client.delete("/sandbox/faults").raise_for_status()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The origin of one sandbox for the whole session, ``http://127.0.0.1:PORT``; jobs take a tenth of a second."""
    with served(create_app(latency_seconds=0.1)) as origin:
        yield origin


@pytest.fixture(scope="session")
def _sandbox_client(sandbox_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def sandbox(sandbox_url: str, _sandbox_client: httpx.Client) -> Sandbox:
    """The sandbox with no jobs, no pictures and no faults."""
    _sandbox_client.post("/sandbox/reset").raise_for_status()
    return Sandbox(sandbox_url, _sandbox_client)
