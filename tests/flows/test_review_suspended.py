"""A deployment whose run is suspended for its reviews, and whose worker dies in between."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Crashed, Failed, Pending, Running, Scheduled

from tests.conftest import Sandbox
from tests.deployments.plant import Worker
from tests.flows.conftest import Workplace, small_brief
from tests.flows.forms import DEADLINE_SECONDS, Form, form_of, known_runs, waiting_run
from tests.flows.test_review import decisions

PROJECT = Path(__file__).parents[2]
POOL = "reviews"


@pytest.fixture
def settings(prefect_server: str, tmp_path: Path) -> dict[str, str]:
    """What a worker on another machine would be told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "worker")}
    return {**kept, **own, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"}


@contextmanager
def worker(settings: dict[str, str], folder: Path) -> Iterator[Worker]:
    """A worker with a log; killed at the end with all that it has started."""
    log = folder / f"worker-{len(list(folder.glob('worker-*.log')))}.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--install-policy", "never"],
            cwd=folder,
            env=settings,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Worker(process, log)
    try:
        yield started
    finally:
        started.kill()


async def deploy(client: PrefectClient) -> UUID:
    await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
    return await client.create_deployment(
        flow_id=await client.create_flow_from_name("campaign"),
        name="reviewed",
        entrypoint="flows.campaign.campaign",
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}],
        work_pool_name=POOL,
        job_variables={"env": {"PYTHONPATH": str(PROJECT)}},
    )


async def parameters(workplace: Workplace, **changes: Any) -> dict[str, Any]:
    """What the run is started with: blocks by their names, the rest as JSON."""
    await workplace.scenario.asave("reviewed", overwrite=True)
    await workplace.sunra.asave("reviewed", overwrite=True)
    edits = [{"instruction": "Turn it into a watercolor."}]
    return {
        "brief": small_brief(**{"prompts": "a {red|blue|green} teapot", "edits": edits, **changes}),
        "review": True,
        "archive": {"root": str(workplace.archive)},
        "scenario": {"$ref": {"block_document_slug": "scenario-credentials/reviewed"}},
        "sunra": {"$ref": {"block_document_slug": "sunra-credentials/reviewed"}},
    }


async def ended(client: PrefectClient, run_id: UUID) -> FlowRun:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            run = await client.read_flow_run(run_id)
            if run.state is not None and run.state.is_final():
                return run
            await asyncio.sleep(0.2)


@pytest.mark.timeout(400)  # two workers and three runs, each a process that imports Prefect
async def test_a_suspended_run_survives_its_worker(
    workplace: Workplace, sandbox: Sandbox, settings: dict[str, str], tmp_path: Path
) -> None:
    """Its process ends at each review. Another worker goes on with the answers, and every shot is bought once."""
    async with get_client() as client:
        deployment = await deploy(client)
        known = await known_runs(client, "Suspended")
        run = await client.create_flow_run_from_deployment(deployment, parameters=await parameters(workplace))
        with worker(settings, tmp_path) as first:
            suspended = await waiting_run(client, known, "Suspended")
            assert suspended.id == run.id
            assert len(sandbox.jobs()) == 3
            first.kill()
        answer = {"reject": "1", "again": [{"number": "2", "prompt": "a glass teapot"}]}
        await client.resume_flow_run(run.id, run_input=answer)
        with worker(settings, tmp_path):
            again = await waiting_run(client, known, "Suspended")
            form = await form_of(client, again)
            assert form is not None
            assert "**4**<br>a glass teapot" in form.page
            assert form.page.count("data:image/jpeg") == 1
            await client.resume_flow_run(run.id, run_input={"reject": ""})
            over = await ended(client, run.id)
        assert over.state is not None
        assert over.state.type is StateType.COMPLETED, over.state.message

    assert [(each.step, each.round, each.by, each.run_id) for each in decisions(workplace)] == [
        (0, 1, "form", str(run.id)),
        (0, 2, "form", str(run.id)),
    ]
    prompts = [job["request"]["prompt"] for job in sandbox.jobs()]
    assert sorted(prompts[:3]) == ["a blue teapot", "a green teapot", "a red teapot"]
    assert prompts[3:] == ["a glass teapot", "Turn it into a watercolor.", "Turn it into a watercolor."]


