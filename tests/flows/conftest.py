"""One Prefect server for all tests of flows, and the workplace of a campaign: archive, accounts, small briefs."""

import gc
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import certifi
import pytest
from PIL import Image
from prefect import Task
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness
from pydantic import SecretStr

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows import stages
from flows.accounts import sandbox_credentials
from flows.campaign import campaign
from tasks.brief import Brief
from tasks.brief_reading import read_brief
from tasks.models import CampaignResult
from tests.conftest import Sandbox

START_TIMEOUT_SECONDS = 100
END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own, with a home, a database and a store of results that no other session has seen."""
    home = tmp_path_factory.mktemp("prefect-home")
    own_and_fast: dict[Any, Any] = {
        PREFECT_HOME: home,
        PREFECT_LOCAL_STORAGE_PATH: home / "results",
        PREFECT_API_SSL_CERT_FILE: str(_one_authority(home)),
        PREFECT_LOGGING_TO_API_ENABLED: False,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE: 200,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 100,
    }
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    with temporary_settings(own_and_fast), prefect_test_harness(START_TIMEOUT_SECONDS):
        yield str(PREFECT_API_URL.value())


def _one_authority(folder: Path) -> Path:
    """A file of one certificate: Prefect reads all authorities for each of its clients, and nobody here shows any."""
    file = folder / "one-authority.pem"
    file.write_text(certifi.contents().partition(END_OF_CERTIFICATE)[0] + END_OF_CERTIFICATE, encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _forgive_prefect_its_open_connections(prefect_server: str) -> None:
    """Lets Prefect leave connections to its server to the garbage collector; ours to a provider are still errors."""
    port = prefect_server.removesuffix("/api").rpartition(":")[2]
    warnings.filterwarnings("ignore", rf"unclosed .*raddr=\('127.0.0.1', {port}\)", ResourceWarning)


@pytest.fixture(scope="module", autouse=True)
def _leave_no_garbage_to_others() -> Iterator[None]:
    """Collects those connections here, where they are forgiven."""
    yield
    gc.collect()


@dataclass(frozen=True)
class Workplace:
    """Where a test runs campaigns: an archive of its own, and accounts with the sandbox."""

    archive: Path
    scenario: ScenarioCredentials
    sunra: SunraCredentials
    photograph: Path

    def run(self, brief: Brief | Path, **terms: Any) -> CampaignResult:
        """Runs a campaign as a script would."""
        result: CampaignResult = campaign(brief, **{**self.terms, **terms})
        return result

    async def run_in_loop(self, brief: Brief | Path, **terms: Any) -> CampaignResult:
        """Runs a campaign as async code would."""
        result: CampaignResult = await campaign(brief, **{**self.terms, **terms})
        return result

    @property
    def terms(self) -> dict[str, Any]:
        """The keywords that all flows share."""
        return {"archive": self.archive, "scenario": self.scenario, "sunra": self.sunra}

    def brief(self, **changes: Any) -> Brief:
        """A brief for two small pictures, with changes."""
        return read_brief(small_brief(**changes), Brief, shown_as="brief")

    def brief_with_edits(self, **changes: Any) -> Brief:
        """The same, with a chain of two edits; the first one uses a photograph."""
        edits = [
            {"instruction": "Add the cup of @cup to the table.", "references": ["cup"]},
            {"instruction": "Turn it into a watercolor."},
        ]
        return self.brief(**{"references": {"cup": str(self.photograph)}, "edits": edits, "edit": "all", **changes})


def small_brief(**changes: Any) -> dict[str, Any]:
    """The document of a brief that is made quickly."""
    generate = {"provider": "scenario", "width_px": 128, "height_px": 128, "steps": 1}
    return {"name": "teapots", "prompts": "a {red|blue} teapot", "generate": generate, **changes}


@pytest.fixture
def workplace(sandbox: Sandbox, tmp_path: Path) -> Workplace:
    """An empty archive, and accounts that know what the sandbox charges."""
    scenario, sunra = sandbox_credentials(sandbox.origin)
    photograph = tmp_path / "cup.png"
    Image.linear_gradient("L").resize((96, 64)).save(photograph)
    return Workplace(
        archive=tmp_path / "archive",
        scenario=scenario.model_copy(update={"price_per_creative_unit": None}),
        sunra=sunra.model_copy(update={"price_per_image": Decimal("0.01")}),
        photograph=photograph,
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many task runs of `submit` and `collect` the flows have started."""
    counts: Counter[str] = Counter()

    for name in ("submit", "collect"):
        monkeypatch.setattr(stages, name, Counted(getattr(stages, name), counts))
    return counts


class Counted:
    """A task that counts how often it is started."""

    def __init__(self, task: Task[Any, Any], counts: Counter[str]) -> None:
        self._task = task
        self._counts = counts

    def __call__(self, *arguments: Any) -> Any:
        """Starts the task."""
        self._counts[self._task.name] += 1
        return self._task(*arguments)

    def with_options(self, **options: Any) -> "Counted":
        """The same task with other options, counted as before."""
        return Counted(self._task.with_options(**options), self._counts)


def wrong_key(credentials: Any) -> Any:
    """The same credentials with a key that opens nothing."""
    return credentials.model_copy(update={"api_key": SecretStr("not-the-key")})
