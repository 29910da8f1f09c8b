import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from blocks.errors import JobTimedOut, ProviderUnavailable, UnexpectedAnswer
from blocks.sunra.wire import PredictionError, StatusAnswer
from tests.blocks.sunra.answers import API, Answering, collect


def events(*bodies: str, content_type: str = "text/event-stream; charset=utf-8") -> httpx.Response:
    return httpx.Response(200, text="".join(bodies), headers={"content-type": content_type})


def event(status: str, **fields: Any) -> str:
    return f"data: {json.dumps({'status': status, **fields})}\n\n"


class Body(httpx.AsyncByteStream):
    """A body that knows when its connection is closed."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """What httpx calls when the connection is given back."""
        await self._chunks.aclose()


class TestStream:
    """Statuses as they happen."""

    async def test_yields_each_status_up_to_the_terminal_one(self, answering: Answering) -> None:
        """Comments and empty events are signs of life; what follows the end is not read."""
        error = {"code": "c", "message": "m"}
        stream = events(
            event("IN_QUEUE", queue_position=1),
            ": ping\n\n",
            "event: ping\ndata:\n\n",
            event("COMPLETED", success=False, error=error),
            event("IN_QUEUE"),
        )
        async with answering(stream) as sunra:
            statuses = await collect(sunra.client.stream("pd_1", deadline_seconds=5))
        assert statuses == [
            StatusAnswer(status="IN_QUEUE", queue_position=1),
            StatusAnswer(status="COMPLETED", success=False, error=PredictionError(code="c", message="m")),
        ]
        assert sunra.sent == [("GET", f"{API}/requests/pd_1/status/stream")]
        assert sunra.requests[0].headers["accept"] == "text/event-stream"

    @pytest.mark.parametrize("bodies", [(), (event("IN_QUEUE"),), (event("IN_PROGRESS"), "data: {"), (": ping\n\n",)])
    async def test_an_early_end_is_an_error(self, answering: Answering, bodies: tuple[str, ...]) -> None:
        """sunra_client ends silently there, and its caller takes a running job for a finished one."""
        async with answering(events(*bodies)) as sunra:
            with pytest.raises(ProviderUnavailable, match="ended before the job did") as caught:
                await collect(sunra.client.stream("pd_1", deadline_seconds=5))
        assert caught.value.job_id == "pd_1"

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (httpx.Response(200, json={"status": "COMPLETED"}), "answered application/json where a stream"),
            (httpx.Response(200), "answered something untyped where a stream"),
            (events("data: {}\n\n"), "no StatusAnswer (status: Field required)"),
            (events("data: [\n\n"), "no StatusAnswer (Invalid JSON"),
        ],
    )
    async def test_what_is_no_stream_of_statuses_is_told(
        self, answering: Answering, answer: httpx.Response, message: str
    ) -> None:
        """Neither a JSON answer nor a broken event passes for the end."""
        async with answering(answer) as sunra:
            with pytest.raises(UnexpectedAnswer) as caught:
                await collect(sunra.client.stream("pd_1", deadline_seconds=5))
        assert message in str(caught.value)

    @pytest.mark.parametrize("sign_of_life", [None, ": ping\n\n", event("IN_PROGRESS")])
    async def test_a_stream_has_a_deadline(self, answering: Answering, sign_of_life: str | None) -> None:
        """Neither silence, nor pings, nor statuses keep it open beyond."""

        async def endless() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.002)
                if sign_of_life is not None:
                    yield sign_of_life.encode()

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=endless(), headers={"content-type": "text/event-stream"})

        async with answering(answer) as sunra:
            with pytest.raises(JobTimedOut, match="still known") as caught:
                await collect(sunra.client.stream("pd_1", deadline_seconds=0.05))
        assert (caught.value.job_id, caught.value.provider) == ("pd_1", "sunra")

    async def test_leaving_a_stream_early_closes_its_connection(self, answering: Answering) -> None:
        """Who has seen enough leaves nothing open."""
        closed: list[bool] = []

        async def endless() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    yield event("IN_PROGRESS").encode()
            finally:
                closed.append(True)

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Body(endless()), headers={"content-type": "text/event-stream"})

        async with answering(answer) as sunra:
            async with aclosing(sunra.client.stream("pd_1", deadline_seconds=5)) as statuses:
                assert await anext(statuses) == StatusAnswer(status="IN_PROGRESS")
                assert closed == []
            assert closed == [True]

    async def test_a_connection_that_breaks_is_an_error_for_now(self, answering: Answering) -> None:
        """The job goes on without us: poll."""

        async def broken() -> AsyncIterator[bytes]:
            yield event("IN_PROGRESS").encode()
            raise httpx.ReadError("reset")

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=broken(), headers={"content-type": "text/event-stream"})

        async with answering(answer) as sunra:
            with pytest.raises(ProviderUnavailable, match="broke off: ReadError"):
                await collect(sunra.client.stream("pd_1", deadline_seconds=5))
