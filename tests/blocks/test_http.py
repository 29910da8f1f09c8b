import gzip
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import (
    BadPicture,
    ConnectFailed,
    KleinbildError,
    LinkExpired,
    OutcomeUnknown,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from blocks.http import (
    READ_RETRIES,
    build_client,
    build_downloader,
    clean_text,
    download_picture,
    is_web_address,
    read,
    redact_url,
    send_once,
)
from blocks.provider import DownloadedPicture

URL = "https://assets.example/a/b.png?Signature=SECRET"
SHOWN = "https://assets.example/a/b.png"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

Handler = Callable[[httpx.Request], httpx.Response]


class Recorder:
    """Answers from a list, the last one for ever, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Plays the handler of an `httpx.MockTransport`."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between retries pass at once; the test sees how long they would have been."""
    pauses: list[float] = []

    async def asleep(self: Any, response: Any) -> None:
        headers = response.headers if isinstance(response, httpx.Response) else {}
        pauses.append(self._calculate_sleep(headers))

    monkeypatch.setattr("httpx_retries.Retry.asleep", asleep)
    return pauses


def client_for(recorder: Recorder) -> httpx.AsyncClient:
    return build_client(
        "https://api.example/v1",
        headers={"Authorization": "Key K"},
        timeout_seconds=5,
        max_connections=2,
        transport=httpx.MockTransport(recorder),
    )


def downloader_for(recorder: Recorder) -> httpx.AsyncClient:
    return build_downloader(timeout_seconds=5, max_connections=2, transport=httpx.MockTransport(recorder))


async def fetch(recorder: Recorder, url: str = URL, *, max_size_bytes: int = 1000, deadline_seconds: float = 5) -> Any:
    async with downloader_for(recorder) as client:
        return await download_picture(
            client, "sunra", url, max_size_bytes=max_size_bytes, deadline_seconds=deadline_seconds
        )


class TestSendOnce:
    """A submit goes out once."""

    @pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
    async def test_no_connection_proves_that_nothing_was_bought(self, error: httpx.TransportError) -> None:
        """Without a connection no byte left this machine."""
        recorder = Recorder(error)
        async with client_for(recorder) as client:
            with pytest.raises(ConnectFailed, match="Nothing was bought") as caught:
                await send_once("sunra", lambda: client.post("/queue"), deadline_seconds=5)
        assert caught.value.provider == "sunra"
        assert len(recorder.requests) == 1

    @pytest.mark.parametrize(
        "error",
        [
            httpx.ReadTimeout("late"),
            httpx.WriteTimeout("late"),
            httpx.ReadError("reset"),
            httpx.WriteError("reset"),
            httpx.RemoteProtocolError("closed"),
            httpx.DecodingError("broken gzip"),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_a_lost_answer_may_be_a_paid_job_and_is_never_asked_again(self, error: httpx.RequestError) -> None:
        """Once bytes may have gone out, nobody can know: one request, OutcomeUnknown."""
        recorder = Recorder(error)
        async with client_for(recorder) as client:
            with pytest.raises(OutcomeUnknown, match="not asked again"):
                await send_once("sunra", lambda: client.post("/queue"), deadline_seconds=5)
        assert len(recorder.requests) == 1

    async def test_an_answer_whose_compression_is_broken_is_a_lost_answer(self) -> None:
        """The answer's bytes are the provider's; that they cannot be read does not undo the purchase."""
        recorder = Recorder(lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=stream(b"no")))
        async with client_for(recorder) as client:
            with pytest.raises(OutcomeUnknown):
                await send_once("sunra", lambda: client.post("/queue"), deadline_seconds=5)

    async def test_the_deadline_covers_the_whole_exchange(self) -> None:
        """A socket that gives a byte now and then cannot hold a submit for ever."""

        async def send() -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError("unreachable")

        with pytest.raises(OutcomeUnknown, match="TimeoutError"):
            await send_once("sunra", send, deadline_seconds=0.01)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_a_post_is_sent_once_whatever_the_answer(self, status: int) -> None:
        """The transport repeats reads only; the answer to a submit goes to the caller."""
        recorder = Recorder(httpx.Response(status, headers={"Retry-After": "0"}))
        async with client_for(recorder) as client:
            response = await send_once("sunra", lambda: client.post("/queue"), deadline_seconds=5)
        assert response.status_code == status
        assert len(recorder.requests) == 1


class TestRead:
    """What costs nothing may be repeated."""

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_a_get_is_repeated_until_it_is_answered(self, status: int) -> None:
        """Reads cost nothing: a passing failure is repeated."""
        recorder = Recorder(httpx.Response(status), httpx.Response(status), httpx.Response(200, json={}))
        async with client_for(recorder) as client:
            response = await read("sunra", lambda: client.get("/status"))
        assert response.status_code == 200
        assert [(request.method, request.url.path) for request in recorder.requests] == [("GET", "/v1/status")] * 3

    async def test_a_get_is_repeated_after_a_broken_connection(self) -> None:
        """Likewise where there was no answer at all."""
        recorder = Recorder(httpx.ReadError("reset"), httpx.Response(200))
        async with client_for(recorder) as client:
            assert (await read("sunra", lambda: client.get("/status"))).status_code == 200
        assert len(recorder.requests) == 2

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_other_methods_are_not_repeated(self, method: str) -> None:
        """Only GET and HEAD are safe."""
        recorder = Recorder(httpx.Response(503))
        async with client_for(recorder) as client:
            with pytest.raises(ProviderUnavailable):
                await read("sunra", lambda: client.request(method, "/x"))
        assert len(recorder.requests) == 1

    async def test_retry_after_is_honoured_up_to_a_bound(self, no_pauses: list[float]) -> None:
        """The server says how long to wait, but cannot make us wait for a day."""
        far = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
        recorder = Recorder(
            httpx.Response(503, headers={"Retry-After": "7"}),
            httpx.Response(503, headers={"Retry-After": "86400"}),
            httpx.Response(503, headers={"Retry-After": far}),
            httpx.Response(200),
        )
        async with client_for(recorder) as client:
            await read("sunra", lambda: client.get("/status"))
        assert no_pauses == [7, 60, 60]

    async def test_after_the_last_repetition_the_failure_is_typed(self) -> None:
        """A provider that stays away is unavailable: status and path are told, the query is not."""
        recorder = Recorder(httpx.Response(502))
        async with client_for(recorder) as client:
            with pytest.raises(ProviderUnavailable) as caught:
                await read("scenario", lambda: client.get("/jobs", params={"token": "SECRET"}))
        assert str(caught.value) == "scenario answered HTTP 502 to https://api.example/v1/jobs."
        assert caught.value.status_code == 502
        assert len(recorder.requests) == READ_RETRIES + 1

    async def test_a_provider_that_cannot_be_reached_is_unavailable(self) -> None:
        """A read that fails says nothing about money: it may be repeated later."""
        async with client_for(Recorder(httpx.ConnectError("name not\nresolved"))) as client:
            with pytest.raises(ProviderUnavailable, match="could not be reached: name not resolved"):
                await read("sunra", lambda: client.get("/status"))

    async def test_a_read_has_a_deadline(self) -> None:
        """Repetitions and slow sockets together end, too."""

        async def send() -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError("unreachable")

        with pytest.raises(ProviderUnavailable, match="no complete answer within"):
            await read("sunra", send, deadline_seconds=0.01)

    async def test_a_redirect_is_not_followed(self) -> None:
        """A redirect would carry the key along to a host of the answer's choice."""
        recorder = Recorder(httpx.Response(307, headers={"Location": "https://evil.example/"}))
        async with client_for(recorder) as client:
            response = await read("sunra", lambda: client.get("/status"))
        assert response.status_code == 307
        assert [request.url.host for request in recorder.requests] == ["api.example"]


class TestDownload:
    """Bytes from a URL that an answer named."""

    async def test_gives_the_bytes_as_they_came(self) -> None:
        """The bytes are untouched, the media type is the server's, and no credentials are sent."""
        recorder = Recorder(httpx.Response(200, content=PNG, headers={"Content-Type": "Image/PNG; charset=x"}))
        assert await fetch(recorder) == DownloadedPicture(data=PNG, media_type="image/png")
        assert str(recorder.requests[0].url) == URL
        assert "authorization" not in recorder.requests[0].headers

    @pytest.mark.parametrize(
        ("answer", "error", "message"),
        [
            (httpx.Response(403), LinkExpired, f"{SHOWN} no longer works (HTTP 403)."),
            (httpx.Response(404), LinkExpired, f"{SHOWN} no longer works (HTTP 404)."),
            (httpx.Response(410), LinkExpired, f"{SHOWN} no longer works (HTTP 410)."),
            (httpx.Response(503), ProviderUnavailable, f"{SHOWN} answered HTTP 503."),
            (httpx.Response(418), ProviderUnavailable, f"{SHOWN} answered HTTP 418."),
            (httpx.Response(200, content=bytes(1001)), BadPicture, f"{SHOWN} is larger than 1000 bytes."),
            (httpx.Response(200, html="<p>"), ProviderUnavailable, f"{SHOWN} is text/html, not a picture."),
            (httpx.Response(200, text="no"), ProviderUnavailable, f"{SHOWN} is text/plain, not a picture."),
            (httpx.Response(200, json={}), ProviderUnavailable, f"{SHOWN} is application/json, not a picture."),
            (httpx.ReadError("reset"), ProviderUnavailable, f"{SHOWN} broke off: ReadError."),
            (httpx.ConnectError("no"), ProviderUnavailable, f"{SHOWN} broke off: ConnectError."),
            (
                httpx.Response(302, headers={"Location": URL}),
                UnexpectedAnswer,
                f"{SHOWN} redirects more than 3 times.",
            ),
        ],
    )
    async def test_each_way_to_fail_is_typed_and_shows_no_signature(
        self, answer: httpx.Response | Exception, error: type[KleinbildError], message: str
    ) -> None:
        """What went wrong decides what comes next: a fresh link, a repetition, or quarantine."""
        with pytest.raises(error) as caught:
            await fetch(Recorder(answer))
        assert type(caught.value) is error
        assert str(caught.value) == message
        assert vars(caught.value)["provider"] == "sunra"

    async def test_a_limit_of_size_is_inclusive(self) -> None:
        """A picture of exactly the limit is taken."""
        picture = await fetch(Recorder(httpx.Response(200, content=bytes(1000))))
        assert len(picture.data) == 1000

    async def test_the_limit_stops_the_transfer_and_not_only_the_result(self) -> None:
        """Of an endless picture not more is read than the limit and one piece."""
        pieces: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            while True:
                pieces.append(1)
                yield bytes(600)

        with pytest.raises(BadPicture):
            await fetch(Recorder(lambda _: httpx.Response(200, content=endless())))
        assert len(pieces) == 2

    async def test_the_limit_counts_what_comes_out_of_a_compressed_transfer(self) -> None:
        """A small transfer that unpacks to something huge is refused."""
        bomb = gzip.compress(bytes(100_000))
        assert len(bomb) < 1000
        with pytest.raises(BadPicture, match="larger than 1000"):
            await fetch(Recorder(lambda _: httpx.Response(200, content=bomb, headers={"Content-Encoding": "gzip"})))

    async def test_a_transfer_shorter_than_declared_is_no_picture(self) -> None:
        """Half a picture never counts as the picture that was bought."""
        headers = {"Content-Length": "200", "Content-Type": "image/png"}
        with pytest.raises(ProviderUnavailable, match=r"has 108 bytes where 200 were declared"):
            await fetch(Recorder(lambda _: httpx.Response(200, content=stream(PNG), headers=headers)))

    async def test_a_broken_compression_is_repeated(self) -> None:
        """It is a transfer that broke, not another picture."""
        headers = {"Content-Encoding": "gzip"}
        with pytest.raises(ProviderUnavailable, match="broke off: DecodingError"):
            await fetch(Recorder(lambda _: httpx.Response(200, content=stream(PNG), headers=headers)))

    async def test_a_transfer_that_trickles_ends_at_the_deadline(self) -> None:
        """Each byte resets the socket's time-out; the deadline it does not."""

        async def trickle() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await anyio.sleep(0.005)

        with pytest.raises(ProviderUnavailable, match=r"was not complete after 0\.02 s"):
            await fetch(Recorder(lambda _: httpx.Response(200, content=trickle())), deadline_seconds=0.02)

    async def test_a_redirect_is_followed(self) -> None:
        """A CDN may redirect; there are no credentials that could go along."""
        recorder = Recorder(
            httpx.Response(302, headers={"Location": "https://cdn.example/c.png"}), httpx.Response(200, content=PNG)
        )
        assert (await fetch(recorder)).data == PNG
        assert [request.url.host for request in recorder.requests] == ["assets.example", "cdn.example"]

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://a/b", "data:image/png;base64,AA", "", "http://[", "/x", "http://h:99999/"]
    )
    async def test_only_web_addresses_are_fetched(self, url: str) -> None:
        """An answer cannot make us read a file or speak another protocol."""
        recorder = Recorder(httpx.Response(200, content=PNG))
        with pytest.raises(UnexpectedAnswer, match="no web address"):
            await fetch(recorder, url)
        assert recorder.requests == []


class TestText:
    """What may be shown."""

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            (URL, SHOWN),
            ("https://user:pw@host.example:8443/a#frag", "https://host.example/a"),
            ("http://host.example/a\n2026 ERROR forged", "http://host.example/a2026 ERROR forged"),
            ("http://[", "(a malformed URL)"),
        ],
    )
    def test_a_url_is_shown_without_what_opens_it(self, url: str, shown: str) -> None:
        """Query, fragment and userinfo are keys; a line break would forge a log line."""
        assert redact_url(url) == shown

    @given(st.text())
    def test_any_text_can_be_shown_as_a_url(self, text: str) -> None:
        """An answer names URLs of any shape; showing or judging one never fails."""
        shown = redact_url(text)
        assert shown == clean_text(shown)
        assert "?" not in redact_url(f"https://host.example/a?{text}")
        assert isinstance(is_web_address(text), bool)

    @given(st.text(), st.integers(min_value=1, max_value=600))
    def test_clean_text_is_one_bounded_line(self, text: str, limit: int) -> None:
        """No control character, no line separator, never longer than the limit."""
        cleaned = clean_text(text, limit=limit)
        assert len(cleaned) <= limit
        assert len(cleaned.splitlines()) <= 1
        assert "\x1b" not in cleaned

    @pytest.mark.parametrize(
        ("text", "cleaned"),
        [
            ("a\r\nb\x1b[31mc\u2028d", "a b [31mc d"),
            ("  spaced  ", "spaced"),
            (f"could not fetch {URL}, sorry", f"could not fetch {SHOWN} sorry"),
            (f'see "{URL}" and HTTP://X.example/?a=1#b', f'see "{SHOWN}" and HTTP://X.example/'),
            ("is 2 > 1? yes", "is 2 > 1? yes"),
        ],
    )
    def test_clean_text_keeps_what_may_be_shown(self, text: str, cleaned: str) -> None:
        """Words stay; control characters and the queries of URLs go."""
        assert clean_text(text) == cleaned

    async def test_the_log_of_httpx_shows_no_signature(self, caplog: pytest.LogCaptureFixture) -> None:
        """Httpx logs each URL in full at INFO, httpx-retries at DEBUG; ours pass without their query."""
        with caplog.at_level(logging.DEBUG):
            await fetch(Recorder(httpx.Response(503), httpx.Response(200, content=PNG)))
        assert f"HTTP Request: GET {SHOWN}" in caplog.text
        assert "SECRET" not in caplog.text


async def stream(data: bytes) -> AsyncIterator[bytes]:
    yield data
