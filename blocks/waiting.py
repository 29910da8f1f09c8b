"""Waits for a job: few polls, a small overshoot, and a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from blocks.errors import JobTimedOut, ProviderUnavailable, RateLimited
from blocks.provider import JobStatus, Provider

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0

LEARNING_RATE = 0.2
"""Weight of the newest job in what is typical."""


class Pace:
    """Decides when to poll next, from how long jobs took so far. One for each provider and run.

    It keeps a weighted mean of the durations and of how far they lie from it, as TCP does for its retransmissions. The
    first poll comes at mean minus deviation; from there on in steps of a third of the lateness. While nothing is
    known, steps are a fifth of the time waited.

    Args:
        min_interval_seconds: No two polls are closer.
        max_interval_seconds: No two polls are further apart; only the first poll may come later.
    """

    def __init__(self, *, min_interval_seconds: float = 0.2, max_interval_seconds: float = 2.5) -> None:
        self._min_seconds = min_interval_seconds
        self._max_seconds = max_interval_seconds
        self._typical_seconds: float | None = None
        self._deviation_seconds = 0.0

    def next_delay(self, waited_seconds: float) -> float:
        """Says how many seconds to let pass before the next poll of a job that has been waited for this long."""
        if self._typical_seconds is None:
            return self._bounded(waited_seconds / 5)
        first_poll_at = self._typical_seconds - self._deviation_seconds - self._min_seconds
        if waited_seconds < first_poll_at:
            return max(self._min_seconds, first_poll_at - waited_seconds)
        return self._bounded((waited_seconds - first_poll_at) / 3)

    def learn(self, duration_seconds: float) -> None:
        """Takes note of how long a job took."""
        if self._typical_seconds is None:
            self._typical_seconds = duration_seconds
            self._deviation_seconds = duration_seconds / 4
            return
        error_seconds = duration_seconds - self._typical_seconds
        self._typical_seconds += LEARNING_RATE * error_seconds
        self._deviation_seconds += LEARNING_RATE * (abs(error_seconds) - self._deviation_seconds)

    def _bounded(self, seconds: float) -> float:
        return min(self._max_seconds, max(self._min_seconds, seconds))


async def wait_until_final(
    provider: Provider,
    job_id: str,
    *,
    deadline_seconds: float,
    pace: Pace,
    age_seconds: float = 0.0,
    on_status: Callable[[JobStatus], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> JobStatus:
    """Polls a job until nothing about it will change any more.

    A poll that fails for now is repeated, ever later, until the deadline: the job is paid for. The last poll happens at
    the deadline, so it is passed by no more than one read.

    Args:
        provider: Where the job runs.
        job_id: The job.
        deadline_seconds: From now on.
        pace: Learns from each job that was watched from its start.
        age_seconds: How long ago the job was submitted, where that was not just now; it is then polled at once.
        on_status: Told each status as it comes.
        sleep: Lets time pass.
        clock: Seconds from any start, never going back.

    Returns:
        A final status: succeeded, failed or canceled.

    Raises:
        JobTimedOut: The deadline passed. The job is still known by its id.
        UnexpectedAnswer: The provider does not know the job, or answers in another shape.
        AccountRefused: The key is no longer accepted. The job is still known by its id.
    """
    started_at = clock()
    last_seen_seconds = 0.0
    failures = 0
    delay_seconds = 0.0 if age_seconds else pace.next_delay(0.0)
    while True:
        left_seconds = started_at + deadline_seconds - clock()
        await sleep(max(0.0, min(delay_seconds, left_seconds)))
        try:
            status = await provider.status(job_id)
        except (ProviderUnavailable, RateLimited) as error:
            failures += 1
            failure: Exception | None = error
            delay_seconds = _backoff(error, failures)
        else:
            failures, failure = 0, None
            waited_seconds = clock() - started_at
            if on_status is not None:
                on_status(status)
            if status.state.is_final:
                if not age_seconds:
                    # It ended somewhere between the last two polls.
                    pace.learn((last_seen_seconds + waited_seconds) / 2)
                return status
            last_seen_seconds = waited_seconds
            delay_seconds = pace.next_delay(age_seconds + waited_seconds)
        if clock() - started_at >= deadline_seconds:
            raise _timed_out(provider, job_id, deadline_seconds) from failure


def _backoff(error: ProviderUnavailable | RateLimited, failures: int) -> float:
    if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
        return max(FIRST_BACKOFF_SECONDS, error.retry_after_seconds)
    return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))


def _timed_out(provider: Provider, job_id: str, deadline_seconds: float) -> JobTimedOut:
    return JobTimedOut(
        f"Job {job_id} ({provider.name}) did not end within {deadline_seconds:g} s. "
        "It is still known: run again to collect it.",
        provider=provider.name,
        job_id=job_id,
    )
