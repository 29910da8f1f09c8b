"""The whole way of a picture over real HTTP, and the bad days of a provider."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from blocks.errors import (
    AccountRefused,
    BadPicture,
    ConnectFailed,
    JobFailed,
    JobTimedOut,
    LinkExpired,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from blocks.provider import JobFailure, JobState, JobStatus, PictureRequest, RemotePicture, Ticket
from blocks.sunra.client import SunraClient
from blocks.sunra.credentials import SunraCredentials
from blocks.sunra.provider import SunraProvider
from blocks.sunra.wire import StatusAnswer
from blocks.waiting import Pace, wait_until_final
from deployments.sandbox.settings import SUNRA_KEY

REFERENCE = "a" * 64


def credentials(url: str, **fields: Any) -> SunraCredentials:
    known = {"api_key": SUNRA_KEY, "base_url": url, "sandbox": True, "submits_per_minute": 6000}
    return SunraCredentials.model_validate(known | fields)


@pytest.fixture
async def provider(sandbox: Any) -> AsyncIterator[SunraProvider]:
    """An open provider on a fresh sandbox."""
    async with credentials(sandbox.url).get_provider() as opened:
        yield opened


@pytest.fixture
async def client(sandbox: Any) -> AsyncIterator[SunraClient]:
    """An open client on the same sandbox."""
    async with credentials(sandbox.url).get_client() as opened:
        yield opened


@pytest.fixture
async def handle(provider: SunraProvider) -> str:
    """A reference that Sunra has."""
    png = io.BytesIO()
    Image.new("RGB", (96, 64), "teal").save(png, "PNG")
    return await provider.upload(png.getvalue(), "image/png", "teal")


def request(**changes: Any) -> PictureRequest:
    fields = {"model": SunraProvider.capabilities.model, "prompt": "a teapot", "seed": 7, "references": (REFERENCE,)}
    return PictureRequest.model_validate(fields | changes)


async def finished(provider: SunraProvider, ticket: Ticket) -> JobStatus:
    return await wait_until_final(provider, ticket.job_id, deadline_seconds=60, pace=Pace(min_interval_seconds=0.02))


async def collected(provider: SunraProvider, handle: str) -> tuple[RemotePicture, ...]:
    return await provider.pictures(await finished(provider, await provider.submit(request(), [handle])))


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
async def test_the_way_of_one_picture(provider: SunraProvider, handle: str, sandbox: Any, output_format: str) -> None:
    """Upload, submit, poll, result, bytes; one job is bought, with what was asked for."""
    wanted = request(output_format=output_format, aspect_ratio="1:1", steps=8)
    provider.check(wanted)
    ticket = await provider.submit(wanted, [handle])
    status = await finished(provider, ticket)
    assert (status.state, status.failure) == (JobState.SUCCEEDED, None)
    assert status.logs
    (picture,) = await provider.pictures(status)
    downloaded = await provider.download(picture)
    assert (len(downloaded.data), downloaded.media_type) == (picture.size_bytes, f"image/{output_format}")
    with Image.open(io.BytesIO(downloaded.data)) as image:
        assert (image.format, image.width) == (output_format.upper(), image.height)
    (job,) = sandbox.jobs("sunra")
    assert job["job_id"] == ticket.job_id
    assert job["request"] == {
        "prompt": "a teapot",
        "image_urls": [handle],
        "seed": 7,
        "aspect_ratio": "1:1",
        "num_inference_steps": 8,
        "output_format": output_format,
    }


async def test_a_stream_tells_the_same_as_polling(provider: SunraProvider, client: SunraClient, handle: str) -> None:
    """Server-sent events end with the terminal status that a poll shows."""
    ticket = await provider.submit(request(), [handle])
    statuses = [status async for status in client.stream(ticket.job_id, deadline_seconds=30)]
    assert statuses[-1] == await client.status(ticket.job_id)
    assert [status.is_terminal for status in statuses] == [False] * (len(statuses) - 1) + [True]


async def test_both_forms_of_the_key_open_the_door(sandbox: Any, handle: str) -> None:
    """`Key` and `Bearer`."""
    async with credentials(sandbox.url, auth_scheme="Bearer").get_provider() as provider:
        assert (await collected(provider, handle))[0].media_type == "image/png"


async def test_a_job_can_be_cancelled(provider: SunraProvider, handle: str, sandbox: Any) -> None:
    """A wish that is heard; what the job then is, only polling tells."""
    sandbox.fault("job_slow", seconds=30)
    ticket = await provider.submit(request(), [handle])
    assert await provider.cancel(ticket.job_id) == "requested"
    assert (await finished(provider, ticket)).state in {JobState.CANCELED, JobState.FAILED}


@pytest.mark.parametrize(
    ("kind", "fields", "error", "bought"),
    [
        ("submit_no_credit", {}, AccountRefused, 0),
        ("submit_unauthorized", {}, AccountRefused, 0),
        ("submit_forbidden", {}, AccountRefused, 0),
        ("submit_forbidden", {"envelope": "legacy"}, AccountRefused, 0),
        ("submit_rate_limited", {}, RateLimited, 0),
        ("submit_rate_limited", {"envelope": "legacy"}, RateLimited, 0),
        ("submit_error", {"http_status": 503}, OutcomeUnknown, 0),
        ("submit_dropped", {}, OutcomeUnknown, 0),
        ("submit_accepted_reply_dropped", {}, OutcomeUnknown, 1),
        ("submit_accepted_error", {}, OutcomeUnknown, 1),
        ("submit_accepted_malformed_json", {}, OutcomeUnknown, 1),
        ("submit_accepted_html", {}, OutcomeUnknown, 1),
        ("submit_accepted_empty", {}, OutcomeUnknown, 1),
    ],
)
async def test_a_submit_on_a_bad_day(
    provider: SunraProvider,
    handle: str,
    sandbox: Any,
    kind: str,
    fields: dict[str, Any],
    error: type[ProviderError],
    bought: int,
) -> None:
    """Where the error proves that nothing was bought, nothing was; where it cannot, never more than one job."""
    sandbox.fault(kind, provider="sunra", **fields)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(request(), [handle])
    assert type(caught.value) is error
    assert len(sandbox.jobs("sunra")) == bought
    assert sandbox.struck() == [1]


async def test_the_rate_limit_says_how_long_to_wait(provider: SunraProvider, handle: str, sandbox: Any) -> None:
    """A Retry-After comes before the rate limit's own header."""
    sandbox.fault("submit_rate_limited", provider="sunra", headers={"Retry-After": "3"})
    with pytest.raises(RateLimited) as caught:
        await provider.submit(request(), [handle])
    assert caught.value.retry_after_seconds == 3


