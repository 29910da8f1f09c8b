import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import (
    AccountRefused,
    JobFailed,
    KleinbildError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from blocks.http import READ_RETRIES
from blocks.sunra.client import SunraClient
from blocks.sunra.wire import ImagesOutput, StatusAnswer, SunraFile
from tests.blocks.sunra.answers import API, DENIED, ENDPOINT, INPUT, READS, RECEIPT, SPENT, Answering, html, refusal
from tests.blocks.sunra.conftest import KEY


class TestReads:
    """What costs nothing, and never buys again."""

    @pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (refusal(401), AccountRefused),
            (refusal(402), AccountRefused),
            (refusal(403, "MODEL_ACCESS_DENIED", **DENIED), AccountRefused),
            (refusal(403), RateLimited),
            (refusal(403, "X", type="authorization_error", **SPENT), RateLimited),
            (html(403), RateLimited),
            (refusal(429), RateLimited),
            (refusal(404, "NOT_FOUND"), UnexpectedAnswer),
            (refusal(400), UnexpectedAnswer),
            (httpx.Response(302, headers={"location": "https://login.example"}), UnexpectedAnswer),
            (httpx.Response(408), ProviderUnavailable),
            (refusal(500), ProviderUnavailable),
            (html(502), ProviderUnavailable),
            (httpx.Response(522), ProviderUnavailable),
            (httpx.ReadTimeout("late"), ProviderUnavailable),
            (httpx.ConnectError("refused"), ProviderUnavailable),
            (httpx.DecodingError("broken gzip"), ProviderUnavailable),
        ],
    )
    async def test_each_answer_is_sorted(
        self,
        answering: Answering,
        answer: httpx.Response | Exception,
        error: type[ProviderError],
        call: Callable[[SunraClient], Any],
    ) -> None:
        """Repeat, wait, mend the account, or give up: the type says which."""
        async with answering(answer) as sunra:
            with pytest.raises(ProviderError) as caught:
                await call(sunra.client)
        assert type(caught.value) is error
        assert caught.value.provider == "sunra"
        assert {request.headers["authorization"] for request in sunra.requests} == {f"Key {KEY}"}

    @pytest.mark.parametrize("name", ["status", "result", "upload", "stream"])
    @pytest.mark.parametrize(
        "answer",
        [html(200), httpx.Response(200), httpx.Response(200, text="{"), httpx.Response(200, json=[]), "{}"],
        ids=["html", "empty", "cut", "list", "other"],
    )
    async def test_an_answer_of_another_shape_is_told(self, answering: Answering, name: str, answer: Any) -> None:
        """2xx alone is no answer."""
        response = httpx.Response(200, json={}) if answer == "{}" else answer
        async with answering(response) as sunra:
            with pytest.raises(UnexpectedAnswer):
                await READS[name](sunra.client)

    @pytest.mark.parametrize("name", ["status", "result"])
    async def test_reads_are_repeated(self, answering: Answering, name: str) -> None:
        """A gateway that hiccups does not lose a paid job."""
        async with answering(html(502), html(503), httpx.Response(200, json={"status": "X", "images": []})) as sunra:
            await READS[name](sunra.client)
        assert [method for method, _ in sunra.sent] == ["GET"] * 3

    @pytest.mark.parametrize(("name", "count"), [("status", READ_RETRIES + 1), ("cancel", 1), ("upload", 1)])
    async def test_only_gets_are_repeated(self, answering: Answering, name: str, count: int) -> None:
        """Cancel (PUT) and initiate (POST) are asked once; the caller may ask again."""
        async with answering(html(503)) as sunra:
            with pytest.raises(ProviderUnavailable):
                await READS[name](sunra.client)
        assert len(sunra.requests) == count

    @pytest.mark.parametrize("status", [200, 202])
    async def test_status(self, answering: Answering, status: int) -> None:
        """Sunra may answer 202 while a job is pending."""
        body = {"status": "IN_QUEUE", "metrics": {}, "queue_position": 3, "response_url": "https://evil.example"}
        async with answering(httpx.Response(status, json=body)) as sunra:
            assert await sunra.client.status("pd_1") == StatusAnswer(status="IN_QUEUE", queue_position=3)
            await sunra.client.status("pd_1", logs=False)
        assert sunra.sent == [
            ("GET", f"{API}/requests/pd_1/status?logs=1"),
            ("GET", f"{API}/requests/pd_1/status"),
        ]

    async def test_an_id_cannot_leave_its_place_in_the_path(self, answering: Answering) -> None:
        """The id is a stranger's text: it is encoded as one segment."""
        async with answering(httpx.Response(200, json={"status": "X"})) as sunra:
            await sunra.client.status("../../a?b=c#d/é")
        assert sunra.sent == [("GET", f"{API}/requests/..%2F..%2Fa%3Fb%3Dc%23d%2F%C3%A9/status?logs=1")]

    async def test_no_url_of_an_answer_is_given_the_key(self, answering: Answering) -> None:
        """The whole life of a job talks to the API's host only, whatever host its answers name."""
        output = {"images": [{"url": "https://evil.example/1.png"}]}
        async with answering(
            httpx.Response(200, json=RECEIPT), httpx.Response(200, json={"status": "COMPLETED", **output})
        ) as sunra:
            request_id = (await sunra.client.submit(ENDPOINT, INPUT)).request_id
            await sunra.client.status(request_id)
            await sunra.client.result(request_id)
            await sunra.client.cancel(request_id)
            assert {request.url.host for request in sunra.requests} == {"api.sunra.ai"}
            with pytest.raises(ProviderUnavailable):
                await sunra.client.download("https://evil.example/1.png")
        assert sunra.requests[-1].url.host == "evil.example"
        assert KEY not in str(sunra.requests[-1].headers.raw)

    async def test_result(self, answering: Answering) -> None:
        """The output of the model page."""
        file = {"content_type": "image/png", "file_name": "a.png", "file_size": 7, "url": "https://a.example/a.png"}
        async with answering(httpx.Response(200, json={"images": [file]})) as sunra:
            assert await sunra.client.result("pd_1") == ImagesOutput(images=(SunraFile.model_validate(file),))
        assert sunra.sent == [("GET", f"{API}/requests/pd_1")]

    @pytest.mark.parametrize(
        ("details", "message", "code", "retryable"),
        [
            (
                {"code": "unsafe_content", "message": "a\nb", "reason": "moderation_blocked", "retryable": False},
                "Sunra could not make the picture (unsafe_content, moderation_blocked): a b",
                "unsafe_content",
                False,
            ),
            (
                {"code": "service_provider_error", "message": "Predict failed.", "retryable": True},
                "Sunra could not make the picture (service_provider_error): Predict failed.",
                "service_provider_error",
                True,
            ),
            (None, "Sunra could not make the picture (unknown_error_code): outer", "unknown_error_code", None),
            ("text", "Sunra could not make the picture (unknown_error_code): text", "unknown_error_code", None),
        ],
    )
    @pytest.mark.parametrize("status", [400, 403, 422, 500])
    async def test_a_failed_prediction(
        self, answering: Answering, status: int, details: Any, message: str, code: str, retryable: bool | None
    ) -> None:
        """Whatever the HTTP status, `PREDICTION_FAILED` is about the job: not about the account, and not for now."""
        async with answering(refusal(status, "PREDICTION_FAILED", "outer", details=details)) as sunra:
            with pytest.raises(JobFailed) as caught:
                await sunra.client.result("pd_1")
        assert str(caught.value) == message
        assert vars(caught.value) == {
            "provider": "sunra",
            "status_code": status,
            "code": code,
            "request_id": "req_9",
            "job_id": "pd_1",
            "retryable": retryable,
        }

    @pytest.mark.parametrize(
        "answer", [httpx.Response(200), httpx.Response(202, json={"status": "CANCELLATION_REQUESTED"}), html(200)]
    )
    async def test_cancel(self, answering: Answering, answer: httpx.Response) -> None:
        """A PUT without a body; what comes back is not specified, so nothing is read from it."""
        async with answering(answer) as sunra:
            await sunra.client.cancel("pd_1")
        assert sunra.sent == [("PUT", f"{API}/requests/pd_1/cancel")]
        assert sunra.requests[0].content == b""


