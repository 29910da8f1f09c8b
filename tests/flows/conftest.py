"""One Prefect server for all tests of flows, and what they need beside it: credentials, briefs, a count of task runs."""

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect.settings import (
    PREFECT_HOME,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_LEVEL,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows import stages
from flows.accounts import sandbox_credentials
from tasks.brief import Brief
from tests.conftest import Sandbox

START_TIMEOUT_SECONDS = 100


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server of our own, with a home, a database and a store of results that no other session has seen."""
    home = tmp_path_factory.mktemp("prefect-home")
    quiet_and_fast: dict[Any, Any] = {
        PREFECT_HOME: home,
        PREFECT_LOCAL_STORAGE_PATH: home / "results",
        PREFECT_LOGGING_LEVEL: "CRITICAL",
        PREFECT_LOGGING_TO_API_ENABLED: False,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE: 200,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 100,
    }
    with temporary_settings(quiet_and_fast), prefect_test_harness(START_TIMEOUT_SECONDS):
        yield
