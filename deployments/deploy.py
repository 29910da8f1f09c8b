"""Puts everything onto the configured Prefect server that an operator needs: `make deploy`.

The work pool, the deployments of `deployments/prefect.yaml` with their schedules, and the automations. A second run
changes nothing; what an operator switched on or off, schedules and automations, stays as it was chosen.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks.errors import SetupError
from blocks.provider import Frozen
from deployments.automations import automations
from deployments.connection import prefect_server
from deployments.notifications import NOTIFICATION
from deployments.work_pools import POOL, ROOT, PoolType, ensure_pool, root_of_runs

PREFECT_FILE = ROOT / "deployments" / "prefect.yaml"
DEPLOY_TIMEOUT_SECONDS = 300.0

_COMPARED: dict[str, Any] = {
    **dict.fromkeys(("description", "tags", "entrypoint", "pull_steps", "paused"), True),
    **dict.fromkeys(("parameters", "parameter_openapi_schema", "enforce_parameter_schema"), True),
    **dict.fromkeys(("work_pool_name", "work_queue_name", "job_variables", "concurrency_options"), True),
    "global_concurrency_limit": {"limit"},
}

Outcome = Literal["created", "updated", "unchanged"]


class Done(Frozen):
    """One thing that is on the server now."""

    kind: str
    name: str
    outcome: Outcome
    remark: str = ""


async def deploy(pool_type: PoolType = "process", *, notify: str | None = None) -> tuple[Done, ...]:
    """Creates or updates everything.

    Args:
        pool_type: Where runs run: in a process of the worker's machine, or in containers of `deployments/Dockerfile`.
        notify: Slug of a saved block that people are notified by, such as `slack-webhook/team`.

    Raises:
        SetupError: There is no server, the pool is of another type, or the block cannot notify.
    """
    async with prefect_server() as client:
        block = await _notification_block(client, notify) if notify else None
        done = [Done(kind="work pool", name=f"{POOL} ({pool_type})", outcome=await ensure_pool(client, pool_type))]
        document = yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))
        before = await _deployments(client, document)
        await _run_prefect_deploy(_as_chosen(document, before), root_of_runs(pool_type))
        after = await _deployments(client, document)
        done += [_compared(name, before.get(name), after[name]) for name in after]
        ids = {name: deployment.id for name, deployment in after.items()}
        done += [await put_automation(client, each) for each in automations(ids, notification_block=block)]
        return (*done, *([] if block else await kept_notifications(client)))


async def _deployments(client: PrefectClient, document: dict[str, Any]) -> dict[str, DeploymentResponse]:
    """Reads those deployments of the file that are on the server, by name."""
    found = {}
    for deployment in document["deployments"]:
        name = name_of(deployment)
        try:
            found[name] = await client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
    return found


def name_of(deployment: dict[str, Any]) -> str:
    """Names a deployment as Prefect does; our flows are named like their functions."""
    return f"{deployment['entrypoint'].rpartition('.')[2]}/{deployment['name']}"


def _as_chosen(document: dict[str, Any], present: dict[str, DeploymentResponse]) -> dict[str, Any]:
    """Gives the file with its schedules switched on and off as they are on the server: that was somebody's choice."""
    deployments = []
    for deployment in document["deployments"]:
        there = present.get(name_of(deployment))
        chosen = {} if there is None else {schedule.slug: schedule.active for schedule in there.schedules}
        schedules = [
            {**schedule, "active": chosen.get(schedule["slug"], schedule["active"])}
            for schedule in deployment.get("schedules", [])
        ]
        deployments.append({**deployment, "schedules": schedules})
    return {**document, "deployments": deployments}


async def _run_prefect_deploy(document: dict[str, Any], root: Path) -> None:
    """Runs `prefect deploy`, which fills `$PWD` in, from the project's root, where it looks for the flows.

    Raises:
        SetupError: It failed; its own words are in the message.
    """
    environment = {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)),
            cwd=ROOT,
            env={**environment, "PWD": str(root)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), DEPLOY_TIMEOUT_SECONDS)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise SetupError(f"`prefect deploy` took longer than {DEPLOY_TIMEOUT_SECONDS:g} s.") from error
    if process.returncode:
        raise SetupError(f"`prefect deploy` failed:\n{output.decode(errors='replace')}")


def _compared(name: str, before: DeploymentResponse | None, after: DeploymentResponse) -> Done:
    outcome: Outcome = "created"
    if before is not None:
        same = before.model_dump(include=_COMPARED) == after.model_dump(include=_COMPARED)
        outcome = "unchanged" if same and _schedules_of(before) == _schedules_of(after) else "updated"
    switched = [f"{schedule.slug} is {'on' if schedule.active else 'off'}" for schedule in after.schedules]
    return Done(kind="deployment", name=name, outcome=outcome, remark=", ".join(switched))


def _schedules_of(deployment: DeploymentResponse) -> list[dict[str, Any]]:
    shown = {"slug", "schedule", "active", "parameters"}
    return sorted(
        (schedule.model_dump(include=shown) for schedule in deployment.schedules), key=lambda s: str(s["slug"])
    )


async def put_automation(client: PrefectClient, wanted: AutomationCore) -> Done:
    """Creates an automation, or makes the one of this name like it; whether it is switched on stays as it was."""
    present = await client.read_automations_by_name(wanted.name)
    if not present:
        await client.create_automation(wanted)
        outcome: Outcome = "created"
    else:
        wanted = wanted.model_copy(update={"enabled": present[0].enabled})
        same = AutomationCore.model_validate(present[0].model_dump()).model_dump() == wanted.model_dump()
        outcome = "unchanged" if same else "updated"
        if not same:
            await client.update_automation(present[0].id, wanted)
    return Done(kind="automation", name=wanted.name, outcome=outcome, remark="" if wanted.enabled else "off")


async def kept_notifications(client: PrefectClient) -> list[Done]:
    """Lists the notifications that an earlier `--notify` has made: they stay."""
    return [
        Done(kind="automation", name=each.name, outcome="unchanged", remark="" if each.enabled else "off")
        for each in await client.read_automations()
        if each.name.startswith(NOTIFICATION)
    ]


async def _notification_block(client: PrefectClient, slug: str) -> UUID:
    """Finds the block.

    Raises:
        SetupError: There is none of this name, or it cannot notify.
    """
    kind, _, name = slug.partition("/")
    try:
        block = await client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound as error:
        raise SetupError(f"No block `{slug}` is saved. Make one in the UI under Blocks, or name another.") from error
    if block.block_schema is None or "notify" not in block.block_schema.capabilities:
        raise SetupError(f"The block `{slug}` cannot notify. Blocks such as slack-webhook or email can.")
    return block.id


def _show(done: Sequence[Done]) -> None:
    width = max(len(each.name) for each in done)
    for each in done:
        print(f"{each.kind:<10}  {each.name:<{width}}  {each.outcome:<9}  {each.remark}".rstrip())
    if not any(each.name.startswith(NOTIFICATION) for each in done):
        print("Nobody is notified of budgets, accounts, reviews and failed runs: add `--notify slack-webhook/NAME`.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.deploy",
        description="Put work pool, deployments, schedules and automations onto the configured Prefect server.",
    )
    parser.add_argument("--type", choices=get_args(PoolType), default="process", help="where runs run")
    parser.add_argument("--notify", metavar="BLOCK", help="saved block to notify people by, such as slack-webhook/team")
    options = parser.parse_args(arguments)
    try:
        _show(asyncio.run(deploy(options.type, notify=options.notify)))
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