async def crash(client: PrefectClient, run_id: UUID) -> None:
    """Does what a worker that is killed as soon as it has begun a run leaves behind, and what our automation does."""
    states: list[State[Any]] = [Pending(), Running(), Crashed(), Scheduled(name="AwaitingRetry")]
    for state in states:
        await client.set_flow_run_state(run_id, state)


def shown_labels(form: Form) -> list[tuple[str, str]]:
    """The numbers and texts on the page above a form."""
    return re.findall(r"\*\*(\w+)\*\*<br>([^|\n]+?) *(?=\||\n|$)", form.page)


@pytest.mark.timeout(400)  # three workers, each run a process that imports Prefect
async def test_an_answer_survives_a_crash_and_means_what_was_shown(
    workplace: Workplace, sandbox: Sandbox, settings: dict[str, str], tmp_path: Path
) -> None:
    """A picture that came in late moves the numbers, but an answer is for those that were shown; the new one is next.

    What this run saw fail is not bought again. A review that timed out can be retried, and the question is put anew.
    """
    sandbox.fault("job_slow", match="red", seconds=15)
    sandbox.fault("job_fails", match="black", error="no")
    brief = {"prompts": "a {red|blue|black|green} teapot", "edits": [], "job_timeout_seconds": 6}
    async with get_client() as client:
        deployment = await deploy(client)
        known = await known_runs(client, "Suspended")
        run = await client.create_flow_run_from_deployment(deployment, parameters=await parameters(workplace, **brief))
        with worker(settings, tmp_path):
            form = await form_of(client, await waiting_run(client, known, "Suspended"))
        assert form is not None
        assert shown_labels(form) == [("1", "a blue teapot"), ("2", "a green teapot")]

        await client.resume_flow_run(
            run.id, run_input={"reject": "1", "again": [{"number": "2", "prompt": "a glass teapot"}]}
        )
        await crash(client, run.id)
        with worker(settings, tmp_path):
            form = await form_of(client, await waiting_run(client, known, "Suspended"))
        assert form is not None
        assert shown_labels(form) == [("1", "a red teapot"), ("4", "a glass teapot")]

        await client.set_flow_run_state(run.id, Failed(message="The flow was suspended and never resumed."))
        await client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"))
        with worker(settings, tmp_path):
            again = await form_of(client, await waiting_run(client, known, "Suspended"))
            assert again is not None
            assert shown_labels(again) == shown_labels(form)
            resumed = await client.resume_flow_run(run.id, run_input={"reject": "1"})
            assert resumed.status.value == "ACCEPT"
            over = await ended(client, run.id)
        assert over.state is not None
        assert over.state.type is StateType.COMPLETED, over.state.message
        assert over.run_count == 3  # begun, queued after a crash, retried; a resumption does not count

    first, second = decisions(workplace)
    texts = prompts_of(workplace)
    assert [texts[sha256] for sha256 in first.shown] == ["a blue teapot", "a green teapot"]
    assert [texts[sha256] for sha256 in first.rejected] == ["a blue teapot"]
    assert [(texts[each.sha256], each.prompt) for each in first.again] == [("a green teapot", "a glass teapot")]
    assert [texts[sha256] for sha256 in second.shown] == ["a red teapot", "a glass teapot"]
    assert [texts[sha256] for sha256 in second.rejected] == ["a red teapot"]
    assert sorted(job["request"]["prompt"] for job in sandbox.jobs()) == [
        "a black teapot",
        "a blue teapot",
        "a glass teapot",
        "a green teapot",
        "a red teapot",
    ]


def prompts_of(workplace: Workplace) -> dict[str, str]:
    """The text of every archived picture, by its SHA-256."""
    records = [json.loads(file.read_bytes()) for file in (workplace.archive / "records").glob("*/*.json")]
    return {record["sha256"]: record["request"]["prompt"] for record in records}
