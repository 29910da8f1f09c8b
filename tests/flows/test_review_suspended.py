"""A deployment whose run is suspended for its reviews, and whose worker dies in between."""

import asyncio
import os
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
from prefect.client.schemas.objects import FlowRun, StateType

from tests.conftest import Sandbox
from tests.deployments.plant import Worker
from tests.flows.conftest import Workplace, small_brief
from tests.flows.forms import DEADLINE_SECONDS, form_of, waiting_run
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


async def parameters(workplace: Workplace) -> dict[str, Any]:
    """What the run is started with: blocks by their names, the rest as JSON."""
    await workplace.scenario.asave("reviewed", overwrite=True)
    await workplace.sunra.asave("reviewed", overwrite=True)
    edits = [{"instruction": "Turn it into a watercolor."}]
    return {
        "brief": small_brief(prompts="a {red|blue|green} teapot", edits=edits),
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
        known = {run.id for run in await client.read_flow_runs()}
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
