import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from blocks.archive.ledger import LEASE_SECONDS, LedgerEntry, Reservation, ShotState
from blocks.errors import JobTimedOut, OutcomeUnknown
from blocks.provider import JobFailure, Ticket
from blocks.waiting import wait_until_final
from tasks.generate import collect, submit
from tasks.ingest import ingest
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.money import cu
from tests.tasks.buying import PRICE_CU, state_of
from tests.tasks.conftest import OpenStudio, ShotOf

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("impatient")


async def test_two_runs_at_the_same_time_buy_a_shot_once(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """One sends, the other waits for its receipt; both have the picture, and it is paid for once."""
    sandbox.fault("submit_accepted_slow", seconds=0.2)
    async with studio_with() as one, studio_with() as other:
        purchases = Purchase(shot_of(), one), Purchase(shot_of(), other)
        tickets = await asyncio.gather(*(submit.fn(each) for each in purchases))
        assert tickets[0].job_id == tickets[1].job_id
        assert [each.was_bought for each in purchases].count(True) == 1
        pairs = zip(purchases, tickets, strict=True)
        mine, theirs = await asyncio.gather(*(collect.fn(each, ticket) for each, ticket in pairs))
        spent = [*one.spent.amounts, *other.spent.amounts]

    assert [image.sha256 for image in mine.images] == [image.sha256 for image in theirs.images]
    assert (len(sandbox.jobs()), spent) == (1, [cu(PRICE_CU)])


async def test_who_closes_a_shot_second_changes_nothing(
    studio_with: OpenStudio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that collect one job at once are no error: the bill is counted by the first."""
    async with studio_with() as one, studio_with() as other:
        first, second, third = Purchase(shot_of(), one), Purchase(shot_of(), other), Purchase(shot_of(), other)
        ticket = await first.ticket()
        status = await wait_until_final(
            first.account.provider, ticket.job_id, deadline_seconds=30, pace=first.account.pace
        )
        images = await ingest(first.shot, status, one)
        standing = await state_of(one, first.shot)

        async def as_it_was() -> LedgerEntry:
            return standing

        for late in (second, third):
            monkeypatch.setattr(late, "_running", as_it_was)
        await first.done(images, status)
        await second.done(images, status)
        error = await third.failed(JobFailure(code="failure", message="no"), cu(0))

        assert (one.spent.amounts, other.spent.amounts) == ((cu(PRICE_CU),), ())
        assert (await state_of(one, first.shot)).state is ShotState.DONE
        assert (str(error), error.job_id) == ("no", ticket.job_id)


async def test_a_running_job_is_taken_up_and_not_bought_again(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """What an earlier run has bought and not collected is polled by its id."""
    async with studio_with() as studio:
        ticket = await Purchase(shot_of(), studio).ticket()
    async with studio_with() as studio:
        purchase = Purchase(shot_of(), studio)
        assert await purchase.ticket() == ticket == Ticket(provider="scenario", job_id=ticket.job_id, billed=cu("0.25"))
        collected = await collect.fn(purchase, ticket)
        assert (len(collected.images), purchase.was_bought) == (1, False)
    assert len(sandbox.jobs()) == 1


async def test_waiting_for_the_shot_of_another_has_an_end(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """A living run that holds a shot and does nothing is not waited for without end."""
    async with studio_with() as holder, studio_with(job_timeout_seconds=0.1) as studio:
        held = Reservation(
            shot_key=shot_of().key,
            provider="scenario",
            sandbox=True,
            request_json="{}",
            campaign="cards",
            edition="1",
            run_id=holder.run.run_id,
        )
        await holder.archive.ledger.reserve(held)
        with pytest.raises(JobTimedOut, match=r"Another run has been buying shot · \w{8} for 0\.1 s"):
            await Purchase(shot_of(), studio).ticket()
    assert sandbox.jobs() == []


async def test_the_deadline_of_waiting_does_not_cut_an_own_submit(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """A submit has a deadline of its own: cutting it would make a paid job a lost one."""
    sandbox.fault("submit_accepted_slow", seconds=0.4)
    async with studio_with(job_timeout_seconds=0.1) as studio:
        ticket = await Purchase(shot_of(), studio).ticket()
    assert [job["job_id"] for job in sandbox.jobs()] == [ticket.job_id]


DYING_RUN = """
import asyncio, json, sys
from blocks.archive.block import ImageArchive
from flows.accounts import sandbox_credentials
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.studio import open_studio
from tests.tasks.conftest import Instead

async def hang(*_, **__):
    print("here", flush=True)
    await asyncio.sleep(600)

async def buy(shot, stage, studio):
    purchase = Purchase(shot, studio)
    ledger = purchase._ledger

    async def mark_and_hang(*arguments):
        await ledger.mark_sending(*arguments)
        await hang()

    stops = {"reserved": {"mark_sending": hang}, "sending": {"mark_sending": mark_and_hang},
             "sent": {"mark_running": hang}}
    purchase._ledger = Instead(ledger, **stops[stage])
    await purchase.ticket()

async def main(origin, root, shots):
    scenario, sunra = sandbox_credentials(origin)
    terms = dict(campaign="cards", edition="1", budget=None, resubmit_lost=False, job_timeout_seconds=30)
    async with open_studio(ImageArchive(root=root), {"scenario": scenario, "sunra": sunra}, **terms) as studio:
        await asyncio.gather(*(buy(Shot.model_validate(shot), stage, studio) for stage, shot in shots))

asyncio.run(main(*json.load(sys.stdin)))
"""


async def test_a_run_that_was_killed_is_taken_over_at_once(
    studio_with: OpenStudio, shot_of: ShotOf, edit_of: ShotOf, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its process is gone, so nobody waits for its lease; what it never sent is bought, what it may have sent is not.

    Scenario's job is found in the list; Sunra's is held, because nobody can know.
    """
    stages = ("reserved", "sending", "sent")
    shots = {
        (name, stage): make(stage) for name, make in (("scenario", shot_of), ("sunra", edit_of)) for stage in stages
    }
    handed = [[stage, shot.model_dump(mode="json")] for (_, stage), shot in shots.items()]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING_RUN, cwd=PROJECT, env={**os.environ, "PYTHONPATH": "."}, stdin=pipe, stdout=pipe
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps([sandbox.origin, str(tmp_path / "archive"), handed]).encode())
    child.stdin.close()
    async with asyncio.timeout(60):
        for _ in shots:
            assert await child.stdout.readline() == b"here\n"
    child.send_signal(signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    child._transport.close()  # type: ignore[attr-defined]  # asyncio leaves the pipe open until it is collected
    sent = {job["request"]["prompt"]: job["job_id"] for job in sandbox.jobs("scenario")}
    assert (len(sandbox.jobs()), list(sent)) == (2, ["sent"])

    async def outcome(shot: Shot, studio: Studio) -> tuple[str, bool]:
        purchase = Purchase(shot, studio)
        try:
            await purchase.ticket()
        except OutcomeUnknown:
            return "held", purchase.was_bought
        return "has it", purchase.was_bought

    assert LEASE_SECONDS > 10
    async with studio_with(job_timeout_seconds=10) as studio:
        outcomes = await asyncio.gather(*(outcome(shot, studio) for shot in shots.values()))
        adopted = await state_of(studio, shots["scenario", "sent"])
    assert dict(zip(shots, outcomes, strict=True)) == {
        ("scenario", "reserved"): ("has it", True),
        ("scenario", "sending"): ("held", False),
        ("scenario", "sent"): ("has it", False),
        ("sunra", "reserved"): ("has it", True),
        ("sunra", "sending"): ("held", False),
        ("sunra", "sent"): ("held", False),
    }
    assert adopted.job_id == sent["sent"]
    assert sorted((job["provider"], job["request"]["prompt"]) for job in sandbox.jobs()) == [
        ("scenario", "reserved"),
        ("scenario", "sent"),
        ("sunra", "reserved"),
        ("sunra", "sent"),
    ]
