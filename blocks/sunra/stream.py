"""Reads Sunra's stream of statuses, server-sent events, within a deadline."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TypeVar

import httpx
from httpx_sse import EventSource

from blocks.errors import JobTimedOut, ProviderUnavailable, UnexpectedAnswer
from blocks.http import clean_text
from blocks.sunra.failures import parse
from blocks.sunra.wire import StatusAnswer

STREAM_HEADERS = {"Accept": "text/event-stream", "Cache-Control": "no-store"}

Waited = TypeVar("Waited")


class Deadline:
    """Bounds each wait of a stream. No scope stays open across a `yield`, where a time-out would hit the wrong code.

    Args:
        job_id: The job that the stream is about.
        seconds: From now to the end of the stream.
    """

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        self._seconds = seconds
        self._ends_at = asyncio.get_running_loop().time() + seconds

    async def __call__(self, wait: Awaitable[Waited]) -> Waited:
        """Waits, no longer than is left.

        Raises:
            JobTimedOut: The deadline passed.
            ProviderUnavailable: The connection broke.
        """
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await wait
        except TimeoutError as error:
            raise JobTimedOut(
                f"Job {self.job_id} (Sunra) did not end within {self._seconds:g} s. It is still known: poll it.",
                provider="sunra",
                job_id=self.job_id,
            ) from error
        except httpx.RequestError as error:
            raise ProviderUnavailable(
                f"Sunra's stream for job {self.job_id} broke off: {type(error).__name__}.",
                provider="sunra",
                job_id=self.job_id,
            ) from error


async def read_statuses(response: httpx.Response, bounded: Deadline) -> AsyncGenerator[StatusAnswer, None]:
    """Yields each status of an open stream, up to and with the terminal one.

    Raises:
        JobTimedOut: The deadline passed.
        ProviderUnavailable: The stream ended before a terminal status, or broke off.
        UnexpectedAnswer: It is no event stream, or an event is no status.
    """
    _refuse_other_than_events(response, bounded.job_id)
    async with aclosing(EventSource(response).aiter_sse()) as events:
        while (event := await bounded(anext(events, None))) is not None:
            if not event.data:
                continue  # a sign of life
            status = parse(StatusAnswer, event.data.encode(), job_id=bounded.job_id)
            yield status
            if status.is_terminal:
                return
    raise ProviderUnavailable(
        f"Sunra's stream for job {bounded.job_id} ended before the job did.", provider="sunra", job_id=bounded.job_id
    )


def _refuse_other_than_events(response: httpx.Response, job_id: str) -> None:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "text/event-stream":
        raise UnexpectedAnswer(
            f"Sunra answered {clean_text(media_type) or 'something untyped'} where a stream was asked for.",
            provider="sunra",
            status_code=response.status_code,
            job_id=job_id,
        )
