"""What a run that is gone left behind, and jobs that two shots could be thought to own."""

import pickle

import pytest

from blocks.archive.ledger import Ledger, LedgerEntry, Reservation, ShotState
from blocks.errors import IllegalTransition, JobTaken


def reservation(key: str, run_id: str = "run-1", provider: str = "scenario") -> Reservation:
    return Reservation(
        shot_key=key,
        provider=provider,
        sandbox=True,
        request_json="{}",
        campaign="teapots",
        edition="e",
        run_id=run_id,
    )


async def bring_to(ledger: Ledger, state: ShotState, key: str = "shot", attempt: int = 1) -> LedgerEntry:
    """Brings a reserved shot to a state."""
    if state is ShotState.RELEASED:
        return await ledger.release(key, attempt, None, "no")
    if state is not ShotState.RESERVED:
        await ledger.mark_sending(key, attempt)
    if state is ShotState.LOST:
        return await ledger.mark_lost(key, attempt, "no answer")
    if state in {ShotState.RUNNING, ShotState.DONE, ShotState.FAILED}:
        await ledger.mark_running(key, attempt, f"job-{key}")
    if state is ShotState.DONE:
        return await ledger.mark_done(key, attempt, ["a" * 64])
    if state is ShotState.FAILED:
        return await ledger.mark_failed(key, attempt, None, "no")
    entry = await ledger.get(key)
    assert entry is not None
    return entry


async def test_an_abandoned_reservation_is_taken_over(ledger: Ledger) -> None:
    """A worker that died before it sent anything does not hold a shot for ever; if it lives, it sends nothing."""
    await ledger.reserve(reservation("shot"))
    claim = await ledger.reserve(reservation("shot", "run-2"), take_over_from="run-1")
    assert (claim.won, claim.entry.attempt, claim.entry.run_id) == (True, 2, "run-2")
    (past,) = await ledger.past_attempts("shot")
    assert (past.state, past.run_id, past.error_message) == (
        ShotState.RELEASED,
        "run-1",
        "taken over before it was sent",
    )
    with pytest.raises(IllegalTransition):
        await ledger.mark_sending("shot", 1)


async def test_a_reservation_is_taken_from_that_very_run_alone(ledger: Ledger) -> None:
    """Who finds that a run is gone takes nothing from the one that has taken the shot over since."""
    await ledger.reserve(reservation("shot"))
    assert not (await ledger.reserve(reservation("shot", "run-2"))).won
    assert not (await ledger.reserve(reservation("shot", "run-2"), take_over_from="run-3")).won
    assert (await ledger.reserve(reservation("shot", "run-2"), take_over_from="run-1")).won
    claim = await ledger.reserve(reservation("shot", "run-3"), take_over_from="run-1")
    assert (claim.won, claim.entry.run_id, claim.entry.attempt) == (False, "run-2", 2)


@pytest.mark.parametrize("state", [state for state in ShotState if state not in {ShotState.RESERVED}])
async def test_what_was_sent_is_never_reserved_again_because_its_owner_is_gone(
    ledger: Ledger, state: ShotState
) -> None:
    """It may be a paid job: whoever finds it has to find out first. Only what was released is free."""
    await ledger.reserve(reservation("shot"))
    standing = await bring_to(ledger, state)
    claim = await ledger.reserve(reservation("shot", "run-2"), take_over_from="run-1")
    assert claim.won is (state is ShotState.RELEASED)
    if not claim.won:
        assert claim.entry == standing


@pytest.mark.parametrize("state", list(ShotState))
async def test_charge_is_taken_of_what_was_sent_and_is_open(ledger: Ledger, state: ShotState) -> None:
    """Of a shot in `sending`, `running` or `lost` another run becomes the owner, once; all else stays as it was."""
    await ledger.reserve(reservation("shot"))
    before = await bring_to(ledger, state)
    assert not await ledger.take_charge("shot", 1, "run-2", from_run_id="other")
    assert not await ledger.take_charge("shot", 2, "run-2", from_run_id="run-1")
    assert not await ledger.take_charge("unknown", 1, "run-2", from_run_id="run-1")
    assert await ledger.get("shot") == before
    takes = state in {ShotState.SENDING, ShotState.RUNNING, ShotState.LOST}
    assert await ledger.take_charge("shot", 1, "run-2", from_run_id="run-1") is takes
    assert not await ledger.take_charge("shot", 1, "run-3", from_run_id="run-1")
    after = await ledger.get("shot")
    assert after is not None
    owner = "run-2" if takes else "run-1"
    assert after == before.model_copy(update={"run_id": owner, "updated_at": after.updated_at})


