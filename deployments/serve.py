"""One process for one machine: Prefect server with its UI, blocks saved, deployments served. `make serve`.

Real credentials are taken from the environment (see `deployments/register.py`); a provider that has none is stood in
for by the sandbox, and that is said plainly.
"""

import asyncio
import os
import sys
from contextlib import ExitStack

from prefect import serve
from prefect.blocks.core import Block
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from blocks.errors import SetupError
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from deployments.addresses import free_port
from deployments.processes import ServerDidNotStart, server
from deployments.register import blocks_from, has_real_keys, save
from flows.accounts import sandbox_credentials
from flows.campaign import campaign
from flows.care import reconcile
from flows.revise import revise

UI_PORT = 4200
SANDBOX_PORT = 8765
START_TIMEOUT_SECONDS = 120.0
STOPPED = 130


def main() -> int:
    """Serves until Ctrl-C."""
    try:
        _serve()
    except (ServerDidNotStart, SetupError) as error:
        print(f"Cannot serve. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the deployments were served; from there on it is the usual end
        return STOPPED
    return 0


def _serve() -> None:
    ui = f"http://127.0.0.1:{free_port(UI_PORT)}"
    prefect = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", _port(ui)]
    with ExitStack() as stack:
        print("Starting the Prefect server …", flush=True)
        stack.enter_context(server(prefect, answers_at=f"{ui}/api/health", timeout_seconds=START_TIMEOUT_SECONDS))
        stack.enter_context(temporary_settings({PREFECT_API_URL: f"{ui}/api"}))
        slugs = asyncio.run(save(_blocks(stack)))
        print(f"Saved: {', '.join(slugs) or 'nothing new'}.")
        print(
            f"\nOpen {ui}/deployments, choose `campaign`, then Run, Custom run. Ctrl-C ends everything.\n", flush=True
        )
        serve(*asyncio.run(_deployments()))


def _blocks(stack: ExitStack) -> list[Block]:
    """Takes what the environment has; for what has no keys there, and none saved, the sandbox stands in."""
    blocks = blocks_from(os.environ)
    have = {type(block) for block in blocks}
    missing = [kind for kind in (ScenarioCredentials, SunraCredentials) if kind not in have]
    missing = [kind for kind in missing if not asyncio.run(has_real_keys(kind))]
    if not missing:
        return blocks
    origin = f"http://127.0.0.1:{free_port(SANDBOX_PORT)}"
    command = [sys.executable, "-m", "deployments.sandbox", "--port", _port(origin)]
    stack.enter_context(server(command, answers_at=f"{origin}/sandbox/jobs", timeout_seconds=START_TIMEOUT_SECONDS))
    names = " and ".join(kind.get_block_type_slug() for kind in missing)
    print(f"No keys for {names}: the sandbox at {origin} stands in, its pictures are drawings.")
    return blocks + [block for block in sandbox_credentials(origin) if type(block) in missing]


async def _deployments() -> list[RunnerDeployment]:
    """Deploys by module, so that a worker imports the flows as everybody else does."""
    return [
        await flow.ato_deployment(name="local", entrypoint_type=EntrypointType.MODULE_PATH)
        for flow in (campaign, revise, reconcile)
    ]


def _port(origin: str) -> str:
    return origin.rpartition(":")[2]


if __name__ == "__main__":
    sys.exit(main())
