import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.archive.ledger import LEASE_SECONDS, LedgerEntry, Reservation, ShotState
from blocks.errors import (
    AccountRefused,
    BudgetExhausted,
    ConnectFailed,
    JobFailed,
    JobTimedOut,
    KleinbildError,
    LinkExpired,
    NotStarted,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    SetupError,
)
from blocks.provider import JobFailure, Money, Ticket
from blocks.waiting import wait_until_final
from flows.accounts import sandbox_credentials
from tasks.generate import collect, submit
from tasks.ingest import ingest
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.tasks.conftest import Instead

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]

PROJECT = Path(__file__).parents[2]
PRICE_CU = Decimal("0.25")
"""What the sandbox charges for the small generation of `shot_of`."""
PRICE_USD = Decimal("0.01")
"""What the sandbox counts for a picture of Sunra's."""
AT_SUNRAS_PRICE = {"price_per_image": PRICE_USD}
SPOILT = ["reply_dropped", "error", "malformed_json", "html", "empty"]
"""What can become of the answer to a submit that was accepted and paid; `error` is a gateway's 504 in HTML."""

pytestmark = pytest.mark.usefixtures("impatient")


def cu(amount: int | str | Decimal) -> Money:
    return Money(amount=Decimal(amount), unit="CU")


def usd(amount: int | str | Decimal) -> Money:
    return Money(amount=Decimal(amount), unit="USD")


@pytest.fixture
async def thrifty(studio_with: OpenStudio) -> AsyncIterator[Studio]:
    """A studio with a budget in creative units."""
    async with studio_with(budget=cu(10)) as opened:
        yield opened


async def state_of(studio: Studio, shot: Shot) -> LedgerEntry:
    entry = await studio.archive.ledger.get(shot.key)
    assert entry is not None
    return entry


async def committed(studio: Studio) -> Money:
    budget = await studio.archive.ledger.budget(studio.run.scope)
    assert budget is not None
    return budget.committed


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# What proves that nothing was bought


