import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.exceptions import ObjectNotFound

from deployments import watch as watching
from deployments.watch import Watcher, main

DEPLOYMENT_ID = uuid4()


@dataclass
class Server:
    """A Prefect server that remembers what it was sent; as far as the watcher sees one."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    fails_with: Exception | None = None

    async def read_deployment_by_name(self, name: str) -> SimpleNamespace:
        """Finds the deployment, unless it was told to fail."""
        if self.fails_with is not None:
            raise self.fails_with
        return SimpleNamespace(id=DEPLOYMENT_ID)

    async def read_flow_runs(self, *, flow_run_filter: FlowRunFilter, limit: int) -> list[SimpleNamespace]:
        """Finds the runs that it was asked for before."""
        assert flow_run_filter.idempotency_key is not None
        keys = flow_run_filter.idempotency_key.any_ or []
        return [SimpleNamespace(id="known") for each in self.sent if each["idempotency_key"] in keys][:limit]

    async def create_flow_run_from_deployment(self, deployment_id: UUID, **sent: Any) -> SimpleNamespace:
        """Remembers what it was asked for."""
        self.sent.append({"deployment_id": deployment_id, **sent})
        return SimpleNamespace(id=f"run-{len(self.sent)}")

    @property
    def files(self) -> list[str]:
        """Names of the briefs that were started."""
        return [Path(each["parameters"]["brief"]["file"]).name for each in self.sent]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def watcher(folder: Path, server: Server) -> Watcher:
    return Watcher(folder, "campaign/on-demand", cast("PrefectClient", server))


async def looked(times: int, at: Watcher) -> None:
    for _ in range(times):
        await at.look()


async def test_a_brief_starts_one_run(folder: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The run is told the absolute path of what was accepted, and known by its name and content."""
    (folder / "teapots.yaml").write_bytes(b"name: teapots\n")

    await looked(4, watcher(folder, server))

    content = "345f917e60180541213eb76f4404999bd1e557aefc72b525e74fde4403ce919b"
    assert server.sent == [
        {
            "deployment_id": DEPLOYMENT_ID,
            "parameters": {"brief": {"file": str(folder / "accepted" / content / "teapots.yaml")}},
            "idempotency_key": f"watched/campaign/on-demand/teapots.yaml/{content}",
            "tags": ["watched"],
        }
    ]
    assert capsys.readouterr().out[9:] == "'teapots.yaml' started campaign/on-demand: run run-1.\n"


async def test_a_run_reads_what_was_accepted(folder: Path, server: Server) -> None:
    """A brief that is overwritten or deleted before a worker comes still starts the run that it was accepted for."""
    file, at = folder / "teapots.yaml", watcher(folder, server)
    for content in (b"name: first\n", b"name: second\n"):
        file.write_bytes(content)
        await looked(2, at)
    file.unlink()
    await looked(2, at)

    accepted = [Path(each["parameters"]["brief"]["file"]) for each in server.sent]
    assert [path.read_bytes() for path in accepted] == [b"name: first\n", b"name: second\n"]
    assert server.files == ["teapots.yaml"] * 2


async def test_a_folder_that_takes_no_copy_starts_nothing(folder: Path, server: Server) -> None:
    """Without the copy a run would read something else: it is tried again instead, and the brief is not lost."""
    (folder / "accepted").write_text("in the way")
    (folder / "teapots.yaml").write_text("name: teapots")
    at = watcher(folder, server)
    await at.look()
    with pytest.raises(OSError, match="accepted"):
        await at.look()
    assert server.sent == []

    (folder / "accepted").unlink()
    await at.look()
    assert server.files == ["teapots.yaml"]


async def test_a_file_that_still_changes_is_left_alone(folder: Path, server: Server) -> None:
    """Half a brief is no brief: it starts when two looks have seen it the same."""
    file, at = folder / "teapots.yaml", watcher(folder, server)
    for size in range(1, 5):
        file.write_text("name: teapots"[:size])
        await at.look()
        assert server.sent == []

    await at.look()

    assert server.files == ["teapots.yaml"]


async def test_a_new_content_is_a_new_run(folder: Path, server: Server) -> None:
    """Who corrects a brief and saves it again gets another run; who saves it unchanged does not."""
    file, at = folder / "teapots.yaml", watcher(folder, server)
    for number, text in enumerate(("name: a", "name: b", "name: b", "name: a")):
        file.write_text(text)
        os.utime(file, (number, number))
        await looked(2, at)

    assert server.files == ["teapots.yaml"] * 2


