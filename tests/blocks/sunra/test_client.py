import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import (
    AccountRefused,
    ConnectFailed,
    InvalidRequest,
    JobFailed,
    JobTimedOut,
    KleinbildError,
    LinkExpired,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.http import READ_RETRIES
from blocks.provider import DownloadedPicture
from blocks.sunra import client as client_module
from blocks.sunra.client import SunraClient
from blocks.sunra.wire import (
    ImagesOutput,
    ImageToImageInput,
    PredictionError,
    StatusAnswer,
    SubmitAnswer,
    SunraFile,
)

KEY = "sk-very-secret-key"
ENDPOINT = "black-forest-labs/flux-2-klein-4b/image-to-image"
INPUT = ImageToImageInput(prompt="a teapot", image_urls=("https://assets.example/1.png",), seed=7)
RECEIPT = {"request_id": "pd_1", "status_url": "https://evil.example/status", "response_url": "x", "cancel_url": "y"}
API = "https://api.sunra.ai/v1/queue"

Answering = Callable[..., Any]


def refusal(status: int, code: str | None = None, message: str = "No.", **error: Any) -> httpx.Response:
    headers = {"x-request-id": "req_9", **error.pop("headers", {})}
    fields = {"message": message, "type": "invalid_request_error", **error} | ({"code": code} if code else {})
    return httpx.Response(status, json={"error": fields, "timestamp": "t"}, headers=headers)


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html="<html><body>Bad gateway</body></html>")


