from pathlib import Path

import pytest

from blocks.errors import SetupError
from flows.care import Reconciled, reconcile
from flows.cli.main import main
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


def outcomes(reconciled: tuple[Reconciled, ...]) -> list[tuple[str, str, str]]:
    return [(each.provider, each.was, each.now) for each in reconciled]


def test_a_job_that_nobody_waited_for_is_collected(workplace: Workplace, sandbox: Sandbox) -> None:
    """What a run that is over has paid for comes home, and the campaign later finds it there; nothing is bought."""
    sandbox.fault("job_slow", seconds=1.5, match="red")
    workplace.run(workplace.brief(job_timeout_seconds=0.8))

    reconciled = reconcile(**workplace.terms)

    assert outcomes(reconciled) == [("scenario", "running", "done")]
    assert reconcile(**workplace.terms) == ()
    later = workplace.run(workplace.brief())
    assert (later.bought, later.reused, len(later.images)) == (0, 2, 2)
    assert len(sandbox.jobs()) == 2


def test_what_cannot_be_found_stays_lost_and_says_so(workplace: Workplace, sandbox: Sandbox) -> None:
    """Sunra has no list: the money stays counted, and a person reads why."""
    sandbox.fault("submit_accepted_reply_dropped", provider="sunra")
    workplace.run(workplace.brief_with_edits(prompts="a red teapot"))

    (lost,) = reconcile(**workplace.terms)

    assert (lost.provider, lost.was, lost.now) == ("sunra", "lost", "lost")
    assert "its answer was lost" in lost.note
    assert len(sandbox.jobs("sunra")) == 1


def test_a_job_that_came_late_into_the_list_is_adopted(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost shot of Scenario's is looked for again."""
    monkeypatch.setattr("tasks.lost.SEARCH_DELAYS_SECONDS", ())
    sandbox.fault("submit_accepted_reply_dropped", match="red")
    workplace.run(workplace.brief())
    monkeypatch.undo()

    assert outcomes(reconcile(**workplace.terms)) == [("scenario", "lost", "done")]
    assert len(sandbox.jobs()) == 2


def test_a_job_that_the_provider_no_longer_knows_is_closed(workplace: Workplace, sandbox: Sandbox) -> None:
    """A state without an exit would hold its money for ever."""
    sandbox.fault("job_slow", seconds=5, match="red")
    workplace.run(workplace.brief(job_timeout_seconds=0.5))
    sandbox.fault("poll_error", http_status=404, times=None)

    assert outcomes(reconcile(**workplace.terms)) == [("scenario", "running", "failed")]


def test_the_command_shows_what_it_found(
    workplace: Workplace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table where something was open, a sentence where nothing was."""
    sandbox.fault("job_slow", seconds=1.5, match="red")
    workplace.run(workplace.brief(job_timeout_seconds=0.8))
    command = ["reconcile", "--archive", str(workplace.archive), "--sandbox", sandbox.origin]

    assert (main(command), main(command)) == (0, 0)
    shown = capsys.readouterr().out
    assert "running" in shown
    assert "Nothing is open" in shown


def test_without_an_archive_there_is_nothing_to_reconcile(workplace: Workplace, tmp_path: Path) -> None:
    """An archive is not made by looking for one."""
    with pytest.raises(SetupError, match="There is no archive at"):
        reconcile(**{**workplace.terms, "archive": tmp_path / "nowhere"})

    assert not (tmp_path / "nowhere").exists()
