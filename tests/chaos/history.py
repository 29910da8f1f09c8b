"""Asks the Prefect server which task runs a flow run has started."""

import time
from typing import Any

import httpx

PAGE_SIZE = 200
DEADLINE_SECONDS = 60.0
INTERVAL_SECONDS = 0.25
LAST_TASK = "report"


def task_runs_of(prefect_api: str, tag: str) -> list[str]:
    """The names of the task runs of the flow run with this tag, when all of them are on record.

    Task runs are written down with a delay. The server keeps their order, so that all are there when the last one is:
    the one that makes the contact sheet.

    Raises:
        TimeoutError: The last one was never recorded.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    with httpx.Client(base_url=prefect_api, timeout=30, trust_env=False) as client:
        while time.monotonic() < deadline:
            runs = _recorded(client, tag)
            if any(run["name"].startswith(LAST_TASK) and run["state_type"] == "COMPLETED" for run in runs):
                return sorted(run["name"] for run in runs)
            time.sleep(INTERVAL_SECONDS)
    raise TimeoutError(f"The report of the flow run {tag!r} is not on record.")


def _recorded(client: httpx.Client, tag: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    while True:
        body = {"flow_runs": {"tags": {"all_": [tag]}}, "limit": PAGE_SIZE, "offset": len(runs), "sort": "NAME_ASC"}
        page = client.post("/task_runs/filter", json=body).raise_for_status().json()
        runs += page
        if len(page) < PAGE_SIZE:
            return runs
