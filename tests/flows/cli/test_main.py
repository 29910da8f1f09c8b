import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli import console, making
from flows.cli.main import main
from tasks.models import ImageRecord
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace, small_brief


@pytest.fixture
def run(
    sandbox: Sandbox, workplace: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command on the sandbox; returns exit code, output and errors. `BRIEF` stands for a small brief."""
    path = tmp_path / "brief.yaml"
    path.write_text(yaml.safe_dump(small_brief()), encoding="utf-8")

    def run_command(*arguments: str) -> tuple[int, str, str]:
        given = [str(path) if each == "BRIEF" else each for each in arguments]
        where = [] if given[0] == "show" else ["--sandbox", sandbox.origin]
        code = main([*given, *where, "--archive", str(workplace.archive)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_command


def images_of(archive: Path) -> list[ImageRecord]:
    records = (path for path in (archive / "records").rglob("*.json"))
    found = [ImageRecord.model_validate_json(path.read_bytes()) for path in records]
    return sorted(found, key=lambda image: (image.step, image.position))


def number(shown: str, what: str) -> str:
    """What stands beside a name in the table at the end."""
    row = next(line for line in shown.splitlines() if line.startswith(f"│ {what} "))
    return row.split("│")[2].strip()


def test_help_lists_the_commands_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever scripts the command line finds every exit code in its help."""
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    shown = capsys.readouterr().out
    assert left.value.code == 0
    making = ["campaign", "plan", "revise", "replay"]
    keeping = ["verify", "repair", "rebuild", "gc", "reconcile", "quarantine"]
    names = [*making, *keeping, "show", "decide", "export"]
    assert [name for name in names if f"\n    {name}" not in shown] == []
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f"  {code}  " in shown


def test_a_campaign_from_the_command_line(
    run: Callable[..., tuple[int, str, str]], sandbox: Sandbox, workplace: Workplace
) -> None:
    """It buys, sums up on standard output, and keeps progress on standard error; again, it buys nothing."""
    code, out, err = run("campaign", "BRIEF")
    assert code == 0
    assert number(out, "shots bought now") == "2"
    assert str(workplace.archive) in out
    assert "generating: 0 of 2 shots" in err
    assert "Traceback" not in err

    code, out, _ = run("campaign", "BRIEF", "--yes")
    assert (code, number(out, "shots had before")) == (0, "2")
    assert len(sandbox.jobs()) == 2


def test_a_plan_from_the_command_line(run: Callable[..., tuple[int, str, str]], sandbox: Sandbox) -> None:
    """It shows counts and price, and buys nothing."""
    code, out, _ = run("plan", "BRIEF")

    assert code == 0
    assert "0.5 CU" in out
    assert "· a red teapot" in out
    assert sandbox.jobs() == []


def test_revise_and_show_from_the_command_line(
    run: Callable[..., tuple[int, str, str]], sandbox: Sandbox, workplace: Workplace
) -> None:
    """`--reference ROLE=FILE` makes the role usable in every instruction; `show` tells of the result."""
    run("campaign", "BRIEF")
    parent = images_of(workplace.archive)[0]
    code, out, _ = run(
        *("revise", parent.sha256[:12], "-i", "Add the cup of @cup.", "-i", "Make it night."),
        *("--reference", f"cup={workplace.photograph}", "--name", "night-shift"),
    )
    assert (code, number(out, "shots bought now")) == (0, "2")
    assert [len(job["request"]["image_urls"]) for job in sandbox.jobs("sunra")] == [2, 2]

    child = images_of(workplace.archive)[2]
    code, out, _ = run("show", child.sha256)
    assert code == 0
    assert "Add the cup of image 2." in out
    assert parent.sha256 in out
    assert "night-shift" in out
    code, out, _ = run("show", child.sha256, "--json")
    assert ImageRecord.model_validate(json.loads(out)) == child


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("cup", "write it as ROLE=FILE"),
        ("cup=", "write it as ROLE=FILE"),
        ("=cup.png", "role"),
        ("1cup=cup.png", "role"),
        ("my cup=cup.png", "role"),
    ],
)
def test_a_reference_needs_a_role_and_a_file(
    run: Callable[..., tuple[int, str, str]], sandbox: Sandbox, reference: str, says: str
) -> None:
    """What is no ROLE=FILE is one message."""
    code, out, err = run("revise", "abc", "-i", "Make it night.", "--reference", reference)

    assert (code, out) == (2, "")
    assert err.startswith("BriefError: ")
    assert says in err
    assert sandbox.jobs() == []


