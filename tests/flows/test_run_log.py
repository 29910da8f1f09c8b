import asyncio
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from blocks.errors import AccountRefused, JobFailed
from blocks.provider import Money
from tasks.advice import advice_on
from tasks.estimate import Estimate, EstimateLine
from tasks.models import CampaignResult, Cost, Failure, Flagged, Round
from tasks.run_log import log_begin, log_failures, log_flagged, log_result, run_log
from tasks.studio import RunIdentity, Studio
from tests.images import image_record


class Lines:
    """What the logs of a run say, as their readers see it: level, logger, message with traceback."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def of(self, name: str) -> list[tuple[str, str]]:
        """The lines of one logger."""
        text = logging.Formatter("%(message)s").format
        return [(each.levelname, text(each)) for each in self._caplog.records if each.name == name]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """Everything from INFO on, as a server would be sent it."""
    with (
        caplog.at_level(logging.INFO, logger="prefect.flow_runs"),
        caplog.at_level(logging.INFO, logger="prefect.task_runs"),
    ):
        yield Lines(caplog)


def failure(kind: str, message: str) -> Failure:
    return Failure(shot_key="0" * 64, prompt="a pot", step=0, kind=kind, message=message)


def ours(lines: Lines) -> list[tuple[str, str]]:
    """The lines between Prefect's own first and last ones of a flow run."""
    return [line for line in lines.of("prefect.flow_runs") if not line[1].startswith(("Beginning", "View", "Finished"))]


async def test_a_run_says_what_it_is_going_to_make(lines: Lines) -> None:
    """Title, edition, shots, price and archive in one line, which no title can break into two."""
    line = EstimateLine(
        stage="generate", provider="scenario", shots=48, price=Money(amount=Decimal("0.03"), unit="USD")
    )
    unknown = EstimateLine(stage="edit 1", provider="sunra", shots=48, price=None)
    at_work = SimpleNamespace(
        run=RunIdentity(campaign="teapots", edition="2026-11-20", run_id="r"),
        archive=SimpleNamespace(root=Path("/data/archive")),
    )

    @flow
    async def run() -> None:
        log_begin("Tea\nERROR forged\x1b[31m", Estimate(lines=(line, unknown)), cast("Studio", at_work))

    await run()

    assert ours(lines) == [
        (
            "INFO",
            "Tea ERROR forged [31m, edition 2026-11-20: at most 96 shots for at most 1.44 USD + unknown, "
            "into /data/archive",
        )
    ]


async def test_a_run_is_summed_up(lines: Lines) -> None:
    """Each reason once, with its count and what to do; then figures, money and where to look."""
    result = CampaignResult(
        campaign="teapots",
        edition="1",
        archive="/data/archive",
        images=(),
        verdicts=(),
        failures=(
            failure("JobFailed", "Refused.\nSee https://cdn.example/p.png?X-Amz-Signature=secret"),
            failure("JobTimedOut", "Still at work."),
            failure("JobFailed", "Refused.\nSee https://cdn.example/p.png?X-Amz-Signature=secret"),
        ),
        bought=3,
        reused=2,
        cost=Cost.of([Money(amount=Decimal("0.09"), unit="USD")]),
        contact_sheet="http://127.0.0.1:4300/index.html",
    )

    @flow
    async def run() -> None:
        log_result(result, result.contact_sheet)

    await run()

    assert ours(lines) == [
        ("WARNING", f"2 × JobFailed: Refused. See https://cdn.example/p.png. {advice_on('JobFailed')}"),
        ("WARNING", f"1 × JobTimedOut: Still at work. {advice_on('JobTimedOut')}"),
        (
            "INFO",
            "0 pictures: 0 keepers, 0 near-duplicates, 0 rejected; "
            "3 shots failed, 3 were bought now, 2 are from before; spent 0.09 USD",
        ),
        ("INFO", "Contact sheet: http://127.0.0.1:4300/index.html"),
    ]


async def test_pictures_that_may_be_placeholders_are_told(lines: Lines) -> None:
    """A warning with their names: a provider's moderation charges for what it holds back."""
    plain = image_record()
    flat = plain.model_copy(update={"checks": plain.checks.model_copy(update={"flags": ("flat",)})})
    result = CampaignResult(
        campaign="teapots",
        edition="1",
        archive="/data/archive",
        images=(flat,),
        verdicts=(),
        failures=(),
        bought=1,
        reused=0,
        cost=Cost(),
        contact_sheet="sheet",
    )

    @flow
    async def run() -> None:
        log_result(result, result.contact_sheet)

    await run()

    said = "1 picture is all one colour, as where a provider's moderation holds a picture back"
    assert ("WARNING", f"{said}: {flat.sha256[:12]}.") in ours(lines)


