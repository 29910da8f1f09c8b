r"""Starts a run for each brief that is put into a folder: `python -m deployments.watch FOLDER`.

A brief is a file named `*.yaml` or `*.yml`. Its run begins once the file has stopped changing, and each content of a
name starts one run only, also across restarts: the server knows the run by its idempotency key. The run reads a copy
in the folder's `accepted`: the brief may be changed or deleted at once, and pictures that it names stay where they are.
A brief that cannot work is started as well: its run fails in its first second, and says why where people look, in the
Prefect UI.

Where there is no folder to put files into, a program starts a run by two calls of Prefect's API:

    curl -s $PREFECT_API_URL/deployments/name/campaign/on-demand        # says its id
    curl -s -X POST -H 'Content-Type: application/json' $PREFECT_API_URL/deployments/ID/create_flow_run \
        -d '{"parameters": {"brief": {"file": "deployments/briefs/coffee-house.yaml"}}, "idempotency_key": "order-7"}'

In the place of `file`, a brief may hold the fields of the form: `{"name": "teapots", "prompts": ["a teapot"]}`.
"""

import argparse
import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks.errors import SetupError
from deployments.accepting import accept

DEPLOYMENT = "campaign/on-demand"
SUFFIXES = (".yaml", ".yml")
TAG = "watched"

INTERVAL_SECONDS = 1.0
LONGEST_INTERVAL_SECONDS = 30.0
"""Between two tries while the server is away."""

REFUSALS = (400, 409, 422)
"""Statuses by which the server says that this run is impossible, and would be the next time."""

LARGEST_BRIEF_BYTES = 4 * 1024 * 1024
MOST_FILES = 10_000
"""More than this in one folder are not looked at: it is the wrong folder."""


class Sight(NamedTuple):
    """How a file looked at one moment; a file that looks the same twice has stopped changing."""

    inode: int
    size_bytes: int
    changed_ns: int