NO_CREDIT: dict[str, Any] = {
    "type": "business_logic_error",
    "details": {"required": 5, "available": 2, "operation": "freeze_credit"},
}
DENIED: dict[str, Any] = {"type": "authorization_error", "details": {"model": "m"}}
SPENT: dict[str, Any] = {"headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}}


class TestSubmit:
    """Submitting buys."""

    async def test_sends_one_request_in_the_vendors_words(self, answering: Answering) -> None:
        """Method, path, query, key and body are those of the model page."""
        async with answering(httpx.Response(200, json=RECEIPT)) as sunra:
            assert await sunra.client.submit(ENDPOINT, INPUT) == SubmitAnswer(request_id="pd_1")
        assert sunra.sent == [("POST", f"{API}/{ENDPOINT}?logs=1")]
        (request,) = sunra.requests
        assert request.headers["authorization"] == f"Key {KEY}"
        assert json.loads(request.content) == {
            "prompt": "a teapot",
            "image_urls": ["https://assets.example/1.png"],
            "seed": 7,
        }

    async def test_the_word_before_the_key_can_be_chosen(self, answering: Answering) -> None:
        """The page says `Key`, sunra_client says `Bearer`."""
        async with answering(httpx.Response(200, json=RECEIPT), auth_scheme="Bearer") as sunra:
            await sunra.client.submit(ENDPOINT, INPUT)
        assert sunra.requests[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("status", [200, 201, 202])
    async def test_any_success_with_an_id_is_a_receipt(self, answering: Answering, status: int) -> None:
        """Which 2xx Sunra sends is not documented."""
        async with answering(httpx.Response(status, json=RECEIPT)) as sunra:
            assert (await sunra.client.submit(ENDPOINT, INPUT)).request_id == "pd_1"

    @pytest.mark.parametrize(
        ("answer", "error", "code"),
        [
            # The account: every further shot would be refused too.
            (refusal(402, "INSUFFICIENT_CREDIT", **NO_CREDIT), AccountRefused, "INSUFFICIENT_CREDIT"),
            (refusal(400, "INSUFFICIENT_CREDIT", **NO_CREDIT), AccountRefused, "INSUFFICIENT_CREDIT"),
            (refusal(403, "INSUFFICIENT_CREDIT", **NO_CREDIT), AccountRefused, "INSUFFICIENT_CREDIT"),
            (refusal(402), AccountRefused, None),
            (refusal(401), AccountRefused, None),
            (refusal(401, "UNAUTHORIZED"), AccountRefused, "UNAUTHORIZED"),
            (html(401), AccountRefused, None),
            (refusal(403, "MODEL_ACCESS_DENIED", **DENIED), AccountRefused, "MODEL_ACCESS_DENIED"),
            (refusal(403, "MODEL_ACCESS_DENIED", **DENIED, **SPENT), AccountRefused, "MODEL_ACCESS_DENIED"),
            (refusal(403, "KEY_REVOKED", type="authorization_error"), AccountRefused, "KEY_REVOKED"),
            # The rate limit: later.
            (refusal(429), RateLimited, None),
            (refusal(403), RateLimited, None),
            (refusal(403, "FORBIDDEN"), RateLimited, "FORBIDDEN"),
            (refusal(403, "X", type="authorization_error", **SPENT), RateLimited, "X"),
            (httpx.Response(403), RateLimited, None),
            (html(403), RateLimited, None),
            (html(429), RateLimited, None),
            (httpx.Response(403, json={"detail": "Forbidden"}), RateLimited, None),
            # The request: the same would be refused again.
            (refusal(400, "BAD_REQUEST"), RequestRejected, "BAD_REQUEST"),
            (refusal(404, "MODEL_NOT_FOUND"), RequestRejected, "MODEL_NOT_FOUND"),
            (refusal(422), RequestRejected, None),
            (refusal(413), RequestRejected, None),
            (html(400), RequestRejected, None),
            (httpx.Response(422, json={"detail": [{"msg": "bad"}]}), RequestRejected, None),
            # Nobody knows: it may be bought.
            (httpx.Response(408), OutcomeUnknown, None),
            (httpx.Response(499), OutcomeUnknown, None),
            (refusal(500, "INTERNAL"), OutcomeUnknown, "INTERNAL"),
            (html(502), OutcomeUnknown, None),
            (httpx.Response(504), OutcomeUnknown, None),
            (httpx.Response(522, text="timed out"), OutcomeUnknown, None),
            (httpx.Response(302, headers={"location": "https://login.example"}), OutcomeUnknown, None),
            (html(200), OutcomeUnknown, None),
            (httpx.Response(200, text='{"request_id": "pd_'), OutcomeUnknown, None),
            (httpx.Response(200), OutcomeUnknown, None),
            (httpx.Response(204), OutcomeUnknown, None),
            (httpx.Response(200, json={}), OutcomeUnknown, None),
            (httpx.Response(200, json={"request_id": ""}), OutcomeUnknown, None),
            (httpx.Response(200, json=["pd_1"]), OutcomeUnknown, None),
            (httpx.ReadTimeout("late"), OutcomeUnknown, None),
            (httpx.RemoteProtocolError("closed"), OutcomeUnknown, None),
            # No connection: nothing left this machine.
            (httpx.ConnectError("refused"), ConnectFailed, None),
        ],
    )
    async def test_each_answer_proves_what_it_proves(
        self, answering: Answering, answer: httpx.Response, error: type[ProviderError], code: str | None
    ) -> None:
        """Money is released only where nothing was accepted for sure; and whatever comes, one request was sent."""
        async with answering(answer) as sunra:
            with pytest.raises(ProviderError) as caught:
                await sunra.client.submit(ENDPOINT, INPUT)
        assert type(caught.value) is error
        assert (caught.value.provider, caught.value.code, caught.value.job_id) == ("sunra", code, None)
        if isinstance(answer, httpx.Response):
            assert caught.value.status_code == answer.status_code
            assert caught.value.request_id == answer.headers.get("x-request-id")
        assert len(sunra.requests) == 1

    @pytest.mark.parametrize(
        ("answer", "advice"),
        [
            (refusal(402, "INSUFFICIENT_CREDIT", "Need 5"), "(HTTP 402): Need 5. Add credit to the Sunra account."),
            (refusal(401, None, "Bad key!"), "(HTTP 401): Bad key! Check api_key and auth_scheme of the Sunra Cre"),
            (refusal(403, "MODEL_ACCESS_DENIED"), "Ask Sunra for access to this model"),
        ],
    )
    async def test_a_refused_account_is_told_what_to_do(
        self, answering: Answering, answer: httpx.Response, advice: str
    ) -> None:
        """The campaign ends with this one sentence."""
        async with answering(answer) as sunra:
            with pytest.raises(AccountRefused) as caught:
                await sunra.client.submit(ENDPOINT, INPUT)
        assert advice in str(caught.value)

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "7"}, 7),
            ({"retry-after": "2.5", "x-ratelimit-reset": "9"}, 2.5),
            ({"x-ratelimit-reset": "9"}, 9),
            ({"retry-after": "soon", "x-ratelimit-reset": "9"}, 9),
            ({"x-ratelimit-reset": "1795170759"}, None),
            ({"x-ratelimit-reset": "1795170759259"}, None),
            ({"x-ratelimit-reset": "0"}, None),
            ({"x-ratelimit-reset": "-3"}, None),
            ({"x-ratelimit-reset": "nan"}, None),
            ({"retry-after": "86400"}, None),
            ({"retry-after": format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)}, None),
        ],
    )
    async def test_a_wait_is_believed_where_it_is_plausible(
        self, answering: Answering, headers: dict[str, str], seconds: float | None
    ) -> None:
        """The unit of `x-ratelimit-reset` is not documented: a large number is a date, and not a wait."""
        async with answering(refusal(429, headers=headers)) as sunra:
            with pytest.raises(RateLimited) as caught:
                await sunra.client.submit(ENDPOINT, INPUT)
        assert caught.value.retry_after_seconds == seconds

    async def test_a_wait_may_be_a_date(self, answering: Answering) -> None:
        """HTTP allows both forms of Retry-After."""
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
        async with answering(refusal(429, headers={"retry-after": date})) as sunra:
            with pytest.raises(RateLimited) as caught:
                await sunra.client.submit(ENDPOINT, INPUT)
        assert caught.value.retry_after_seconds is not None
        assert 0 < caught.value.retry_after_seconds <= 100

    async def test_what_the_vendor_says_is_shown_without_keys(self, answering: Answering) -> None:
        """Neither our key nor a signed URL nor a control character gets into a message."""
        said = f"Key {KEY} may not read https://a.example/1.png?Signature=S3CRET\n2026 ERROR forged \x1b[31m"
        async with answering(refusal(400, "X", said)) as sunra:
            with pytest.raises(RequestRejected) as caught:
                await sunra.client.submit(ENDPOINT, INPUT)
        assert str(caught.value) == (
            "Sunra refused the request (HTTP 400): "
            "Key (the key) may not read https://a.example/1.png 2026 ERROR forged  [31m."
        )

    async def test_submits_keep_the_limits_of_the_docs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In no minute more than 100, in no second more than 10 (docs.sunra.ai, queue)."""
        times = await submit_times(220, monkeypatch, submits_per_minute=100)
        for window_seconds, limit in ((60, 100), (1, 10)):
            most = max(sum(start <= time < start + window_seconds - 1e-6 for time in times) for start in times)
            assert most <= limit
        assert times[-1] < 3 * 60  # and not much slower than allowed

    async def test_fewer_submits_per_minute_can_be_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An account shared with others sets its share."""
        times = await submit_times(5, monkeypatch, submits_per_minute=2)
        assert [round(time) for time in times] == [0, 30, 60, 90, 120]


