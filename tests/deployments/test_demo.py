import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from deployments import demo
from deployments.processes import ServerDidNotStart
from flows.accounts import sandbox_credentials
from flows.questions import plan_of
from tasks.brief_reading import load_brief
from tests.conftest import Sandbox

ROOT = Path(__file__).parents[2]
SMALL_BRIEF = """
name: small-demo
prompts: "a {red|blue} pot"
references: {cup: "%s"}
generate: {width_px: 128, height_px: 128, steps: 1}
edit: all
edits:
  - {instruction: "Add @cup.", references: [cup]}
"""
DEMO = (
    "import sys, pathlib; from deployments import demo; demo.BRIEF = pathlib.Path('brief.yaml'); sys.exit(demo.main())"
)


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


def test_the_demo_runs_from_nothing(tmp_path: Path) -> None:
    """No account, no server, no state: the sandbox starts, pictures are archived, and the sheet's place is printed."""
    Image.linear_gradient("L").save(tmp_path / "cup.png")
    (tmp_path / "brief.yaml").write_text(SMALL_BRIEF % "cup.png", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    finished = subprocess.run(
        [sys.executable, "-c", DEMO],
        cwd=tmp_path,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "PREFECT_HOME": str(tmp_path / "home"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    sheet = re.search(r"^contact sheet  (.+)$", finished.stdout, re.MULTILINE)
    assert sheet is not None
    assert Path(sheet[1]).is_relative_to(tmp_path / ".kleinbild" / "demo")
    assert Path(sheet[1]).is_file()
    assert len(list((tmp_path / ".kleinbild" / "demo" / "records").rglob("*.json"))) == 4


def test_a_sandbox_that_does_not_start_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What keeps the demo from beginning is said without a traceback."""

    def refuse(*_: object, **__: object) -> None:
        raise ServerDidNotStart("It ended with code 1.")

    monkeypatch.setattr(demo, "server", refuse)

    assert demo.main() == 1
    assert capsys.readouterr().err == "The demo cannot begin. It ended with code 1.\n"
