import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import AccountRefused, JobTimedOut, ProviderUnavailable, RateLimited, UnexpectedAnswer
from blocks.provider import JobState, JobStatus, Provider
from blocks.waiting import MAX_BACKOFF_SECONDS, Pace, wait_until_final

durations = st.floats(min_value=0, max_value=3600)


class World:
    """A clock that only sleeping moves, and one job that ends at a set time."""

    name = "sunra"

    def __init__(self, *, ends_at: float, read_seconds: float = 0.0) -> None:
        self.now = 1000.0
        self.started_at = self.now
        self.ends_at = ends_at
        self.read_seconds = read_seconds
        self.errors: Iterator[Exception | None] = itertools.repeat(None)
        self.end = JobState.SUCCEEDED
        self.polls: list[float] = []
        self.seen: list[JobState] = []

    async def sleep(self, seconds: float) -> None:
        """Lets time pass at once."""
        assert seconds >= 0
        self.now += seconds

    def clock(self) -> float:
        """Shows the time of this world."""
        return self.now

    async def status(self, job_id: str) -> JobStatus:
        """Plays `Provider.status`."""
        self.now += self.read_seconds
        waited = self.now - self.started_at
        self.polls.append(round(waited, 6))
        if (error := next(self.errors)) is not None:
            raise error
        state = self.end if waited >= self.ends_at else JobState.RUNNING
        return JobStatus(job_id=job_id, state=state, provider_status=state.value)

    async def wait(self, pace: Pace, *, deadline_seconds: float = 1000, **options: Any) -> JobStatus:
        """Submits the job anew and waits for it."""
        self.started_at = self.now
        self.polls = []
        return await wait_until_final(
            cast("Provider", self),
            "pd_1",
            deadline_seconds=deadline_seconds,
            pace=pace,
            on_status=lambda status: self.seen.append(status.state),
            sleep=self.sleep,
            clock=self.clock,
            **options,
        )


@pytest.mark.parametrize("end", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED])
async def test_the_wait_ends_with_any_final_state(end: JobState) -> None:
    """A failed job is an answer, not an error of waiting; each status is told as it comes."""
    world = World(ends_at=0.7)
    world.end = end
    assert (await world.wait(Pace())).state is end
    assert world.polls == [0.2, 0.4, 0.6, 0.8]
    assert world.seen == [JobState.RUNNING] * 3 + [end]


async def test_nothing_known_means_steps_of_a_fifth_of_the_time_waited() -> None:
    """Before any job has ended, the overshoot stays below a fifth, or the widest step."""
    world = World(ends_at=60)
    await world.wait(Pace())
    steps = [later - earlier for earlier, later in itertools.pairwise([0.0, *world.polls])]
    expected = [min(2.5, max(0.2, earlier / 5)) for earlier in [0.0, *world.polls[:-1]]]
    assert steps == pytest.approx(expected, abs=1e-5)


async def test_a_known_duration_saves_polls() -> None:
    """Jobs of twenty seconds: soon a handful of polls each, none of them much too late."""
    world, pace = World(ends_at=20), Pace()
    counts, overshoots = [], []
    for _ in range(30):
        await world.wait(pace)
        counts.append(len(world.polls))
        overshoots.append(world.polls[-1] - 20)
    assert counts[0] > 15
    assert max(counts[10:]) <= 8
    assert max(counts[20:]) <= 4
    assert max(overshoots[10:]) <= 0.5


async def test_jobs_that_become_faster_are_noticed() -> None:
    """Who only looks when a job was expected would never learn that it ended long before."""
    world, pace = World(ends_at=60), Pace()
    for _ in range(20):
        await world.wait(pace)
    world.ends_at = 2
    last = [(await world.wait(pace), world.polls[-1])[1] for _ in range(15)]
    assert last[0] > 50
    assert last[-1] < 6


async def test_the_deadline_ends_the_wait_with_the_job_still_known() -> None:
    """The last poll happens at the deadline; then the error names the job."""
    world = World(ends_at=1000)
    with pytest.raises(JobTimedOut) as caught:
        await world.wait(Pace(), deadline_seconds=10)
    assert world.polls[-1] == 10
    assert max(world.polls) == 10
    assert str(caught.value) == (
        "Job pd_1 (sunra) did not end within 10 s. It is still known: run again to collect it."
    )
    assert (caught.value.job_id, caught.value.provider) == ("pd_1", "sunra")


async def test_a_job_that_ends_just_in_time_is_collected() -> None:
    """The poll at the deadline counts."""
    assert (await World(ends_at=10).wait(Pace(), deadline_seconds=10)).state is JobState.SUCCEEDED