async def test_a_restart_starts_nothing_twice(folder: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The server knows the run: another watcher, or the same after a restart, only says so."""
    (folder / "teapots.yaml").write_text("name: teapots")
    await looked(2, watcher(folder, server))
    await looked(2, watcher(folder, server))

    assert server.files == ["teapots.yaml"]
    assert capsys.readouterr().out.splitlines()[-1].endswith("'teapots.yaml' was started before: run known.")


async def test_only_briefs_are_started(folder: Path, server: Server, tmp_path: Path) -> None:
    """Hidden and partial files, other files, folders, empty files and links are none."""
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("name: elsewhere")
    for name in (".hidden.yaml", "~teapots.yaml", "teapots.yaml.part", "teapots.txt", "a.yml", "B.YAML"):
        (folder / name).write_text("name: teapots")
    (folder / "empty.yaml").touch()
    (folder / "folder.yaml").mkdir()
    (folder / "link.yaml").symlink_to(elsewhere)

    await looked(3, watcher(folder, server))

    assert sorted(server.files) == ["B.YAML", "a.yml"]


@pytest.mark.parametrize(
    ("name", "size_bytes", "said"),
    [
        ("big.yaml", 4 * 1024 * 1024 + 1, "'big.yaml' is larger than 4 MiB: that is no brief."),
        ("a\nb.yaml", 1, r"'a\nb.yaml': give it a name without control characters."),
    ],
)
async def test_what_cannot_be_a_brief_is_said_once(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str], name: str, size_bytes: int, said: str
) -> None:
    """A log line for each, that no file name can forge."""
    with (folder / name).open("wb") as file:
        file.truncate(size_bytes)

    await looked(4, watcher(folder, server))

    assert server.sent == []
    assert [line[9:] for line in capsys.readouterr().out.splitlines()] == [said]


async def test_a_run_that_the_server_refuses_stops_no_other(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its refusal is said, and the next file is started."""
    (folder / "teapots.yaml").write_text("name: teapots")
    refusal = httpx.Response(409, text="no such parameter", request=httpx.Request("POST", "http://127.0.0.1"))

    async def refuse(*_: object, **__: object) -> None:
        refusal.raise_for_status()

    with monkeypatch.context() as patch:
        patch.setattr(server, "create_flow_run_from_deployment", refuse)
        at = watcher(folder, server)
        await looked(3, at)
    (folder / "cups.yaml").write_text("name: cups")
    await looked(2, at)

    assert server.files == ["cups.yaml"]
    assert "'teapots.yaml' was refused by the Prefect server: 'no such parameter'." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (ObjectNotFound(Exception()), "There is no deployment 'campaign/on-demand' yet"),
        (httpx.ConnectError("refused"), "The Prefect server cannot be asked (ConnectError)"),
    ],
)
async def test_trouble_is_said_once_and_waited_for(
    folder: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: Exception,
    said: str,
) -> None:
    """A server that is away for a while, or not yet deployed to, costs no brief."""

    class Client:
        async def __aenter__(self) -> Server:
            return server

        async def __aexit__(self, *_: object) -> None:
            pass

    looks, stop = 0, asyncio.Event()
    look = Watcher.look

    async def counted(at: Watcher) -> None:
        nonlocal looks
        looks += 1
        server.fails_with = trouble if looks < 5 else None
        if server.sent:
            stop.set()
        await look(at)

    monkeypatch.setattr(watching, "get_client", Client)
    monkeypatch.setattr(watching, "LONGEST_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(Watcher, "look", counted)
    (folder / "teapots.yaml").write_text("name: teapots")

    async with asyncio.timeout(30):
        await watching.watch(folder, "campaign/on-demand", stop, interval_seconds=0.01)

    assert server.files == ["teapots.yaml"]
    assert capsys.readouterr().out.count(said) == 1


def test_without_a_server_it_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A temporary server of its own would start runs that nobody sees."""
    monkeypatch.setattr(watching, "get_current_settings", lambda: SimpleNamespace(api=SimpleNamespace(url=None)))

    assert main([str(tmp_path / "inbox")]) == 3
    assert capsys.readouterr().err.startswith("No Prefect server is configured")
    assert not (tmp_path / "inbox").exists()


@pytest.mark.parametrize("name", ["campaign", "campaign/", "/on-demand", "a/b/c"])
def test_a_deployment_has_two_names(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that could not be found is refused at once."""
    with pytest.raises(SystemExit):
        main(["inbox", "--deployment", name])
    assert "is no FLOW/DEPLOYMENT" in capsys.readouterr().err