statuses = st.sampled_from([200, 202, 204, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503])
bodies = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: f"<html>{text}</html>".encode()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "error", "code", "message", "details", "images", "url", "request_id", "logs"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
)
media_types = st.sampled_from(["application/json", "text/html", "text/event-stream", "image/png", ""])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=statuses, body=bodies, media_type=media_types, name=st.sampled_from([*READS, "submit", "download"]))
async def test_whatever_comes_nothing_escapes_the_tree(
    answering: Answering, status: int, body: bytes, media_type: str, name: str
) -> None:
    """Any bytes under any status become an answer or an error of ours; a submit is sent once."""
    calls: dict[str, Callable[[SunraClient], Any]] = {
        **READS,
        "submit": lambda client: client.submit(ENDPOINT, INPUT),
        "download": lambda client: client.download("https://assets.example/a.png"),
    }

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": media_type})

    async with answering(answer, submits_per_minute=1_000_000) as sunra:
        try:
            await calls[name](sunra.client)
        except KleinbildError as error:
            assert str(error)  # noqa: PT017 - the point is that no other type comes
        if name == "submit":
            assert len(sunra.requests) == 1


def test_the_key_is_not_shown() -> None:
    """A client ends up in tracebacks and debug output."""
    assert KEY not in repr(SunraClient(KEY))