async def test_even_without_time_there_is_one_look() -> None:
    """A run that only collects asks once."""
    world = World(ends_at=0)
    assert (await world.wait(Pace(), deadline_seconds=0)).state is JobState.SUCCEEDED
    assert world.polls == [0]


async def test_failures_for_now_are_waited_out_ever_longer() -> None:
    """The job is paid for: a provider that is away for a while costs patience, not the picture."""
    world = World(ends_at=0)
    world.errors = iter([ProviderUnavailable("502")] * 7 + [None])
    assert (await world.wait(Pace())).state is JobState.SUCCEEDED
    steps = [later - earlier for earlier, later in itertools.pairwise(world.polls)]
    assert steps == pytest.approx([1, 2, 4, 8, 16, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS])


async def test_a_success_ends_the_backing_off() -> None:
    """Each bad spell begins anew."""
    world = World(ends_at=100)
    away = ProviderUnavailable("502")
    world.errors = itertools.chain([away, away, None, away], itertools.repeat(None))
    await world.wait(Pace())
    assert world.polls[:5] == pytest.approx([0.2, 1.2, 3.2, 3.84, 4.84])


@pytest.mark.parametrize(("asked", "waited"), [(7.5, 7.5), (0.0, 1.0), (None, 1.0)])
async def test_the_provider_may_say_how_long_to_wait(asked: float | None, waited: float) -> None:
    """`retry_after_seconds` is honoured, but never as a busy loop."""
    world = World(ends_at=0)
    world.errors = iter([RateLimited("403", retry_after_seconds=asked), None])
    await world.wait(Pace())
    assert world.polls == pytest.approx([0.2, 0.2 + waited])


async def test_a_wait_that_is_asked_for_does_not_pass_the_deadline() -> None:
    """However long the provider asks for, at the deadline there is one last look; its failure is the cause told."""
    world, failure = World(ends_at=0), RateLimited("403", retry_after_seconds=300)
    world.errors = itertools.repeat(failure)
    with pytest.raises(JobTimedOut) as caught:
        await world.wait(Pace(), deadline_seconds=10)
    assert world.polls == pytest.approx([0.2, 10])
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("error", [UnexpectedAnswer("404"), AccountRefused("401")])
async def test_other_errors_are_not_waited_out(error: Exception) -> None:
    """A job that is unknown or a key that is refused does not mend with time."""
    world = World(ends_at=0)
    world.errors = iter([error])
    with pytest.raises(type(error)):
        await world.wait(Pace())
    assert len(world.polls) == 1


async def test_a_job_taken_over_is_polled_at_once_and_teaches_nothing() -> None:
    """How long it took is not known to who came later."""
    world, pace = World(ends_at=0), Pace()
    await world.wait(pace, age_seconds=500)
    assert world.polls == [0]
    assert pace.next_delay(5) == Pace().next_delay(5)


@given(learned=st.lists(durations, max_size=20), waited=durations)
def test_delays_keep_their_bounds(learned: list[float], waited: float) -> None:
    """Never closer than the minimum; further apart than the maximum only up to a first poll that is expected."""
    pace = taught(learned)
    delay = pace.next_delay(waited)
    assert delay >= 0.2
    assert delay <= max(2.5, max(learned, default=0.0) - waited)


@given(learned=st.lists(durations, max_size=20), late=st.lists(durations, min_size=2, max_size=10))
def test_the_later_a_job_the_rarer_the_polls(learned: list[float], late: list[float]) -> None:
    """From when a job is due, delays only grow."""
    pace = taught(learned)
    due = max(learned, default=0.0)
    delays = [pace.next_delay(due + lateness) for lateness in sorted(late)]
    assert delays == sorted(delays)


@given(learned=st.lists(durations, max_size=20), ends_at=st.floats(0, 600), read_seconds=st.floats(0, 5))
async def test_every_wait_ends(learned: list[float], ends_at: float, read_seconds: float) -> None:
    """Whatever was learned before: found, or timed out, and no later than one read after the deadline."""
    world = World(ends_at=ends_at, read_seconds=read_seconds)
    try:
        status = await world.wait(taught(learned), deadline_seconds=300)
    except JobTimedOut:
        assert ends_at > 300
    else:
        assert status.state is JobState.SUCCEEDED
    assert world.polls[-1] <= 300 + read_seconds + 1e-6


def taught(learned: list[float]) -> Pace:
    pace = Pace()
    for duration in learned:
        pace.learn(duration)
    return pace