async def test_rounds_are_summed_up(lines: Lines) -> None:
    """What the campaign goes on to is said when it begins, and how its rounds ended when they are over."""
    line = EstimateLine(
        stage="generate", provider="scenario", shots=48, price=Money(amount=Decimal("0.03"), unit="USD")
    )
    at_work = SimpleNamespace(
        run=RunIdentity(campaign="teapots", edition="1", run_id="r"), archive=SimpleNamespace(root=Path("/data"))
    )
    ended = Round(change="prompts", planned=48, paid=48, gained=9, distinct=9, target=48, message="9 of 48: enough")
    result = CampaignResult(
        campaign="teapots",
        edition="1",
        archive="/data",
        images=(),
        verdicts=(),
        failures=(),
        bought=48,
        reused=0,
        cost=Cost(),
        contact_sheet="/data/index.html",
        rounds=(ended,),
    )

    @flow
    async def run() -> None:
        log_begin("Teapots", Estimate(lines=(line,), target_unique=48), cast("Studio", at_work))
        log_result(result, result.contact_sheet)

    await run()

    assert [text for _, text in ours(lines)] == [
        "Teapots, edition 1: until 48 pictures are distinct, at least 48 shots for at least 1.44 USD, into /data",
        "0 pictures: 0 keepers, 0 near-duplicates, 0 rejected; "
        "0 shots failed, 48 were bought now, 0 are from before; spent nothing",
        "Distinct pictures: 9 of 48: enough; distinct of paid pictures, round by round: 9 of 48",
        "Contact sheet: /data/index.html",
    ]


async def test_only_so_many_reasons_are_logged(lines: Lines) -> None:
    """A campaign that fails in a hundred words does not bury its summary under them."""

    @flow
    async def run() -> None:
        log_failures(failure("JobFailed", f"Reason {number}.") for number in range(23))

    await run()

    assert len(ours(lines)) == 21
    assert ours(lines)[-1] == ("WARNING", "… and 3 more reasons: the contact sheet has them all.")


def test_outside_of_runs_the_log_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """A script that calls a step by itself sees no lines of a run that there is not."""
    with caplog.at_level(logging.DEBUG):
        run_log().error("nobody reads this")

    assert caplog.records == []


async def test_a_task_that_ends_well_spends_no_line(lines: Lines) -> None:
    """Two hundred shots are four hundred tasks: only what is out of the ordinary is worth reading."""

    @task(cache_policy=NO_CACHE)
    async def well() -> None:
        run_log().info("said by the task")

    @flow
    async def run() -> None:
        await well()

    await run()

    assert lines.of("prefect.task_runs") == [("INFO", "said by the task")]
    assert lines.of("prefect.flow_runs")[-1] == ("INFO", "Finished in state Completed()")


async def test_a_result_from_the_cache_spends_no_line(lines: Lines) -> None:
    """A campaign that is run again finds everything there, and says so once, in its summary."""

    @task(cache_key_fn=lambda *_: "known", persist_result=True)
    async def known() -> int:
        return 1

    @flow
    async def run() -> list[str | None]:
        ask: Any = known  # asked for its state it returns an awaitable, which its annotations do not say
        return [(await ask(return_state=True)).name for _ in range(2)]

    assert await run() == ["Completed", "Cached"]
    assert lines.of("prefect.task_runs") == []


async def test_retries_and_failures_keep_their_lines(lines: Lines) -> None:
    """A failure of ours is one line without the traceback through our code; what nobody foresaw keeps its traceback."""
    attempts = iter(range(9))

    @task(cache_policy=NO_CACHE, retries=1)
    async def refused() -> None:
        raise JobFailed(f"No picture at attempt {next(attempts)}.")

    @task(cache_policy=NO_CACHE)
    async def unforeseen() -> None:
        raise RuntimeError("a mistake of ours")

    @flow
    async def run() -> None:
        await asyncio.gather(refused(), return_exceptions=True)
        await asyncio.gather(unforeseen(), return_exceptions=True)
        raise AccountRefused("There is no credit.")

    with pytest.raises(AccountRefused):
        await run()

    said: list[Any] = [message for _, message in lines.of("prefect.task_runs")]
    assert said[:3] == [
        "Task run failed with exception: JobFailed('No picture at attempt 0.') - Retry 1/1 will start immediately",
        "Task run failed with exception: JobFailed('No picture at attempt 1.') - Retries are exhausted",
        "Finished in state Failed('Task run encountered an exception JobFailed: No picture at attempt 1.')",
    ]
    assert said[3].startswith("Task run failed with exception: RuntimeError('a mistake of ours')\nTraceback")
    assert "Encountered exception during execution: AccountRefused('There is no credit.')" in [
        message for _, message in lines.of("prefect.flow_runs")
    ]


async def test_flagged_edits_are_said_one_by_one(lines: Lines) -> None:
    """Each with what is the matter; after twenty the contact sheet has to do."""
    flagged = [
        Flagged(sha256=f"{number:064x}"[::-1], step=2, kind="no_change", outcome="kept", reason="changed nothing")
        for number in range(22)
    ]

    @flow
    async def run() -> None:
        log_flagged(flagged)

    await run()

    said = ours(lines)
    assert said[1] == ("WARNING", "Edit 2, 100000000000: changed nothing")
    assert said[20:] == [("WARNING", "… and 2 more edits: the contact sheet flags them all.")]