async def test_a_slow_answer_is_a_lost_answer(sandbox: Any, handle: str) -> None:
    """The time-out of the block ends the wait for a submit's answer; the job may be running."""
    sandbox.fault("submit_accepted_slow", provider="sunra", seconds=2)
    async with credentials(sandbox.url, timeout_seconds=0.2).get_provider() as provider:
        with pytest.raises(OutcomeUnknown):
            await provider.submit(request(), [handle])
    assert len(sandbox.jobs("sunra")) == 1


async def test_an_answer_that_names_another_host_gets_no_key(
    provider: SunraProvider, handle: str, sandbox: Any
) -> None:
    """URLs are built from the id: the job is collected from the API's own host."""
    sandbox.fault("submit_accepted_foreign_urls", provider="sunra")
    assert len(await collected(provider, handle)) == 1
    assert sandbox.struck() == [1]


async def test_nobody_listens(handle: str) -> None:
    """A refused connection proves that nothing was bought."""
    async with credentials("http://127.0.0.1:9/v1").get_provider() as provider:
        with pytest.raises(ConnectFailed):
            await provider.submit(request(), [handle])


V2 = {"code": "unsafe_content", "message": "blocked", "reason": "moderation_blocked", "retryable": False}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (V2, JobFailure(**V2)),
        (
            {"code": "service_provider_error", "message": "Predict failed. Please try again."},
            JobFailure(code="service_provider_error", message="Predict failed. Please try again."),
        ),
        (
            {"code": "brand_new", "message": "m", "reason": "unheard_of"},
            JobFailure(code="brand_new", message="m", reason="unheard_of"),
        ),
    ],
)
async def test_a_job_that_fails_says_why_in_both_places(
    provider: SunraProvider, handle: str, sandbox: Any, error: dict[str, Any], failure: JobFailure
) -> None:
    """COMPLETED with `success: false`, and PREDICTION_FAILED on the result: the same code, the same advice."""
    sandbox.fault("job_fails", provider="sunra", error=error)
    status = await finished(provider, await provider.submit(request(), [handle]))
    assert (status.state, status.provider_status, status.failure) == (JobState.FAILED, "COMPLETED", failure)
    with pytest.raises(JobFailed) as caught:
        await provider.pictures(status)
    assert (caught.value.code, caught.value.retryable) == (failure.code, failure.retryable)


@pytest.mark.parametrize("word", ["FAILED", "CANCELED", "CANCELLED"])
async def test_a_word_for_an_end_is_an_end(provider: SunraProvider, handle: str, sandbox: Any, word: str) -> None:
    """None of them is documented for certain; each ends the wait."""
    sandbox.fault("job_status", provider="sunra", status=word, final=True)
    status = await finished(provider, await provider.submit(request(), [handle]))
    assert (status.state.is_final, status.provider_status) == (True, word)
    assert status.failure is not None


@pytest.mark.parametrize("word", ["PROCESSING", "weird \x1b[31m"])
async def test_an_unknown_word_is_waited_out(provider: SunraProvider, handle: str, sandbox: Any, word: str) -> None:
    """It is never taken for an end."""
    sandbox.fault("job_status", provider="sunra", status=word)
    assert (await finished(provider, await provider.submit(request(), [handle]))).state is JobState.SUCCEEDED


