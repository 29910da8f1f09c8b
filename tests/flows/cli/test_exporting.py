from collections.abc import Callable
from pathlib import Path

import pytest

from flows.cli.main import main
from tasks.export import copies
from tasks.export.manifest import MANIFEST, Manifest
from tests.flows.conftest import Workplace


@pytest.fixture
def run(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `export` on an archive with two keepers; returns exit code, output and errors."""
    workplace.run(workplace.brief())
    capsys.readouterr()

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main(["export", *arguments, "--archive", str(workplace.archive)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_command


def test_an_export_from_the_command_line(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """It says how many, which marks, and where; the same again does nothing, and something else is refused."""
    out = tmp_path / "out"
    code, shown, _ = run(str(out), "--campaign", "teapots", "--format", "webdataset")
    assert code == 0
    assert "pictures    2 as webdataset" in shown
    assert "provenance  xmp: Each picture is marked as made by AI" in shown
    assert f"folder      {out}" in shown

    code, shown, _ = run(str(out), "--campaign", "teapots", "--format", "webdataset")
    assert (code, "nothing was done" in shown) == (0, True)
    code, shown, err = run(str(out), "--campaign", "teapots", "--format", "zip")
    assert (code, shown) == (2, "")
    assert "holds another export, of 2 pictures" in " ".join(err.split())


def test_every_wish_arrives(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """What is typed is what the manifest says."""
    wishes = ["--verdict", "any", "--prompt", "RED", "--since", "2020-01-01", "--until", "2200-01-01"]
    wishes += ["--edition", "1", "--captions", "prompt", "--provenance", "xmp", "--with-prompt"]
    code, shown, _ = run(str(tmp_path / "out"), *wishes)

    assert code == 0
    assert "pictures    1 as imagefolder" in shown
    terms = Manifest.model_validate_json((tmp_path / "out" / MANIFEST).read_bytes()).order.terms
    assert terms.model_dump(mode="json") == {
        "format": "imagefolder",
        "filter": {
            "campaign": None,
            "edition": "1",
            "verdict": "any",
            "since": "2020-01-01",
            "until": "2200-01-01",
            "prompt": "RED",
        },
        "captions": "prompt",
        "provenance": "xmp",
        "with_prompt": True,
    }


def test_without_any_mark_is_said_plainly(run: Callable[..., tuple[int, str, str]], workplace: Workplace) -> None:
    """`none` has to be asked for, and is shown for what it is."""
    code, shown, _ = run("--provenance", "none")

    assert code == 0
    assert "without any mark of ours" in shown
    assert str(workplace.archive / "exports") in shown


def test_prompts_that_could_not_be_written_are_said(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures that came signed stay as they are; what helps is said with their number."""
    monkeypatch.setattr(copies, "mark", lambda data, *_, **__: data)
    code, shown, _ = run(str(tmp_path / "out"), "--with-prompt")

    assert code == 0
    assert "The prompt is not in 2 of 2 pictures" in " ".join(shown.split())
    assert "`--provenance full` writes it" in " ".join(shown.split())


def test_nothing_that_matches_is_exit_code_2(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """The message repeats what was asked for."""
    code, shown, err = run(str(tmp_path / "out"), "--campaign", "[bold]posters")

    assert (code, shown) == (2, "")
    assert "campaign '[bold]posters', verdict 'keeper'" in " ".join(err.split())


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", ""])
def test_a_day_is_a_day(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is none is refused by the command line itself."""
    with pytest.raises(SystemExit) as left:
        main(["export", f"--since={day}"])

    assert left.value.code == 2
    assert "is no day such as 2026-11-20" in capsys.readouterr().err