async def test_a_refused_connection_gives_the_money_back(thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Where no connection was made nothing was accepted: released, and the next attempt buys once."""
    shot, account = shot_of(), thrifty.account("scenario")
    there = account.provider
    await account.price(shot.request, ())
    absent = sandbox_credentials(f"http://127.0.0.1:{closed_port()}")[0]
    async with absent.get_provider() as account.provider:
        with pytest.raises(ConnectFailed, match="Nothing was bought"):
            await Purchase(shot, thrifty).ticket()
    account.provider = there

    assert (await state_of(thrifty, shot)).state is ShotState.RELEASED
    assert await committed(thrifty) == cu(0)
    await Purchase(shot, thrifty).ticket()
    assert len(sandbox.jobs()) == 1
    assert await committed(thrifty) == cu(PRICE_CU)


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("submit_rate_limited", {}, RateLimited),
        ("submit_cooldown", {"seconds": 7}, RateLimited),
        ("submit_unauthorized", {}, AccountRefused),
        ("submit_forbidden", {}, AccountRefused),
        ("submit_no_credit", {}, AccountRefused),
        ("submit_error", {"http_status": 400, "body": {"reason": "no"}}, RequestRejected),
        ("submit_error", {"http_status": 422}, RequestRejected),
    ],
)
async def test_a_refusal_gives_the_money_back(
    kind: str,
    fields: dict[str, Any],
    error: type[Exception],
    thrifty: Studio,
    shot_of: ShotOf,
    sandbox: Sandbox,
) -> None:
    """A 4xx proves that nothing was accepted: released with its reason, and the next attempt buys once."""
    sandbox.fault(kind, **fields)
    shot, purchase = shot_of(), Purchase(shot_of(), thrifty)
    with pytest.raises(error):
        await purchase.ticket()

    refused = await state_of(thrifty, shot)
    assert (refused.state, refused.error_code) == (ShotState.RELEASED, error.__name__)
    assert (await committed(thrifty), sandbox.jobs(), purchase.was_bought) == (cu(0), [], False)
    ticket = await Purchase(shot, thrifty).ticket()
    assert [job["job_id"] for job in sandbox.jobs()] == [ticket.job_id]
    bought = await state_of(thrifty, shot)
    assert (bought.state, bought.attempt, bought.job_id) == (ShotState.RUNNING, 2, ticket.job_id)
    assert await committed(thrifty) == cu(PRICE_CU)


@pytest.mark.parametrize(
    ("kind", "error"), [("submit_rate_limited", RateLimited), ("submit_no_credit", AccountRefused)]
)
async def test_a_refusal_of_sunra_gives_the_money_back(
    kind: str, error: type[Exception], studio_with: OpenStudio, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """Sunra's 403 that is a rate limit, and its 402, prove as much as Scenario's."""
    sandbox.fault(kind, provider="sunra")
    async with studio_with(budget=usd(1), sunra=AT_SUNRAS_PRICE) as studio:
        with pytest.raises(error):
            await Purchase(edit_of(), studio).ticket()
        assert ((await state_of(studio, edit_of())).state, await committed(studio)) == (ShotState.RELEASED, usd(0))
        await Purchase(edit_of(), studio).ticket()
        assert (len(sandbox.jobs()), await committed(studio)) == (1, usd(PRICE_USD))


async def test_what_does_not_fit_into_the_budget_is_never_sent(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """The reservation comes before everything else, and its refusal leaves no trace."""
    async with studio_with(budget=cu("0.3")) as studio:
        await Purchase(shot_of("one"), studio).ticket()
        with pytest.raises(BudgetExhausted, match=r"'cards/1': 0\.25 CU of 0\.3 CU"):
            await Purchase(shot_of("two"), studio).ticket()
        assert await studio.archive.ledger.get(shot_of("two").key) is None
    assert len(sandbox.jobs()) == 1


async def test_an_unknown_price_stops_before_the_ledger(
    studio_with: OpenStudio, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """With a budget, a price that nobody knows is refused, not taken for nothing."""
    async with studio_with(budget=usd(1), sunra={"price_per_image": None}) as studio:
        with pytest.raises(SetupError, match="price_per_image"):
            await Purchase(edit_of(), studio).ticket()
        assert await studio.archive.ledger.get(edit_of().key) is None
    assert sandbox.jobs() == []


# What may have been bought


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_scenario_is_searched_for_a_lost_answer(
    spoilt: str, thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """However the answer was lost, the job is found in the list and adopted: one submit, one job, one price."""
    sandbox.fault(f"submit_accepted_{spoilt}")
    purchase = Purchase(shot_of(), thrifty)
    ticket = await purchase.ticket()

    assert [job["job_id"] for job in sandbox.jobs()] == [ticket.job_id]
    entry = await state_of(thrifty, shot_of())
    assert (entry.state, entry.job_id, entry.attempt) == (ShotState.RUNNING, ticket.job_id, 1)
    assert (purchase.was_bought, await committed(thrifty)) == (True, cu(PRICE_CU))


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_sunra_holds_what_was_lost_until_somebody_decides(
    spoilt: str, studio_with: OpenStudio, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """There is no list: the money stays counted, a second run does not buy, `resubmit_lost` buys once; both count."""
    sandbox.fault(f"submit_accepted_{spoilt}")
    terms = {"budget": usd(1), "sunra": AT_SUNRAS_PRICE}
    for _ in range(2):
        async with studio_with(**terms) as studio:
            with pytest.raises(OutcomeUnknown, match="on_lost: resubmit"):
                await Purchase(edit_of(), studio).ticket()
            assert (await state_of(studio, edit_of())).state is ShotState.LOST
            assert (len(sandbox.jobs()), await committed(studio)) == (1, usd(PRICE_USD))
    async with studio_with(**terms, resubmit_lost=True) as studio:
        ticket = await Purchase(edit_of(), studio).ticket()
        again = await Purchase(edit_of(), studio).ticket()
        past = await studio.archive.ledger.past_attempts(edit_of().key)
        assert await committed(studio) == usd(2 * PRICE_USD)

    assert [job["job_id"] for job in sandbox.jobs()][1:] == [ticket.job_id] == [again.job_id]
    assert [(attempt.state, attempt.reserved) for attempt in past] == [(ShotState.LOST, usd(PRICE_USD))]


async def test_what_no_list_shows_is_lost(thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """A connection that broke before acceptance looks the same from here: it is held, not sent again."""
    sandbox.fault("submit_dropped")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await Purchase(shot_of(), thrifty).ticket()

    assert ((await state_of(thrifty, shot_of())).state, sandbox.jobs()) == (ShotState.LOST, [])
    assert await committed(thrifty) == cu(PRICE_CU)


async def test_the_list_is_read_again_before_anything_is_bought_again(
    thrifty: Studio, studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """A job that came late into the list is adopted even by a run that may buy lost shots again."""
    account, shot = thrifty.account("scenario"), shot_of()

    async def finds_nothing(*_: object) -> tuple[()]:
        return ()

    account.provider = Instead(account.provider, find_lost=finds_nothing)
    sandbox.fault("submit_accepted_reply_dropped")
    with pytest.raises(OutcomeUnknown):
        await Purchase(shot, thrifty).ticket()
    async with studio_with(budget=cu(10), resubmit_lost=True) as studio:
        ticket = await Purchase(shot, studio).ticket()

    assert [job["job_id"] for job in sandbox.jobs()] == [ticket.job_id]


@pytest.mark.parametrize("resubmit_lost", [False, True])
async def test_a_list_that_cannot_be_read_proves_nothing(
    resubmit_lost: bool, studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """The shot is not given up as lost, nor bought again: whoever can read the list later adopts its job."""
    sandbox.fault("submit_accepted_reply_dropped")
    reads = 0

    async def is_away(*_: object) -> None:
        nonlocal reads
        reads += 1
        raise ProviderUnavailable("away")

    async with studio_with(resubmit_lost=resubmit_lost) as studio:
        account = studio.account("scenario")
        account.provider = Instead(account.provider, find_lost=is_away)
        with pytest.raises(ProviderUnavailable):
            await Purchase(shot_of(), studio).ticket()
        assert ((await state_of(studio, shot_of())).state, reads) == (ShotState.SENDING, 3)
    async with studio_with(resubmit_lost=resubmit_lost) as studio:
        ticket = await Purchase(shot_of(), studio).ticket()
    assert [job["job_id"] for job in sandbox.jobs()] == [ticket.job_id]


async def test_two_shots_that_look_alike_are_not_confused(thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """A job that fits and belongs to another shot is not adopted: nobody's picture is filed under a second shot."""
    explicit, implicit = shot_of(steps=28), shot_of(steps=None)
    ticket = await Purchase(explicit, thrifty).ticket()
    sandbox.fault("submit_dropped")
    with pytest.raises(OutcomeUnknown):
        await Purchase(implicit, thrifty).ticket()

    assert (await state_of(thrifty, implicit)).state is ShotState.LOST
    assert (await state_of(thrifty, explicit)).job_id == ticket.job_id
    assert len(sandbox.jobs()) == 1


# More than one run


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


# What failed before


@pytest.mark.parametrize(("refund", "jobs"), [(True, 2), (False, 1)])
async def test_a_failed_job_is_bought_again_only_where_it_was_free(
    refund: bool, jobs: int, studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """A refunded failure may be tried by the next run; a paid refusal is told again, with its reason, and not paid."""
    sandbox.fault("job_fails", error="no such mug", refund=refund)
    async with studio_with(budget=cu(10)) as studio:
        purchase = Purchase(shot_of(), studio)
        with pytest.raises(JobFailed, match="no such mug"):
            await collect.fn(purchase, await purchase.ticket())
        assert await committed(studio) == cu(0 if refund else PRICE_CU)
        failed = await state_of(studio, shot_of())
    async with studio_with(budget=cu(10)) as studio:
        purchase = Purchase(shot_of(), studio)
        if refund:
            await collect.fn(purchase, await purchase.ticket())
        else:
            with pytest.raises(JobFailed, match=r"no such mug \(in an earlier run; it would fail again\)") as told:
                await purchase.ticket()
            assert (told.value.job_id, told.value.code) == (failed.job_id, failed.error_code)
        totals = await studio.archive.ledger.totals()

    assert len(sandbox.jobs()) == jobs
    assert totals.billed == (cu(sum(Decimal(str(job["charged"])) for job in sandbox.jobs())),)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("fault", "code"),
    [("file_wrong_type", "bad_picture"), ("poll_error", "job_unknown")],
)
async def test_what_cannot_be_had_is_closed(
    fault: str, code: str, studio: Studio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """A state without an exit would hold its money for ever, and every run would try the same in vain."""
    sandbox.fault(fault, times=None, http_status=404)
    purchase = Purchase(shot_of(), studio)
    ticket = await purchase.ticket()
    with pytest.raises(KleinbildError) as caught:
        await collect.fn(purchase, ticket)
    await purchase.give_up_if_hopeless(caught.value)

    entry = await state_of(studio, shot_of())
    assert (entry.state, entry.error_code, entry.retryable) == (ShotState.FAILED, code, False)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("is_edit", "state"), [(False, ShotState.RUNNING), (True, ShotState.FAILED)])
async def test_a_dead_link_is_the_end_only_where_no_fresh_one_can_be_had(
    is_edit: bool, state: ShotState, studio: Studio, shot_of: ShotOf, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """Scenario signs a picture's address anew for any later run; Sunra does not."""
    sandbox.fault("file_error", http_status=403, times=None)
    shot = edit_of() if is_edit else shot_of()
    purchase = Purchase(shot, studio)
    ticket = await purchase.ticket()
    with pytest.raises(LinkExpired) as caught:
        await collect.fn(purchase, ticket)
    await purchase.give_up_if_hopeless(caught.value)

    assert (await state_of(studio, shot)).state is state


async def test_a_run_that_had_to_stop_sends_nothing_more(thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Also a shot that waited for its turn is not sent any more; its money is given back."""
    thrifty.halt(NotStarted("enough"))
    with pytest.raises(NotStarted, match="enough"):
        await Purchase(shot_of(), thrifty).ticket()

    assert (sandbox.jobs(), await committed(thrifty)) == ([], cu(0))
    assert (await state_of(thrifty, shot_of())).state is ShotState.RELEASED