class Watcher:
    """Looks into a folder again and again.

    Args:
        folder: Where briefs are put.
        deployment: `flow/deployment` that is run, with the path of the accepted copy as the `file` of its parameter
            `brief`.
        client: An open client of the Prefect server.
    """

    def __init__(self, folder: Path, deployment: str, client: PrefectClient) -> None:
        self._folder = folder.absolute()
        self._deployment = deployment
        self._client = client
        self._seen: dict[Path, Sight] = {}
        self._handled: dict[Path, Sight] = {}

    async def look(self) -> None:
        """Looks once: starts a run of each brief that is as it was at the last look and was not handled yet.

        Raises:
            OSError: The folder cannot be read, or takes no copy.
            ObjectNotFound: There is no such deployment.
            httpx.HTTPError: The server could not be asked.
        """
        seen = await asyncio.to_thread(_briefs_in, self._folder)
        still = {path: sight for path, sight in seen.items() if self._seen.get(path) == sight}
        self._seen = seen
        self._handled = {path: sight for path, sight in self._handled.items() if path in seen}
        for path, sight in still.items():
            if self._handled.get(path) != sight:
                _say(await self._handle(path, sight))
                self._handled[path] = sight

    async def _handle(self, path: Path, sight: Sight) -> str:
        """Starts what can be started; returns what became of it, in a line for the log."""
        if not path.name.isprintable():
            return f"{path.name!r}: give it a name without control characters."
        if sight.size_bytes > LARGEST_BRIEF_BYTES:
            return f"{path.name!r} is larger than {LARGEST_BRIEF_BYTES // 2**20} MiB: that is no brief."
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError as error:  # gone again, or not readable for us
            return f"{path.name!r} cannot be read: {error.strerror}."
        return await self._start(path, content)

    async def _start(self, path: Path, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        deployment = await self._client.read_deployment_by_name(self._deployment)
        key = f"watched/{self._deployment}/{path.name}/{sha256}"
        same = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
        if known := await self._client.read_flow_runs(flow_run_filter=same, limit=1):
            return f"{path.name!r} was started before: run {known[0].id}."
        copy = await asyncio.to_thread(accept, path, content, sha256)
        try:
            run = await self._client.create_flow_run_from_deployment(
                deployment.id, parameters={"brief": {"file": str(copy)}}, idempotency_key=key, tags=[TAG]
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in REFUSALS:
                raise
            return f"{path.name!r} was refused by the Prefect server: {error.response.text[:300]!r}."
        return f"{path.name!r} started {self._deployment}: run {run.id}."


async def watch(folder: Path, deployment: str, stop: asyncio.Event, *, interval_seconds: float) -> None:
    """Looks into the folder until it is told to stop. Trouble is said once, and what it kept waiting is done after it.

    Args:
        folder: Where briefs are put.
        deployment: `flow/deployment` to run.
        stop: Ends the watch.
        interval_seconds: Between two looks; longer while there is trouble.
    """
    said, pause_seconds = "", interval_seconds
    async with get_client() as client:
        watcher = Watcher(folder, deployment, client)
        while not stop.is_set():
            trouble = await _trouble_of(watcher, deployment)
            if trouble and trouble != said:
                _say(trouble)
            said = trouble
            pause_seconds = min(2 * pause_seconds, LONGEST_INTERVAL_SECONDS) if trouble else interval_seconds
            with suppress(TimeoutError):  # no wish to stop yet: the next look
                await asyncio.wait_for(stop.wait(), pause_seconds)


async def _trouble_of(watcher: Watcher, deployment: str) -> str:
    """Looks once; says what kept it from its work, or nothing."""
    try:
        await watcher.look()
    except ObjectNotFound:
        return f"There is no deployment {deployment!r} yet: `python -m deployments.deploy` makes it. Waiting for it."
    except httpx.HTTPError as error:
        return f"The Prefect server cannot be asked ({type(error).__name__}). Trying again."
    except OSError as error:
        return f"The folder cannot be used: {error.strerror}. Trying again."
    return ""


def _briefs_in(folder: Path) -> dict[Path, Sight]:
    """Sees the briefs of a folder: plain files, not hidden, not empty, no links."""
    with os.scandir(folder) as entries:
        return dict(_sights(islice(entries, MOST_FILES)))


def _sights(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[Path, Sight]]:
    for entry in entries:
        if entry.name.startswith((".", "~")) or not entry.name.lower().endswith(SUFFIXES):
            continue
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since it was listed
            continue
        if S_ISREG(stat.st_mode) and stat.st_size > 0:
            yield Path(entry.path), Sight(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _say(line: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {line}", flush=True)  # noqa: DTZ005  # a person at this machine reads it


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.watch", description="Start a run for each brief that is put into a folder."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--deployment", type=_deployment_name, default=DEPLOYMENT, help="what to run (default: %(default)s)"
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=INTERVAL_SECONDS,
        metavar="SECONDS",
        help="between two looks; a file that is the same at both has stopped changing (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if get_current_settings().api.url is None:
        error = SetupError(
            "No Prefect server is configured: set PREFECT_API_URL to that of the server to start runs on."
        )
        print(error, file=sys.stderr)
        return error.exit_code
    options.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_until_told(options.folder, options.deployment, options.interval))
    return 0


def _deployment_name(text: str) -> str:
    flow, _, deployment = text.partition("/")
    if not flow or not deployment or "/" in deployment:
        raise argparse.ArgumentTypeError(f"{text!r} is no FLOW/DEPLOYMENT, such as {DEPLOYMENT}")
    return text


async def _until_told(folder: Path, deployment: str, interval_seconds: float) -> None:
    stop = asyncio.Event()
    for wish in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(wish, stop.set)
    _say(f"Watching {folder} for briefs.")
    await watch(folder, deployment, stop, interval_seconds=interval_seconds)


if __name__ == "__main__":
    sys.exit(main())
