import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployments.processes import ChildEnded, ServerDidNotStart, child, run, server
from tests.ports import held_port

SERVE = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
STUBBORN = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(tmp_path)
    return held_port()


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_server_answers_inside_and_is_gone_outside(port: int) -> None:
    """Inside the context it answers; after it nobody listens there any more."""
    with server([*SERVE, str(port)], answers_at=f"http://127.0.0.1:{port}/", timeout_seconds=30):
        assert is_up(port)

    assert not is_up(port)


def test_a_server_is_ended_when_the_context_fails(port: int) -> None:
    """An error inside does not leave the server behind."""
    with (
        pytest.raises(ZeroDivisionError),
        server([*SERVE, str(port)], answers_at=f"http://127.0.0.1:{port}/", timeout_seconds=30),
    ):
        _ = 1 / 0

    assert not is_up(port)


def test_a_server_that_will_not_end_is_killed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores the wish is ended without asking, after its time."""
    monkeypatch.setattr("deployments.processes.STOP_TIMEOUT_SECONDS", 0.2)
    with server(
        [sys.executable, "-c", STUBBORN, str(port)], answers_at=f"http://127.0.0.1:{port}/", timeout_seconds=30
    ):
        assert is_up(port)

    assert not is_up(port)


def test_a_server_that_dies_is_told_at_once() -> None:
    """Its exit code is said, without waiting for the deadline."""
    command = [sys.executable, "-c", "raise SystemExit(9)"]
    with (
        pytest.raises(ServerDidNotStart, match="ended with code 9"),
        server(command, answers_at="http://127.0.0.1:1/", timeout_seconds=60),
    ):
        pytest.fail("it never started")


def test_a_server_that_never_answers_is_given_up(port: int) -> None:
    """An error page is no readiness: after the deadline it is ended, and the address is said."""
    url = f"http://127.0.0.1:{port}/missing"
    with (
        pytest.raises(ServerDidNotStart, match="/missing did not answer within 1 s"),
        server([*SERVE, str(port)], answers_at=url, timeout_seconds=1),
    ):
        pytest.fail("it never was ready")

    assert not is_up(port)


def test_a_command_gives_its_exit_code() -> None:
    """What the command says is what we say."""
    assert run([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.fixture
def obeys_ctrl_c() -> Iterator[None]:
    """A test run in the background ignores SIGINT; here it is to obey."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("obeys_ctrl_c")
def test_ctrl_c_leaves_a_command_its_own_end(tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group: the command is waited for, and its own code is the answer."""
    begun = tmp_path / "begun"
    script = f"""
import os, pathlib, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    pathlib.Path({str(begun)!r}).write_text(f"{{os.getpid()}}.")
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    raise SystemExit(130)
"""

    def press() -> None:
        os.kill(process_id_in(begun), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    code = run([sys.executable, "-c", script])
    presser.join()

    assert code == 130


def process_id_in(file: Path) -> int:
    """Waits for a process to write down its id, with a full stop."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text(encoding="ascii")).endswith("."):
            return int(text[:-1])
        time.sleep(0.05)
    raise TimeoutError(file)


def test_a_child_that_ends_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    """Who reads the message sees what it said at last, and where to read the rest; control characters do nothing."""
    log = tmp_path / "child.log"
    script = "import sys; print('\\n'.join(map(str, range(50)))); sys.exit('no \\x1b[31mdatabase')"
    with child("The server", [sys.executable, "-c", script], log=log) as running:
        with pytest.raises(ChildEnded) as told:
            running.wait_until_it_is_done(60)
        with pytest.raises(ChildEnded, match="The server ended with code 1"):
            running.check()

    lines = str(told.value).splitlines()
    assert lines[0] == f"The server ended with code 1. Its last words, from {log}:"
    assert [line.strip() for line in lines[1:]] == [*map(str, range(39, 50)), "no  [31mdatabase"]


def test_a_command_that_is_not_done_in_time_is_given_up(tmp_path: Path) -> None:
    """The message names its output; the process is gone after the context."""
    log = tmp_path / "child.log"
    with child("The command", [sys.executable, "-c", "import time; time.sleep(60)"], log=log) as running:
        with pytest.raises(ChildEnded, match=rf"The command was not done within 0.1 s. Its output: {log}"):
            running.wait_until_it_is_done(0.1)
        assert running.is_running()

    assert not running.is_running()


def test_a_child_is_ended_with_its_group(tmp_path: Path) -> None:
    """A process that the child has started ends with it; nobody waits for the stubborn in a hurry."""
    script = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(f"{grandchild.pid}.", end="", flush=True)
time.sleep(60)
"""
    log = tmp_path / "child.log"
    with child("The child", [sys.executable, "-c", script], log=log, is_hurried=lambda: True):
        grandchild = process_id_in(log)
        os.kill(grandchild, 0)

    assert has_ended(grandchild)


def has_ended(process_id: int) -> bool:
    """Waits until a process that is not our child is gone, or only waits for its own parent to notice."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(process_id, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False
