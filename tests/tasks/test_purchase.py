from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.ledger import ShotState
from blocks.errors import (
    AccountRefused,
    BudgetExhausted,
    ConnectFailed,
    JobFailed,
    KleinbildError,
    LinkExpired,
    NotStarted,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    SetupError,
)
from flows.accounts import sandbox_credentials
from tasks.generate import collect
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.money import cu, usd
from tests.ports import held_port
from tests.tasks.buying import AT_SUNRAS_PRICE, PRICE_CU, PRICE_USD, committed, state_of
from tests.tasks.conftest import OpenStudio, ShotOf

pytestmark = pytest.mark.usefixtures("impatient")


# What proves that nothing was bought


async def test_a_refused_connection_gives_the_money_back(thrifty: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Where no connection was made nothing was accepted: released, and the next attempt buys once."""
    shot, account = shot_of(), thrifty.account("scenario")
    there = account.provider
    await account.price(shot.request, ())
    absent = sandbox_credentials(f"http://127.0.0.1:{held_port()}")[0]
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
async def test_an_asset_that_is_not_found_closes_nothing(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Its job succeeded and was paid for: a later run collects it."""
    sandbox.fault("asset_missing", times=None)
    purchase = Purchase(shot_of(), studio)
    ticket = await purchase.ticket()
    with pytest.raises(ProviderUnavailable) as caught:
        await collect.fn(purchase, ticket)
    await purchase.give_up_if_hopeless(caught.value)
    assert (await state_of(studio, shot_of())).state is ShotState.RUNNING

    sandbox.clear_faults()
    later = Purchase(shot_of(), studio)
    await collect.fn(later, await later.ticket())
    assert (await state_of(studio, shot_of())).state is ShotState.DONE
    assert len(sandbox.jobs()) == 1


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
