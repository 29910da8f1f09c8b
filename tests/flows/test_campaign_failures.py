from decimal import Decimal
from pathlib import Path

import pytest

from blocks.archive.archive import open_archive
from blocks.archive.ledger import LedgerTotals, ShotState
from blocks.errors import AccountRefused
from blocks.provider import Money
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace, wrong_key


def kinds(result: CampaignResult) -> list[str]:
    return [failure.kind for failure in result.failures]


async def totals(workplace: Workplace) -> LedgerTotals:
    async with open_archive(str(workplace.archive)) as archive:
        return await archive.ledger.totals("teapots", "1")


def test_a_shot_that_fails_does_not_stop_the_others(workplace: Workplace, sandbox: Sandbox) -> None:
    """A picture that the provider will not make costs what it billed, and is tried anew by the next run alone."""
    sandbox.fault("job_fails", match="red", error="Sensitive content detected")
    first = workplace.run(workplace.brief())

    assert [image.prompt.text for image in first.images] == ["a blue teapot"]
    assert [(f.kind, f.prompt) for f in first.failures] == [("JobFailed", "a red teapot")]
    assert "Sensitive content detected" in first.failures[0].message
    assert first.bought == 2
    assert first.cost.amounts == (Money(amount=Decimal("0.25"), unit="CU"),)

    second = workplace.run(workplace.brief())
    assert (second.bought, second.reused, second.failures) == (1, 1, ())
    assert [job["request"]["prompt"] for job in sandbox.jobs()].count("a red teapot") == 2


def test_a_wrong_key_is_one_error_before_anything_is_bought(workplace: Workplace, sandbox: Sandbox) -> None:
    """Whose key opens nothing is told so once, and the key is not in the message."""
    with pytest.raises(AccountRefused, match="does not accept this API key") as caught:
        workplace.run(workplace.brief(), scenario=wrong_key(workplace.scenario))

    assert "not-the-key" not in str(caught.value)
    assert sandbox.jobs() == []


def test_a_refusal_in_the_middle_keeps_what_was_bought(workplace: Workplace, sandbox: Sandbox) -> None:
    """The account of the edits is refused: the run ends with that error, and the pictures before it are archived."""
    brief = workplace.brief_with_edits()
    with pytest.raises(AccountRefused, match="Sunra"):
        workplace.run(brief, sunra=wrong_key(workplace.sunra))
    assert [job["provider"] for job in sandbox.jobs()] == ["scenario", "scenario"]

    result = workplace.run(brief)
    assert (result.bought, result.reused) == (4, 2)
    assert len(sandbox.jobs()) == 6


def test_a_provider_that_asks_to_wait_is_waited_for(workplace: Workplace, sandbox: Sandbox) -> None:
    """429 proves that nothing was accepted: the shot is sent again after the pause, and bought once."""
    sandbox.fault("submit_cooldown", seconds=0.2, times=2)
    result = workplace.run(workplace.brief())

    assert sandbox.struck() == [2]
    assert (len(result.images), result.bought, result.failures) == (2, 2, ())
    assert len(sandbox.jobs()) == 2


def test_a_lost_answer_of_scenario_is_found_again(workplace: Workplace, sandbox: Sandbox) -> None:
    """The job of a submit whose answer was lost is searched for and adopted: one purchase, one picture."""
    sandbox.fault("submit_accepted_reply_dropped", provider="scenario")
    result = workplace.run(workplace.brief())

    assert sandbox.struck() == [1]
    assert (len(result.images), result.bought, result.failures) == (2, 2, ())
    assert len(sandbox.jobs()) == 2


async def test_a_lost_answer_of_sunra_stays_counted(workplace: Workplace, sandbox: Sandbox) -> None:
    """Sunra has no list to search: the money stays counted, the run goes on, and no run sends it again by itself."""
    sandbox.fault("submit_accepted_reply_dropped", provider="sunra")
    edits = [{"instruction": "Turn it into a watercolor."}]
    brief = workplace.brief(edits=edits, edit="all")
    result = await workplace.run_in_loop(brief)

    assert (len(result.images), result.bought, kinds(result)) == (3, 4, ["OutcomeUnknown"])
    assert "on_lost: resubmit" in result.failures[0].message
    assert len(sandbox.jobs("sunra")) == 2
    counted = await totals(workplace)
    assert (counted.count(ShotState.DONE), counted.count(ShotState.LOST)) == (3, 1)

    again = await workplace.run_in_loop(brief)
    assert (again.bought, kinds(again)) == (0, ["OutcomeUnknown"])
    assert len(sandbox.jobs("sunra")) == 2

    resubmitted = await workplace.run_in_loop(workplace.brief(edits=edits, edit="all", on_lost="resubmit"))
    assert (resubmitted.bought, resubmitted.failures, len(resubmitted.images)) == (1, (), 4)
    assert len(sandbox.jobs("sunra")) == 3


@pytest.mark.parametrize("kind", ["file_cut", "file_error"])
def test_a_transfer_that_fails_is_repeated(workplace: Workplace, sandbox: Sandbox, kind: str) -> None:
    """A cut transfer is fetched again and a dead URL asked for afresh (`file_error` is a 403): never a second job."""
    sandbox.fault(kind, provider="scenario")
    result = workplace.run(workplace.brief())

    assert sandbox.struck() == [1]
    assert (len(result.images), result.failures) == (2, ())
    assert len(sandbox.jobs()) == 2


def test_bytes_that_are_no_picture_are_kept_aside(workplace: Workplace, sandbox: Sandbox) -> None:
    """What was paid for is never thrown away: bytes that fail the check lie in quarantine."""
    sandbox.fault("file_wrong_type", provider="scenario", match="red")
    result = workplace.run(workplace.brief())

    assert result.failures == ()
    assert len(sandbox.jobs()) == 2
    assert sandbox.struck() == [1]
    kept, why = sorted(path for path in (workplace.archive / "quarantine").rglob("*") if path.is_file())
    assert not kept.read_bytes().startswith(b"\x89PNG")
    assert why.name == f"{kept.name}.json"


def test_a_job_that_takes_too_long_is_collected_by_the_next_run(workplace: Workplace, sandbox: Sandbox) -> None:
    """After the deadline the run goes on without the picture; its job is known, and is not bought again."""
    sandbox.fault("job_slow", seconds=1.5, match="red")
    first = workplace.run(workplace.brief(job_timeout_seconds=0.8))
    assert (first.bought, kinds(first)) == (2, ["JobTimedOut"])

    second = workplace.run(workplace.brief(job_timeout_seconds=60))
    assert (second.bought, second.reused, second.failures) == (0, 2, ())
    assert len(sandbox.jobs()) == 2


def test_a_sheet_shows_what_failed(workplace: Workplace, sandbox: Sandbox) -> None:
    """The contact sheet of a run with a failure exists, and names the failure as text."""
    sandbox.fault("job_fails", match="red", error="<b>refused</b>")
    page = Path(workplace.run(workplace.brief()).contact_sheet).read_text(encoding="utf-8")

    assert "&lt;b&gt;refused" in page
    assert "<b>refused" not in page
