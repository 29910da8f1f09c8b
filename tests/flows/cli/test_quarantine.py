"""The command for pictures that the gate refused, on the archive of a real campaign."""

from collections.abc import Callable

import pytest

from flows.cli.main import main
from tasks import ingest
from tasks.gate.admit import Expected
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; returns exit code, output and errors."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main(["quarantine", *arguments, "--archive", str(workplace.archive)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_command


def test_a_picture_is_refused_listed_released_and_had(
    workplace: Workplace, sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the campaign that failed to the one that has it, without buying anything."""

    class Larger(Expected):
        @classmethod
        def of(cls, request: object, declared_type: str | None) -> Expected:
            return Expected(declared_type=declared_type, width_px=512)

    brief = workplace.brief(prompts="a red teapot")
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "Expected", Larger)
        assert len(workplace.run(brief).failures) == 1
    code, out, _ = run()
    assert code == 0
    assert "  teapots, edition 1  0.25 CU\n    The picture of shot" in out
    assert "has 128 x 128 pixels, where 512 x 128 were asked for." in out
    [held] = [path.name for path in (workplace.archive / "quarantine").rglob("*") if len(path.name) == 64]

    code, out, _ = run("--release", held[:12], "--by", "Ada [bold]Lovelace[/]")
    assert code == 0
    assert out.startswith(f"{held[:16]} is in the archive now, as a picture of teapots, edition 1, flagged `released`.")
    result = workplace.run(brief)
    [image] = result.images
    assert (image.sha256, result.failures, result.bought) == (held, (), 0)
    assert image.released is not None
    assert image.released.by == "Ada [bold]Lovelace[/]"
    assert "asked for. It is in the archive by now." in run()[1]
    assert len(sandbox.jobs()) == 1


def test_nothing_is_in_quarantine_of_a_good_campaign(workplace: Workplace, run: Run) -> None:
    """And what is not there is not released: the person's mistake."""
    workplace.run(workplace.brief(prompts="a red teapot"))

    assert run() == (0, "Nothing is in quarantine.\n", "")
    code, _, err = run("--release", "abc")
    assert code == 2
    assert "Nothing in quarantine begins with 'abc'" in err
