"""Two workers, four campaigns, one account: PostgreSQL, Redis, and a worker that is killed half-way."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from pydantic import SecretStr

from blocks.archive.block import ImageArchive
from blocks.archive.ledger import ShotState
from deployments.automations import Terms, automations
from deployments.limits import ensure_limit
from flows.accounts import BLOCK_NAME, sandbox_credentials
from tests.blocks.archive.conftest import POSTGRES_URL
from tests.deployments import plant
from tests.deployments.plant import POOL, PROJECT, REDIS, Worker
from tests.prefect_servers import prefect_at

pytestmark = [
    pytest.mark.skipif(POSTGRES_URL is None, reason="KLEINBILD_TEST_POSTGRES_URL names no PostgreSQL server"),
    pytest.mark.skipif(REDIS is None, reason="redis-server is not installed"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # Prefect leaves some to the garbage collector
]

LIMIT = 8
WANTED_EACH = 3
"""Most shots that each of the four runs has in flight: together they want more than the limit."""

LIMIT_NAME = "scenario-credentials-default"
LATENCY_SECONDS = 1.5
THINGS = ("teapot", "lamp", "chair", "clock")
WORKERS = 2
RUNS_EACH = len(THINGS) // WORKERS
SHOTS_EACH = 24
SHOTS = SHOTS_EACH * len(THINGS)
HALF_WAY = range(SHOTS_EACH // 6, 2 * SHOTS_EACH // 3)
"""How many shots of a campaign are bought when its worker is killed."""

DEAD_AFTER = timedelta(seconds=45)
"""Heartbeats come every 30 s; Prefect takes no shorter interval."""

DEADLINE_SECONDS = 240.0
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class Plant:
    """Everything that runs, and what a test does with it."""

    prefect: PrefectClient
    sandbox: httpx.AsyncClient
    archive: ImageArchive
    workers: list[Worker]

    async def jobs(self) -> list[dict[str, Any]]:
        """What was bought."""
        jobs: list[dict[str, Any]] = (await self.sandbox.get("/sandbox/jobs")).raise_for_status().json()
        return jobs

    async def bought(self) -> Counter[str]:
        """How many shots of each campaign were bought."""
        return Counter(_thing_of(job) for job in await self.jobs())

    async def start(self, deployment: UUID) -> dict[str, UUID]:
        """Starts all campaigns; returns the runs by what they make pictures of."""
        runs = {}
        for thing in THINGS:
            parameters = {"brief": _brief(thing)}
            run = await self.prefect.create_flow_run_from_deployment(deployment, parameters=parameters, name=thing)
            runs[thing] = run.id
        return runs

    async def runs(self, ids: dict[str, UUID]) -> dict[str, FlowRun]:
        """How the runs are doing."""
        found = await self.prefect.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(ids.values())))
        )
        things = {id_: thing for thing, id_ in ids.items()}
        return {things[run.id]: run for run in found}

    async def story(self, ids: dict[str, UUID]) -> str:
        """All states that the runs went through."""
        lines = []
        for thing, id_ in ids.items():
            states = await self.prefect.read_flow_run_states(id_)
            lines.append(f"{thing}: " + ", ".join(f"{state.name} {state.timestamp:%H:%M:%S}" for state in states))
        return "\n".join(lines)

    def printed(self) -> str:
        """Where a failure is explained."""
        return "\n".join(worker.printed() for worker in self.workers)


@pytest.fixture(scope="module", autouse=True)
def _leave_no_garbage_to_others() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Plant]:
    """Servers, workers, saved blocks and the limit."""
    assert POSTGRES_URL is not None
    async with AsyncExitStack() as stack:
        for_prefect, for_archive = [
            await stack.enter_async_context(plant.postgres_database(POSTGRES_URL)) for _ in range(2)
        ]
        redis_port = stack.enter_context(plant.redis())
        origin = stack.enter_context(plant.sandbox(LATENCY_SECONDS))
        api = stack.enter_context(plant.prefect_server(tmp_path / "server", for_prefect, redis_port))
        settings = {"PREFECT_API_URL": api, "PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_LOGGING_LEVEL": "WARNING"}
        stack.enter_context(prefect_at(api))
        prefect = await stack.enter_async_context(get_client())
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30))
        archive = ImageArchive(root=str(tmp_path / "archive"), catalogue_url=SecretStr(for_archive))
        await _save(archive, origin)
        await prefect.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        yield Plant(
            prefect, client, archive, stack.enter_context(plant.workers(WORKERS, RUNS_EACH, tmp_path, settings))
        )


async def _save(archive: ImageArchive, origin: str) -> None:
    scenario, _ = sandbox_credentials(origin)
    scenario = scenario.model_copy(update={"max_in_flight": WANTED_EACH, "shared_limit": LIMIT_NAME})
    await scenario.asave(BLOCK_NAME)
    await archive.asave(BLOCK_NAME)
    await ensure_limit(LIMIT_NAME, LIMIT)


async def test_four_campaigns_on_two_workers_survive_the_death_of_one(running: Plant) -> None:
    """All four finish, never more than eight shots are in flight, and none is bought twice."""
    deployment = await _deploy(running.prefect)
    ids = await running.start(deployment)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            killed = await _kill_one_half_way(running, ids)
            runs = await _ended(running, ids)
    except TimeoutError:
        pytest.fail(f"{await running.story(ids)}\n{running.printed()}")

    states = {thing: run.state_name for thing, run in runs.items()}
    assert states == dict.fromkeys(THINGS, "Completed"), running.printed()
    assert {thing for thing, run in runs.items() if run.run_count > 1} == killed
    jobs = await running.jobs()
    assert most_in_flight(jobs) <= LIMIT
    assert Counter(_thing_of(job) for job in jobs) == dict.fromkeys(THINGS, SHOTS_EACH)
    assert len({(job["request"]["prompt"], job["request"]["seed"]) for job in jobs}) == SHOTS
    async with running.archive.open() as archive:
        assert len(await archive.ledger.in_states(ShotState.DONE)) == SHOTS
        assert await archive.catalogue.count() == SHOTS


async def _deploy(client: PrefectClient) -> UUID:
    """Deploys `campaign`, and the automations that notice dead runs and queue them again."""
    deployment = await client.create_deployment(
        flow_id=await client.create_flow_from_name("campaign"),
        name="many",
        entrypoint="flows.campaign.campaign",
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}],
        work_pool_name=POOL,
        job_variables={"env": {"PYTHONPATH": str(PROJECT), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}},
        tags=["kleinbild"],
    )
    others = dict.fromkeys(("reconcile/hourly", "revise/on-demand", "export/on-demand"), deployment)
    for automation in automations(others, terms=Terms(silent=DEAD_AFTER)):
        if any(part in automation.name for part in ("machine is gone", "silent", "back to the queue")):
            await client.create_automation(automation)
    return deployment


async def _kill_one_half_way(running: Plant, ids: dict[str, UUID]) -> set[str]:
    """Kills a worker when one of its campaigns is half-way, and the other one has begun.

    Returns:
        All that were at work on it.
    """
    while True:
        bought, runs = await running.bought(), await running.runs(ids)
        for worker in running.workers:
            pids = worker.pids
            at_work = {thing for thing, run in runs.items() if _pid_of(run) in pids and run.state_name == "Running"}
            have_begun = len(at_work) == RUNS_EACH and all(bought[thing] for thing in at_work)
            if have_begun and any(bought[thing] in HALF_WAY for thing in at_work):
                worker.kill()
                return at_work
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _ended(running: Plant, ids: dict[str, UUID]) -> dict[str, FlowRun]:
    """Waits until no run will go on: one that crashed is put back to the queue."""
    while True:
        runs = await running.runs(ids)
        if all(run.state_name in {"Completed", "Failed", "Cancelled"} for run in runs.values()):
            return runs
        await asyncio.sleep(10 * LOOK_AGAIN_SECONDS)


def most_in_flight(jobs: list[dict[str, Any]]) -> int:
    """Counts how many jobs the sandbox had at work at once, from when each began: all take the same time."""
    begins = [datetime.fromisoformat(job["created_at"]) for job in jobs]
    takes = timedelta(seconds=LATENCY_SECONDS)
    return max(sum(other <= begin < other + takes for other in begins) for begin in begins)


def _brief(thing: str) -> dict[str, Any]:
    return {
        "name": f"many-{thing}s",
        "prompts": [f"a {{red|blue|green|white}} {thing} on a {{wooden|marble}} table"],
        "seeds": SHOTS_EACH // 8,
        "on_lost": "resubmit",  # what was about to be sent when the worker died is looked for first, and then bought
        "generate": {"provider": "scenario", "width_px": 128, "height_px": 128, "steps": 1},
    }


def _thing_of(job: dict[str, Any]) -> str:
    return next(thing for thing in THINGS if thing in job["request"]["prompt"])


def _pid_of(run: FlowRun) -> int:
    """A process worker names the process as `host:pid`."""
    return int((run.infrastructure_pid or "host:0").rpartition(":")[2])