@pytest.mark.parametrize("amount", ["-1", "nan", "inf", "much"])
def test_a_budget_is_an_amount(
    run: Callable[..., tuple[int, str, str]], capsys: pytest.CaptureFixture[str], amount: str
) -> None:
    """A budget that is no amount is refused by the command line itself."""
    with pytest.raises(SystemExit) as left:
        run("campaign", "BRIEF", f"--budget={amount}")

    assert left.value.code == 2
    assert f"{amount!r} is no amount" in capsys.readouterr().err


def test_a_budget_that_ends_is_exit_code_4(run: Callable[..., tuple[int, str, str]], sandbox: Sandbox) -> None:
    """Pictures were made, and the code says that the money did not reach for all."""
    code, out, _ = run("campaign", "BRIEF", "--budget", "0.0003")  # USD; a picture costs 0.25 CU of 0.001 USD

    assert (code, len(sandbox.jobs())) == (4, 1)
    assert "BudgetExhausted" in out


def test_a_shot_that_fails_is_exit_code_7(run: Callable[..., tuple[int, str, str]], sandbox: Sandbox) -> None:
    """The others are made, and the code says that not all were."""
    sandbox.fault("job_fails", match="red", error="[bold]Sensitive content[/bold]")
    code, out, _ = run("campaign", "BRIEF")

    assert code == 7
    assert "1 × JobFailed: " in out
    assert "[bold]Sensitive content[/bold]" in out


def test_an_archive_may_be_a_file_url(
    run: Callable[..., tuple[int, str, str]], sandbox: Sandbox, workplace: Workplace, tmp_path: Path
) -> None:
    """A plan and a question find the archive by its URL as a campaign does."""
    run("campaign", "BRIEF")
    url = workplace.archive.as_uri()
    brief = str(tmp_path / "brief.yaml")

    assert main(["campaign", brief, "--sandbox", sandbox.origin, "--archive", url]) == 0
    assert len(sandbox.jobs()) == 2
    assert main(["show", images_of(workplace.archive)[0].sha256, "--archive", url]) == 0


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_is_shown_the_price_and_asked(
    agrees: bool, workplace: Workplace, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real account on a terminal nothing is bought before a yes; `--yes` has said it already."""
    shown: list[Any] = []
    monkeypatch.setattr(console, "asks_first", lambda is_agreed: not is_agreed)
    monkeypatch.setattr(console, "show_plan", shown.append)
    monkeypatch.setattr(console, "confirmed", lambda: agrees)
    monkeypatch.setattr(making, "terms", lambda _: workplace.terms)
    path = tmp_path / "brief.yaml"
    path.write_text(yaml.safe_dump(small_brief()), encoding="utf-8")

    assert main(["campaign", str(path)]) == 0
    assert [plan.estimate.shots for plan in shown] == [2]
    assert len(sandbox.jobs()) == (2 if agrees else 0)

    assert main(["campaign", str(path), "--yes"]) == 0
    assert len(shown) == 1
    assert len(sandbox.jobs()) == 2


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130, and says that going on costs nothing."""

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "load_brief", stopped)
    code = main(["plan", "brief.yaml"])

    assert code == 130
    assert "what was bought is not bought twice" in capsys.readouterr().err