async def test_a_lost_shot_that_somebody_looks_for_is_not_bought_again(ledger: Ledger) -> None:
    """Of one that takes charge and one that resubmits, the later one sees what the earlier one did."""
    await ledger.reserve(reservation("shot"))
    await bring_to(ledger, ShotState.LOST)
    assert (await ledger.reserve(reservation("shot", "run-2"), resubmit_lost=True)).won
    assert not await ledger.take_charge("shot", 1, "run-3", from_run_id="run-1")


@pytest.mark.parametrize("state", [ShotState.RUNNING, ShotState.DONE, ShotState.FAILED])
async def test_a_job_belongs_to_one_shot(ledger: Ledger, state: ShotState) -> None:
    """A job that looks like ours, and is another shot's, is refused; nothing changes, and the right one is adopted."""
    await ledger.reserve(reservation("first"))
    await bring_to(ledger, state, "first")
    await ledger.reserve(reservation("shot"))
    before = await bring_to(ledger, ShotState.SENDING)
    with pytest.raises(JobTaken, match=r"Job 'job-first' belongs to another shot.*not recorded for shot shot") as error:
        await ledger.adopt("shot", 1, "job-first")
    assert (error.value.shot_key, error.value.job_id) == ("shot", "job-first")
    assert await ledger.get("shot") == before
    adopted = await ledger.adopt("shot", 1, "job-2")
    assert (adopted.state, adopted.job_id) == (ShotState.RUNNING, "job-2")


async def test_providers_may_use_the_same_ids(ledger: Ledger) -> None:
    """An id means something only at its provider."""
    await ledger.reserve(reservation("first", provider="sunra"))
    await bring_to(ledger, ShotState.SENDING, "first")
    await ledger.mark_running("first", 1, "job-1")
    await ledger.reserve(reservation("shot"))
    await bring_to(ledger, ShotState.SENDING)
    assert (await ledger.mark_running("shot", 1, "job-1")).job_id == "job-1"


async def test_attempts_do_not_share_a_job(ledger: Ledger) -> None:
    """The failed job of an earlier attempt is still in the provider's list: neither shot nor neighbour adopts it."""
    await ledger.reserve(reservation("shot"))
    await bring_to(ledger, ShotState.FAILED)
    await ledger.reserve(reservation("shot"), retry_failed=True)
    await ledger.mark_sending("shot", 2)
    await ledger.reserve(reservation("neighbour"))
    await ledger.mark_sending("neighbour", 1)
    for key, attempt in (("shot", 2), ("neighbour", 1)):
        with pytest.raises(JobTaken, match="'job-shot' belongs to another shot or attempt"):
            await ledger.adopt(key, attempt, "job-shot")
        entry = await ledger.get(key)
        assert entry is not None
        assert (entry.state, entry.job_id) == (ShotState.SENDING, None)


async def test_past_attempts_have_their_own_jobs(ledger: Ledger) -> None:
    """Attempts that gave way keep their numbers and jobs, however many there are."""
    for attempt in (1, 2, 3):
        assert (await ledger.reserve(reservation("shot"), retry_failed=True)).won
        await ledger.mark_sending("shot", attempt)
        await ledger.mark_running("shot", attempt, f"job-{attempt}")
        await ledger.mark_failed("shot", attempt, None, "no")
    past = await ledger.past_attempts("shot")
    assert [(entry.attempt, entry.job_id) for entry in past] == [(1, "job-1"), (2, "job-2")]


async def test_the_error_travels_between_processes() -> None:
    """Its facts survive pickling."""
    error = pickle.loads(pickle.dumps(JobTaken("taken", shot_key="1", job_id="2")))
    assert (str(error), error.shot_key, error.job_id) == ("taken", "1", "2")