async def test_a_job_that_never_ends_is_still_known(provider: SunraProvider, handle: str, sandbox: Any) -> None:
    """The deadline ends the wait, not the job."""
    sandbox.fault("job_stuck", provider="sunra")
    ticket = await provider.submit(request(), [handle])
    with pytest.raises(JobTimedOut) as caught:
        await wait_until_final(provider, ticket.job_id, deadline_seconds=0.3, pace=Pace())
    assert caught.value.job_id == ticket.job_id


@pytest.mark.parametrize("kind", ["poll_error", "poll_dropped", "poll_rate_limited", "poll_accepted_202"])
async def test_a_poll_on_a_bad_day_is_repeated(provider: SunraProvider, handle: str, sandbox: Any, kind: str) -> None:
    """A paid job survives whatever a poll meets for now."""
    ticket = await provider.submit(request(), [handle])
    sandbox.fault(kind, provider="sunra")
    status = await wait_until_final(
        provider, ticket.job_id, deadline_seconds=60, pace=Pace(), sleep=lambda _: asyncio.sleep(0.01)
    )
    assert status.state is JobState.SUCCEEDED
    assert sandbox.struck() == [1]


@pytest.mark.parametrize("kind", ["poll_html", "poll_malformed_json"])
async def test_a_poll_of_another_shape_is_told(provider: SunraProvider, handle: str, sandbox: Any, kind: str) -> None:
    """It names the job, which a later run collects."""
    ticket = await provider.submit(request(), [handle])
    sandbox.fault(kind, provider="sunra")
    with pytest.raises(UnexpectedAnswer) as caught:
        await provider.status(ticket.job_id)
    assert caught.value.job_id == ticket.job_id


async def test_an_unknown_job_is_told(provider: SunraProvider) -> None:
    """Asking for it again would not help."""
    with pytest.raises(UnexpectedAnswer) as caught:
        await provider.status("pd_unknown")
    assert caught.value.status_code == 404


@pytest.mark.parametrize("logs", ["one\ntwo", ["one", "two"], [{"message": "one"}, {"message": "two"}]])
async def test_logs_arrive_in_every_shape(provider: SunraProvider, handle: str, sandbox: Any, logs: Any) -> None:
    """A text, texts, or objects."""
    sandbox.fault("job_logs", provider="sunra", logs=logs)
    assert (await finished(provider, await provider.submit(request(), [handle]))).logs == ("one", "two")


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("kind", ["result_error", "result_dropped", "file_error", "file_dropped"])
async def test_reading_what_was_bought_is_repeated(
    provider: SunraProvider, handle: str, sandbox: Any, kind: str, times: int
) -> None:
    """A gateway that is away for a moment costs nothing."""
    fields = {"http_status": 503} if kind.endswith("error") else {}
    sandbox.fault(kind, provider="sunra", times=times, **fields)
    (picture,) = await collected(provider, handle)
    assert (await provider.download(picture)).media_type == "image/png"
    assert sandbox.struck() == [times]


@pytest.mark.parametrize(
    ("kind", "fields", "errors"),
    [
        ("file_error", {"http_status": 403}, {LinkExpired}),
        ("file_error", {"http_status": 404}, {LinkExpired}),
        ("file_cut", {}, {BadPicture, ProviderUnavailable}),
        ("file_html", {}, {ProviderUnavailable}),
    ],
)
async def test_bytes_that_are_not_the_picture_are_told(
    provider: SunraProvider, handle: str, sandbox: Any, kind: str, fields: dict[str, Any], errors: set[type[Exception]]
) -> None:
    """A link that is gone, a transfer that was cut, a page instead of a picture."""
    (picture,) = await collected(provider, handle)
    sandbox.fault(kind, provider="sunra", times=None, **fields)
    with pytest.raises(ProviderError) as caught:
        await provider.download(picture)
    assert type(caught.value) in errors


async def test_a_picture_larger_than_the_block_allows_is_refused(sandbox: Any, handle: str) -> None:
    """The limit of the block holds on the way in."""
    async with credentials(sandbox.url, max_picture_size_bytes=50).get_provider() as provider:
        (picture,) = await collected(provider, handle)
        with pytest.raises(BadPicture, match="larger than 50 bytes"):
            await provider.download(picture)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("stream_early_end", ProviderUnavailable),
        ("stream_not_sse", ProviderError),
        ("stream_error", ProviderUnavailable),
        ("stream_malformed_event", UnexpectedAnswer),
    ],
)
async def test_a_stream_on_a_bad_day(
    provider: SunraProvider, client: SunraClient, handle: str, sandbox: Any, kind: str, error: type[ProviderError]
) -> None:
    """It ends with an error and never silently; polling then still finds the job."""
    ticket = await provider.submit(request(), [handle])
    sandbox.fault(kind, provider="sunra", times=None)
    seen: list[StatusAnswer] = []
    with pytest.raises(error):
        await watch(client, ticket.job_id, seen)
    assert not any(status.is_terminal for status in seen)
    assert (await finished(provider, ticket)).state is JobState.SUCCEEDED


async def watch(client: SunraClient, job_id: str, seen: list[StatusAnswer]) -> None:
    async for status in client.stream(job_id, deadline_seconds=30):
        seen.append(status)  # noqa: PERF401  # a comprehension would lose what came before an error
