"""`make serve` as a person runs it, from a clean home: served, used, ended, and nothing left behind."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from prefect.client.orchestration import get_client

from blocks.archive.block import ImageArchive
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from tests.deployments.served import ROOT, Served
from tests.deployments.spilled import spilled_in
from tests.prefect_servers import prefect_at

END_TIMEOUT_SECONDS = 90
SEEN_TIMEOUT_SECONDS = 120
EDITED = {"name": "edited", "prompts": ["a {tin|clay} teapot"], "seeds": 1, "instructions": ["Make it blue."]}
MANY = {"name": "many", "prompts": ["a {red|blue|green|white} teapot on a {wooden|marble} table"], "seeds": 40}

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for what is left behind in /proc"),
]


@dataclass(frozen=True)
class Serving:
    """A `make serve` that runs, and its process."""

    served: Served
    process: "subprocess.Popen[str]"

    def run(self, name: str = "campaign/on-demand", **body: Any) -> str:
        """Starts a run of a deployment; returns its id."""
        deployment = self.served.get(f"/deployments/name/{name}")["id"]
        run: str = self.served.post(f"/deployments/{deployment}/create_flow_run", **body)["id"]
        return run

    def end(self, wish: signal.Signals | None) -> str:
        """Sends a signal, and waits for the end; returns what was said."""
        if wish is not None:
            self.process.send_signal(wish)
        said, _ = self.process.communicate(timeout=END_TIMEOUT_SECONDS)
        return said

    def process_of(self, *words: str) -> int:
        """The id of a process of ours that has these words in its command."""
        return next(each for each, command in ours(self.served.state).items() if set(words) <= set(command))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one state folder of this module: only the first start makes a database."""
    return tmp_path_factory.mktemp("state")


@contextmanager
def serving(state: Path, **settings: str) -> Iterator[Serving]:
    process = start(state, **settings)
    try:
        yield Serving(panel_of(process, state), process)
    finally:
        if process.poll() is None:  # the test failed
            process.kill()
            for each in ours(state):
                os.kill(each, signal.SIGKILL)
            process.communicate()


