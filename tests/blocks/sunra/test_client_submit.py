import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from blocks.errors import AccountRefused, ConnectFailed, OutcomeUnknown, ProviderError, RateLimited, RequestRejected
from blocks.sunra import client as client_module
from blocks.sunra.client import SunraClient
from blocks.sunra.wire import SubmitAnswer
from tests.blocks.sunra.answers import API, DENIED, ENDPOINT, INPUT, NO_CREDIT, RECEIPT, SPENT, Answering, html, refusal
from tests.blocks.sunra.conftest import KEY


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
