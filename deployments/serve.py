"""Everything on one machine: Prefect server with its UI, deployments, a worker, contact sheets. `make serve`.

Real credentials are taken from the environment (see `deployments/register.py`); a provider that has none is stood in
for by the sandbox, and that is said plainly. What happens elsewhere by several commands happens here by the same ones:
`deployments.register`, `deployments.deploy`, `deployments.worker`.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple, NoReturn

from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_HOME,
    temporary_settings,
)

from blocks.archive.archive import folder_of
from blocks.archive.block import ImageArchive
from blocks.errors import SetupError
from deployments.addresses import free_port
from deployments.ending import Ending
from deployments.house import House, kept
from deployments.orphans import adopt_orphans, end_orphans
from deployments.processes import Child, ProcessFailed, child
from deployments.register import blocks_from, save
from deployments.runs import cancel_runs
from deployments.saved import ATTENTION, accounts_without_keys, one_root, saved_block, stand_ins
from deployments.work_pools import POOL

STATE = Path(".kleinbild")
UI_PORT, SHEETS_PORT, SANDBOX_PORT = 4200, 8780, 8765
START_TIMEOUT_SECONDS = 120.0
DEPLOY_TIMEOUT_SECONDS = 180.0
WORKER_QUERY_SECONDS = 2
"""How long a run that somebody has clicked may wait to be noticed."""

SANDBOX_LATENCY_SECONDS = 1
CHECK_INTERVAL_SECONDS = 0.5
STOPPED = 130


class Saved(NamedTuple):
    """What is saved before anything is served."""

    archive: Path
    stood_in: tuple[str, ...]
    """Providers that the sandbox stands in for."""


class Serving:
    """All that runs here, from the first process to the last."""

    def __init__(self, house: House, ending: Ending) -> None:
        self.is_up = False
        self._house = house
        self._ending = ending
        self._stack = ExitStack()
        self._children: list[Child] = []
        self._awaited: list[tuple[Child, str]] = []

    def run(self) -> None:
        """Starts everything, and watches over it until somebody wants it to end.

        Raises:
            KeyboardInterrupt: Somebody does.
            ProcessFailed: Something did not start, or ended by itself; everything else is ended too.
            SetupError: A value of the environment cannot be used, or this folder is served already.
        """
        adopt_orphans()
        with kept(self._house), temporary_settings(self._own_settings()), self._stack:
            try:
                saved = self._start()
                self.is_up = True
                _print_panel(self._house, saved)
                self._watch()
            finally:
                self._ending.begin()
                print("Ending …", flush=True)

    def _own_settings(self) -> dict[str, str | None]:
        """This process talks to our server as its children do, whatever server the user's settings name."""
        environment = self._house.environment(os.environ)
        of_clients = (PREFECT_API_URL, PREFECT_HOME, PREFECT_API_KEY, PREFECT_API_AUTH_STRING)
        return {setting.accessor: environment.get(setting.name) for setting in of_clients}

    def _start(self) -> Saved:
        """Starts one after the other; what takes long and waits for nothing is begun first."""
        print("Starting. The first time takes a quarter of a minute.", flush=True)
        prefect = self._start_prefect()
        prefect.wait_until_it_answers(f"{self._house.api}/health", START_TIMEOUT_SECONDS)
        saved = self._save()
        self._start_sheets(saved.archive)
        self._deploy()
        self._start_worker()
        self._start_child("watcher", "deployments.watch", str(self._house.inbox))
        for server, url in self._awaited:
            server.wait_until_it_answers(url, START_TIMEOUT_SECONDS)
        return saved

    def _start_prefect(self) -> Child:
        environment = self._house.server_environment(os.environ)
        address = ("--host", "127.0.0.1", "--port", _port(self._house.ui))
        return self._start_child("Prefect server", "prefect", "server", "start", *address, environment=environment)

    def _save(self) -> Saved:
        """Saves what the environment has; for what has no keys there, and none saved, the sandbox stands in."""
        archive = asyncio.run(_archive_of(self._house))
        blocks = blocks_from({**os.environ, **archive})
        missing = asyncio.run(accounts_without_keys(blocks))
        if missing:
            self._start_sandbox()
            blocks += stand_ins(missing, self._house.sandbox)
        for line in asyncio.run(save(blocks)):
            if line.startswith(("kept", ATTENTION)):
                _say(line)
        return Saved(
            folder_of(archive["KLEINBILD_ARCHIVE"]),
            tuple(kind.__name__.removesuffix("Credentials") for kind in missing),
        )

    def _start_sandbox(self) -> None:
        latency = ("--latency", str(SANDBOX_LATENCY_SECONDS))
        sandbox = self._start_child("sandbox", "deployments.sandbox", "--port", _port(self._house.sandbox), *latency)
        self._awaited.append((sandbox, f"{self._house.sandbox}/sandbox/health"))

    def _start_sheets(self, archive: Path) -> None:
        port = _port(self._house.sheets)
        sheets = self._start_child("page server", "deployments.sheets", str(archive), "--port", port)
        self._awaited.append((sheets, self._house.sheets))

    def _deploy(self) -> None:
        """Puts work pool, deployments and automations onto the server, by the command that operators use."""
        with self._child("deployments.deploy", "deployments.deploy") as deploying:
            deploying.wait_until_it_is_done(DEPLOY_TIMEOUT_SECONDS)

    def _start_worker(self) -> None:
        environment = self._house.environment(os.environ) | {"PREFECT_WORKER_QUERY_SECONDS": str(WORKER_QUERY_SECONDS)}
        self._stack.callback(self._end_orphans)  # of a worker that died, after it and before what they need
        worker = self._start_child("worker", "deployments.worker", environment=environment)
        self._stack.callback(self._end_runs, worker)

    def _end_runs(self, worker: Child) -> None:
        """Lets the worker's runs come to a good end while it is there to end them."""
        if worker.is_running():
            asyncio.run(cancel_runs(POOL, say=_say, is_hurried=self._ending.is_hurried))

    def _end_orphans(self) -> None:
        end_orphans(self._ending.is_hurried, ours={each.process.pid for each in self._children})

    def _start_child(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Child:
        """Starts a module that runs until all ends."""
        running = self._stack.enter_context(self._child(name, *arguments, environment=environment))
        self._children.append(running)
        return running

    def _child(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Child]:
        return child(
            f"The {name}",
            [sys.executable, "-m", *arguments],
            environment=environment or self._house.environment(os.environ),
            log=self._house.log(name),
            is_hurried=self._ending.is_hurried,
        )

    def _watch(self) -> NoReturn:
        while True:
            for each in self._children:
                each.check()
            time.sleep(CHECK_INTERVAL_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until Ctrl-C or SIGTERM; returns the exit code."""
    options = _parser().parse_args(arguments)
    ending = Ending()
    with ending.on_signals():
        serving = Serving(_house(options.state.absolute(), options.port), ending)
        try:
            serving.run()
        except (ProcessFailed, SetupError) as error:
            print(f"{'Ended' if serving.is_up else 'Cannot serve'}. {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0 if serving.is_up else STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.serve",
        description="Serve everything on this machine: Prefect with its UI, deployments, a worker, contact sheets.",
    )
    parser.add_argument("--state", type=Path, default=STATE, metavar="FOLDER", help="default: %(default)s")
    parser.add_argument(
        "--port", type=int, default=UI_PORT, help="of the Prefect UI (default: %(default)s, if it is free)"
    )
    return parser


def _house(state: Path, ui_port: int) -> House:
    ports = (ui_port, SHEETS_PORT, SANDBOX_PORT)
    ui, sheets, sandbox = (f"http://127.0.0.1:{free_port(port)}" for port in ports)
    return House(state=state, ui=ui, sheets=sheets, sandbox=sandbox)


async def _archive_of(house: House) -> dict[str, str]:
    """Says where the archive is, as the environment would: there, where it was the last time, or in our folder."""
    saved = await saved_block(ImageArchive)
    root = os.environ.get("KLEINBILD_ARCHIVE") or (saved.root if saved else str(house.archive))
    return {
        "KLEINBILD_ARCHIVE": one_root(root),  # a worker runs in another folder
        "KLEINBILD_BROWSE_URL": os.environ.get("KLEINBILD_BROWSE_URL") or house.sheets,
    }


def _print_panel(house: House, saved: Saved) -> None:
    rows = {
        "Prefect UI": f"{house.ui}/deployments",
        "First try": "choose campaign / on-demand there, then Run, Quick run: a few pictures; Custom run: yours",
        "Contact sheets": house.sheets,
        "Drop briefs in": _shown(house.inbox),
        "Archive": _shown(saved.archive),
        "Pictures by": _providers(saved.stood_in),
        "Logs": _shown(house.logs),
    }
    lines = "\n".join(f"  {name:<16}{value}" for name, value in rows.items())
    print(
        f"\nKleinbild is served.\n\n{lines}\n\nCtrl-C ends everything; runs first collect what is paid for.\n",
        flush=True,
    )


def _providers(stood_in: tuple[str, ...]) -> str:
    if not stood_in:
        return "your accounts at Scenario and Sunra: they cost money"
    sandbox = f"the sandbox for {' and '.join(stood_in)}: drawings, no model, no money"
    return sandbox if len(stood_in) > 1 else f"{sandbox}; the other is your account, and costs money"


def _shown(path: Path) -> str:
    """Names a file as a person in the current folder would."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _say(line: str) -> None:
    print(line, flush=True)


def _port(origin: str) -> str:
    return origin.rpartition(":")[2]


if __name__ == "__main__":
    sys.exit(main())
