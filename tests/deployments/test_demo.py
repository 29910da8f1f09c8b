import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from PIL import Image

from deployments import demo
from deployments.processes import ServerDidNotStart, run
from flows.accounts import sandbox_credentials
from flows.questions import plan_of
from tasks.brief_reading import load_brief
from tests.conftest import Sandbox

ROOT = Path(__file__).parents[2]


def test_the_demo_shows_the_whole_way(sandbox: Sandbox, tmp_path: Path) -> None:
    """The demo's own brief: a dozen shots at the least, a chain of edits, photographs in their roles; all priced."""
    brief = load_brief(demo.BRIEF)
    scenario, sunra = sandbox_credentials(sandbox.origin)
    plan = asyncio.run(plan_of(brief, tmp_path / "archive", scenario=scenario, sunra=sunra))

    assert plan.estimate.lines[0].shots >= 12
    assert len(brief.edits) >= 2
    assert len({role for edit in brief.edits for role in edit.references}) >= 2
    assert [line.stage for line in plan.estimate.lines if line.price is None] == []
    assert sandbox.jobs() == []


@pytest.mark.parametrize("photograph", sorted((demo.BRIEF.parent / "photographs").glob("*.jpg")), ids=lambda p: p.stem)
def test_every_photograph_is_one_and_has_its_credit(photograph: Path) -> None:
    """What ships with the project is a whole picture, and says where it comes from."""
    with Image.open(photograph) as picture:
        picture.load()

    assert photograph.name in (photograph.parent / "CREDITS.md").read_text(encoding="utf-8")


def test_the_demo_starts_the_sandbox_and_runs_its_brief(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The very command that it prints works while the sandbox is up; here with `plan` for `campaign`."""

    def plan_instead(command: Sequence[str]) -> int:
        assert command[:4] == [sys.executable, "-m", "flows", "campaign"]
        return run([*command[:3], "plan", *command[4:]])

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(demo, "run", plan_instead)

    assert demo.main() == 0
    shown = capfd.readouterr().out
    origin = re.search(r"http://127\.0\.0\.1:\d+", shown)
    assert origin is not None
    assert f"$ python -m flows campaign {demo.BRIEF.relative_to(ROOT)} --archive .kleinbild/demo" in shown
    assert re.search(r"│ edit 2 +│ sunra ", shown)
    with pytest.raises(httpx.ConnectError):
        httpx.get(origin[0], trust_env=False)


def test_a_sandbox_that_does_not_start_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What keeps the demo from beginning is said without a traceback."""

    def refuse(*_: object, **__: object) -> None:
        raise ServerDidNotStart("It ended with code 1.")

    monkeypatch.setattr(demo, "server", refuse)

    assert demo.main() == 1
    assert capsys.readouterr().err == "The demo cannot begin. It ended with code 1.\n"