def start(state: Path, **settings: str) -> "subprocess.Popen[str]":
    foreign = ("PREFECT_", "KLEINBILD_", "SCENARIO_", "SUNRA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.Popen(
        [sys.executable, "-m", "deployments.serve", "--state", str(state), "--port", "0"],
        cwd=ROOT,
        env={**kept, "PREFECT_API_KEY": "of-another-server", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def panel_of(process: "subprocess.Popen[str]", state: Path) -> Served:
    """Reads what is said at the start; the pipe is closed, and this fails, if it ends instead."""
    assert process.stdout is not None
    said, facts = [], {}
    for line in process.stdout:
        said.append(line)
        name, _, value = line.strip().partition("  ")
        facts[name] = value.strip()
        if line.startswith("Ctrl-C"):
            assert Path(facts["Drop briefs in"]) == state / "inbox"
            assert "no money" in facts["Pictures by"]
            return Served(facts["Prefect UI"].removesuffix("/deployments"), facts["Contact sheets"], state)
    raise AssertionError("".join(said))


def ours(state: Path) -> dict[int, list[str]]:
    """All processes of this state folder, told by their environment, with their commands."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PREFECT_HOME={state}/prefect".encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return found


def eventually(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SEEN_TIMEOUT_SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def bought(serving: Serving) -> int:
    """How many jobs the sandbox was asked for."""
    command = ours(serving.served.state)[serving.process_of("deployments.sandbox")]
    port = command[command.index("--port") + 1]
    return len(httpx.get(f"http://127.0.0.1:{port}/sandbox/jobs", timeout=30, trust_env=False).json())


@dataclass(frozen=True)
class OnRecord:
    """Blocks and limits that are on the server."""

    archive: ImageArchive
    scenario: ScenarioCredentials
    sunra: SunraCredentials
    limits: dict[str, int]


async def on_record() -> OnRecord:
    async with get_client() as client:
        limits = await client.read_global_concurrency_limits(limit=100, offset=0)
    return OnRecord(
        archive=cast("ImageArchive", await ImageArchive.aload("default")),
        scenario=cast("ScenarioCredentials", await ScenarioCredentials.aload("default")),
        sunra=cast("SunraCredentials", await SunraCredentials.aload("default")),
        limits={each.name: each.limit for each in limits if "credentials" in each.name},
    )


def run_that_was_watched(served: Served) -> str:
    """Waits until a brief that was dropped has started its run."""
    watched = {"flow_runs": {"tags": {"all_": ["watched"]}}}
    eventually(lambda: len(served.post("/flow_runs/filter", **watched)) == 1)
    (run,) = served.post("/flow_runs/filter", **watched)
    accepted = Path(run["parameters"]["brief"]["file"])
    assert (accepted.parents[1], accepted.name) == (served.state / "inbox" / "accepted", "bad.yaml")
    return str(run["id"])


def test_from_a_clean_home_to_the_end(state: Path) -> None:
    """A click makes pictures, the sheet opens in a browser, a dropped brief runs; SIGTERM leaves nothing behind."""
    with serving(state) as serve:
        served = serve.served
        clicked = serve.run(parameters={"brief": EDITED})
        (state / "inbox" / "bad.yaml").write_text("name: bad\nprompst: [a cup of tea]\n", encoding="utf-8")
        assert_blocks_and_limits(served)
        assert_a_second_start_is_refused(serve)

        served.wait_for(clicked, "Completed")
        address = f"{served.sheets}/sheets/edited/1/index.html"
        assert httpx.get(address, timeout=30, trust_env=False).status_code == 200
        artifacts = served.post("/artifacts/filter", flow_runs={"id": {"any_": [clicked]}})
        assert address in str([each["data"] for each in artifacts])
        assert "Did you mean 'prompts'?" in served.wait_for(run_that_was_watched(served), "Failed")["message"]

        before = bought(serve)
        busy = serve.run(parameters={"brief": MANY})
        eventually(lambda: bought(serve) > before)
        said = serve.end(signal.SIGTERM)
        assert (serve.process.returncode, "1 run collects what is paid for, for up to 60 s." in said) == (0, True)
    assert ours(state) == {}
    with closing(sqlite3.connect(state / "prefect" / "prefect.db")) as database:
        states = database.execute("select state_type from flow_run where id = ?", [busy]).fetchall()
    assert states == [("CANCELLED",)]
    assert_nothing_spilled(state)


def assert_nothing_spilled(state: Path) -> None:
    """No key and no signed link in Prefect's database, results, logs, artifacts, archive or contact sheet."""
    assert spilled_in(state) == []
    with closing(sqlite3.connect(state / "prefect" / "prefect.db")) as database:
        kept = "\n".join(database.iterdump())
    assert [word in kept for word in ("a tin teapot", "edited-contact-sheet", "Make it blue.")] == [True] * 3
    planted = state / "logs" / "planted.log"
    planted.write_text("GET /a.png?Policy=ey0&Signature=x&Key-Pair-Id=K", encoding="utf-8")
    assert len(spilled_in(state)) == 3, "this test can fail"
    planted.unlink()


def assert_blocks_and_limits(served: Served) -> None:
    """Reports lead to the page server, each account has its limit, and no other site may call the API."""
    with prefect_at(f"{served.ui}/api"):
        found = asyncio.run(on_record())
    assert (found.archive.root, found.archive.browse_url) == (str(served.state / "archive"), served.sheets)
    assert (found.scenario.sandbox, found.scenario.shared_limit) == (True, "scenario-credentials-sandbox")
    assert (found.sunra.sandbox, found.sunra.shared_limit) == (True, "sunra-credentials-sandbox")
    assert found.limits == {"scenario-credentials-sandbox": 32, "sunra-credentials-sandbox": 32}
    other_site = httpx.get(f"{served.ui}/api/health", headers={"origin": "http://evil.example"}, trust_env=False)
    assert "access-control-allow-origin" not in other_site.headers


def assert_a_second_start_is_refused(serve: Serving) -> None:
    """Two servers on one database are one too many."""
    second = start(serve.served.state)
    refusal, _ = second.communicate(timeout=END_TIMEOUT_SECONDS)
    assert (second.returncode, refusal.splitlines()[-1]) == (
        1,
        f"Cannot serve. It is served already, by process {serve.process.pid} at {serve.served.ui}.",
    )


def test_a_password_lets_in_who_has_it(state: Path, tmp_path: Path) -> None:
    """With a password everything is served as before; and no database of the user's own Prefect is used."""
    theirs = {
        "PREFECT_API_AUTH_STRING": "password:of-another-server",
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/theirs.db",
    }
    with serving(state, PREFECT_SERVER_API_AUTH_STRING="us:word", **theirs) as serve:
        address = f"{serve.served.ui}/api/flow_runs/filter"
        watched = {"flow_runs": {"tags": {"all_": ["watched"]}, "name": {"like_": "dropped"}}}

        def runs() -> int:
            return len(httpx.post(address, json=watched, auth=("us", "word"), timeout=30, trust_env=False).json())

        assert httpx.post(address, json=watched, timeout=30, trust_env=False).status_code == 401
        before = bought(serve)
        (state / "inbox" / "dropped.yaml").write_text("name: dropped\nprompts: [a cup of tea]\n", encoding="utf-8")
        eventually(lambda: bought(serve) > before)
        assert runs() == 1
        serve.end(signal.SIGTERM)
        assert serve.process.returncode == 0
    assert ours(state) == {}
    assert list(tmp_path.rglob("*.db")) == []


def test_a_child_that_dies_ends_all(state: Path) -> None:
    """A worker that is killed is named with its last words, and leaves no run at work behind it."""
    with serving(state) as serve:
        serve.run(parameters={"brief": MANY, "edition": "2"})
        eventually(lambda: bought(serve) > 0)
        os.kill(serve.process_of("worker", "start"), signal.SIGKILL)
        said = serve.end(None)
        assert serve.process.returncode == 1
        assert "Ended. The worker ended with code -9. Its last words, from " in said
    assert ours(state) == {}


def test_ctrl_c_while_it_starts(state: Path) -> None:
    """Who changes his mind at once leaves nothing behind either."""
    process = start(state)
    eventually(lambda: any("server" in command for command in ours(state).values()))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=END_TIMEOUT_SECONDS)

    assert (process.returncode, said.splitlines()[-1]) == (130, "Ending …")
    assert ours(state) == {}
