import pytest

from blocks.archive.ledger import ShotState
from blocks.errors import OutcomeUnknown, ProviderUnavailable
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.money import cu, usd
from tests.tasks.buying import AT_SUNRAS_PRICE, PRICE_CU, PRICE_USD, committed, state_of
from tests.tasks.conftest import Instead, OpenStudio, ShotOf

SPOILT = ["reply_dropped", "error", "malformed_json", "html", "empty"]
"""What can become of the answer to a submit that was accepted and paid; `error` is a gateway's 504 in HTML."""

pytestmark = pytest.mark.usefixtures("impatient")


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
