"""The work pool that deployments wait in: where and how a worker starts a run.

A process pool takes Prefect's own template. Docker and Kubernetes take ours from `deployments/pools/`: Prefect's, with
our image, its folder and our defaults.
"""

import json
from pathlib import Path
from typing import Any, Literal

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from blocks.errors import SetupError

POOL = "kleinbild"
PoolType = Literal["process", "docker", "kubernetes"]
Outcome = Literal["created", "updated", "unchanged"]

ROOT = Path(__file__).parents[1]
"""The project: what is deployed is deployed from here."""

IMAGE_ROOT = Path("/app")
"""Where the project lies in the image (`deployments/Dockerfile`)."""

_TEMPLATES = Path(__file__).parent / "pools"


def root_of_runs(pool_type: PoolType) -> Path:
    """Says in which folder runs of a pool find the project: on the worker's machine, or in the image."""
    return ROOT if pool_type == "process" else IMAGE_ROOT


def base_job_template(pool_type: PoolType) -> dict[str, Any]:
    """Gives what a worker of this type makes of a run."""
    if pool_type == "process":
        return ProcessWorker.get_default_base_job_template()
    template: dict[str, Any] = json.loads((_TEMPLATES / f"{pool_type}.json").read_text(encoding="utf-8"))
    return template


async def ensure_pool(client: PrefectClient, pool_type: PoolType) -> Outcome:
    """Creates the work pool, or gives the one that is there our present template.

    Raises:
        SetupError: There is one of another type.
    """
    template = base_job_template(pool_type)
    try:
        pool = await client.read_work_pool(POOL)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=pool_type, base_job_template=template))
        return "created"
    if pool.type != pool_type:
        raise SetupError(
            f"The work pool `{POOL}` is of type {pool.type}, and cannot become {pool_type}. Deploy with "
            f"`--type {pool.type}`, or delete it first: `prefect work-pool delete {POOL}`."
        )
    if pool_type == "process" or pool.base_job_template == template:  # a person may have changed a process pool's
        return "unchanged"
    await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
    return "updated"
