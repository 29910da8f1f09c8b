"""What every test may use: the sandbox, served on a free port of this machine. And what no test may do: skip in CI."""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import pytest

from deployments.sandbox.app import create_app
from deployments.sandbox.server import served

if TYPE_CHECKING:
    from tests.side_by_side import Lanes

COMPLETE = "KLEINBILD_TEST_COMPLETE"
"""Set where everything is installed that tests look for, as `.ci/run` does: there nothing is skipped for want of it."""

SKIPPED_ANYWHERE = (
    "no power can be cut here",  # a container has no disks of its own
)
"""Reasons that no installed program takes away."""

# Hypothesis fails an example that takes 200 ms, which says more of the machine than of us; pytest has its own deadline.
hypothesis.settings.register_profile("any machine", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes a skip a failure where everything was said to be installed."""
    report = yield
    if COMPLETE in os.environ and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[-1]
        if not any(known in reason for known in SKIPPED_ANYWHERE):
            report.outcome, report.longrepr = "failed", f"{reason}, and {COMPLETE} says that everything is there"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One process more than there are cores, for many tests wait: for servers, processes and browsers."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "Lanes | None":
    """Keeps together what must not be side by side."""
    from tests.side_by_side import Lanes  # who has no xdist can run the tests one by one

    return Lanes(config, log) if config.option.dist == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    """Gives each process of tests a Prefect home of its own: nothing has imported Prefect yet."""
    if hasattr(config, "workerinput") and "PREFECT_HOME" in os.environ:
        os.environ["PREFECT_HOME"] = f"{os.environ['PREFECT_HOME']}/{config.workerinput['workerid']}"


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