async def submit_times(count: int, monkeypatch: pytest.MonkeyPatch, *, submits_per_minute: int) -> list[float]:
    """Runs submits in a loop whose clock moves only from timer to timer; returns when each was sent."""
    loop = asyncio.get_running_loop()
    real_call_at = loop.call_at
    started_at = now = loop.time()
    times: list[float] = []

    def call_at(when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        nonlocal now
        now = max(now, when) + 1e-6  # a clock always moves on, if only a little
        return real_call_at(now, *args, **options)

    def answer(_: httpx.Request) -> httpx.Response:
        times.append(now - started_at)
        return httpx.Response(200, json=RECEIPT)

    transport = httpx.MockTransport(answer)
    async with SunraClient(KEY, submits_per_minute=submits_per_minute, transport=transport) as client:
        with monkeypatch.context() as patched:
            patched.setattr(loop, "time", lambda: now)
            patched.setattr(loop, "call_at", call_at)
            patched.setattr(client_module, "send_once", lambda _, send, **__: send())
            for _ in range(count):
                await client.wait_for_turn()
                await client.submit(ENDPOINT, INPUT)
    return times


READS: dict[str, Callable[[SunraClient], Any]] = {
    "status": lambda client: client.status("pd_1"),
    "result": lambda client: client.result("pd_1"),
    "cancel": lambda client: client.cancel("pd_1"),
    "upload": lambda client: client.upload(b"png", "image/png", "a.png"),
    "stream": lambda client: collect(client.stream("pd_1", deadline_seconds=5)),
}


async def collect(statuses: AsyncIterator[StatusAnswer]) -> list[StatusAnswer]:
    return [status async for status in statuses]


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


class TestUpload:
    """Giving Sunra a reference."""

    places = httpx.Response(
        200, json={"upload_url": "https://put.example/x?Signature=S3CRET", "file_url": "https://assets.example/x.png"}
    )

    async def test_bytes_go_to_the_given_url_without_the_key(self, answering: Answering) -> None:
        """Initiate with the key, PUT without; the URL for `image_urls` comes back."""
        async with answering(self.places, httpx.Response(200)) as sunra:
            assert await sunra.client.upload(b"png", "image/png", "a.png") == "https://assets.example/x.png"
        initiate, put = sunra.requests
        assert sunra.sent == [
            ("POST", "https://api.sunra.ai/v1/storage/upload/initiate"),
            ("PUT", "https://put.example/x?Signature=S3CRET"),
        ]
        assert json.loads(initiate.content) == {"content_type": "image/png", "file_name": "a.png"}
        assert (put.content, put.headers["content-type"]) == (b"png", "image/png")
        assert KEY not in str(put.headers.raw)

    @pytest.mark.parametrize(
        ("file_name", "media_type", "sent"),
        [
            ("cup.jpeg", "image/png", "cup.jpeg"),
            ("cup", "image/png", "cup.png"),
            ("cup.", "image/jpeg", "cup.jpeg"),
            (".png", "image/png", "png.png"),
            ("", "image/webp", "upload.webp"),
            ("cup", "", "cup.bin"),
            ("cup", "image/svg+xml", "cup.svgxml"),
            ("../../etc/pass wd.png", "image/png", "pass_wd.png"),
            ('a"b\r\nc.png', "image/png", "a_b_c.png"),
            ("tasse à café.png", "image/png", "tasse_caf_.png"),
        ],
    )
    async def test_a_file_name_is_plain_and_has_an_extension(
        self, answering: Answering, file_name: str, media_type: str, sent: str
    ) -> None:
        """Sunra refuses a name without one ("Invalid filename"); the rest of a stranger's name is made harmless."""
        async with answering(self.places, httpx.Response(200)) as sunra:
            await sunra.client.upload(b"png", media_type, file_name)
        assert json.loads(sunra.requests[0].content)["file_name"] == sent

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "//x/y", "javascript:1", "http://h:99999/"])
    @pytest.mark.parametrize("name", ["upload_url", "file_url"])
    async def test_only_web_addresses_are_used(self, answering: Answering, name: str, url: str) -> None:
        """An answer cannot name a place that is no web address."""
        body = {"upload_url": "https://put.example/", "file_url": "https://a.example/", name: url}
        async with answering(httpx.Response(200, json=body)) as sunra:
            with pytest.raises(UnexpectedAnswer, match="no web address"):
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert len(sunra.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(403),
            httpx.Response(500),
            httpx.Response(303, headers={"location": "https://a.example/"}),
            httpx.WriteError("reset"),
        ],
    )
    async def test_an_upload_that_is_not_taken_is_repeated_as_a_whole(
        self, answering: Answering, answer: httpx.Response | Exception
    ) -> None:
        """The URL is good for one time; a redirect is no success, because its GET would prove nothing."""
        async with answering(self.places, answer) as sunra:
            with pytest.raises(ProviderUnavailable) as caught:
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert len(sunra.requests) == 2
        assert "S3CRET" not in str(caught.value)

    async def test_more_than_sunra_takes_is_not_sent(
        self, answering: Answering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At most 100 MB (Sunra's docs)."""
        assert client_module.MAX_UPLOAD_SIZE_BYTES == 100 * 1024 * 1024
        monkeypatch.setattr(client_module, "MAX_UPLOAD_SIZE_BYTES", 2)
        async with answering(self.places) as sunra:
            with pytest.raises(InvalidRequest, match="An upload may have 2 bytes"):
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert sunra.requests == []


class TestDownload:
    """Collecting what was paid for."""

    async def test_the_limit_of_the_block_is_kept(self, answering: Answering) -> None:
        """The generic download is used, with this client's limit."""
        png = httpx.Response(200, content=b"12345", headers={"content-type": "image/png"})
        async with answering(png, max_picture_size_bytes=5) as sunra:
            picture = await sunra.client.download("https://assets.example/a.png")
        assert picture == DownloadedPicture(data=b"12345", media_type="image/png")

    async def test_a_link_that_is_gone_is_told(self, answering: Answering) -> None:
        """How long Sunra keeps results is not documented."""
        async with answering(httpx.Response(404)) as sunra:
            with pytest.raises(LinkExpired):
                await sunra.client.download("https://assets.example/a.png?sig=x")


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
