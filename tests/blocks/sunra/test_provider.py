import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import (
    AccountRefused,
    InvalidRequest,
    JobFailed,
    OutcomeUnknown,
    ProviderUnavailable,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.provider import (
    CancelOutcome,
    JobFailure,
    JobState,
    JobStatus,
    LoraWeight,
    Money,
    PictureRequest,
    Provider,
    RemotePicture,
    Ticket,
)
from blocks.sunra.provider import SUNRA_CAPABILITIES, SunraProvider, to_job_status
from blocks.sunra.wire import StatusAnswer

MODEL = "black-forest-labs/flux-2-klein-4b"
REFERENCE = "a" * 64
Answering = Callable[..., Any]


def request(**changes: Any) -> PictureRequest:
    fields: dict[str, Any] = {"model": MODEL, "prompt": "a teapot", "seed": 7, "references": (REFERENCE,)}
    return PictureRequest.model_validate(fields | changes)


def provider_of(recorded: Any, **options: Any) -> SunraProvider:
    return SunraProvider(recorded.client, **options)


async def test_the_contract_is_kept(answering: Answering) -> None:
    """A Sunra provider is usable wherever a `Provider` is asked for."""
    async with answering(httpx.Response(200)) as sunra:
        provider: Provider = provider_of(sunra)
        async with provider as entered:
            assert entered is provider
            assert (provider.name, provider.capabilities) == ("sunra", SUNRA_CAPABILITIES)
    assert sunra.requests == []


class TestCheck:
    """Held against the model page, before anything is sent."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"steps": 4},
            {"steps": 8},
            {"seed": 0},
            {"seed": 2**31 - 1},
            {"references": ("a",) * 4},
            {"aspect_ratio": "9:16", "output_format": "webp"},
            {"loras": [LoraWeight(id="owner/repo", scale=0), LoraWeight(id="https://x.example/l", scale=4)]},
        ],
    )
    async def test_what_the_page_allows_passes(self, answering: Answering, changes: dict[str, Any]) -> None:
        """Limits are inclusive."""
        async with answering(httpx.Response(200)) as sunra:
            provider_of(sunra).check(request(**changes))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"steps": 28}, "num_inference_steps must be from 4 to 8 (Sunra), got 28"),
            ({"steps": 3}, "num_inference_steps must be from 4 to 8 (Sunra), got 3"),
            ({"references": ()}, "image_urls must have from 1 to 4 items (Sunra), got 0"),
            ({"references": ("a",) * 5}, "image_urls must have from 1 to 4 items (Sunra), got 5"),
            ({"width_px": 512}, "Sunra takes aspect_ratio instead of width and height"),
            ({"width_px": 512, "height_px": 512}, "Sunra takes aspect_ratio instead of width and height"),
            ({"guidance": 4.0}, "Sunra has no guidance (its model is distilled): leave it out, got 4"),
            ({"outputs": 2}, "Sunra makes 1 picture per request: ask for more shots instead of outputs, got 2"),
            ({"model": "base"}, f"model must be {MODEL} (Sunra), got base"),
            ({"loras": [LoraWeight(id="a/b")] * 4}, "loras must have at most 3 items (Sunra), got 4"),
            (
                {"loras": [LoraWeight(id="a/b"), LoraWeight(id="a/c", scale=4.5)]},
                "loras.1.scale must be from 0 to 4 (Sunra), got 4.5",
            ),
            (
                {"loras": [LoraWeight(id="a/b", scale=float("nan"))]},
                "loras.0.scale must be from 0 to 4 (Sunra), got nan",
            ),
            (
                {"loras": [LoraWeight(id="model_x\n")]},
                "loras.0.path must be a URL or owner/repo (Sunra), got model_x",
            ),
            (
                {"steps": 9, "guidance": 1.5},
                "num_inference_steps must be from 4 to 8 (Sunra), got 9; "
                "Sunra has no guidance (its model is distilled): leave it out, got 1.5",
            ),
        ],
    )
    async def test_what_it_does_not_allow_is_named(
        self, answering: Answering, changes: dict[str, Any], message: str
    ) -> None:
        """The vendor's field, its limit, the value; all that is wrong at once; a submit says the same."""
        async with answering(httpx.Response(200, json={"request_id": "pd_1"})) as sunra:
            provider = provider_of(sunra)
            with pytest.raises(InvalidRequest) as caught:
                provider.check(request(**changes))
            assert str(caught.value) == message
            wrong = request(**changes)
            with pytest.raises(RequestRejected) as refused:
                await provider.submit(wrong, ["u"] * len(wrong.references))
            assert str(refused.value) == f"Nothing was sent: {message}"
        assert sunra.requests == []

    @pytest.mark.parametrize("seed", [-1, 2**31])
    async def test_the_range_of_seeds(self, answering: Answering, seed: int) -> None:
        """A seed that went past the request's own check is found here."""
        async with answering(httpx.Response(200)) as sunra:
            with pytest.raises(InvalidRequest, match=f"seed must be from 0 to 2147483647 .Sunra., got {seed}"):
                provider_of(sunra).check(request().model_copy(update={"seed": seed}))


class TestSubmit:
    """Our words in Sunra's."""

    async def test_says_everything_in_the_vendors_words(self, answering: Answering) -> None:
        """Handles go out in the order of the references; nothing that is not set is sent."""
        full = request(
            references=("a", "b"),
            aspect_ratio="16:9",
            steps=6,
            output_format="jpeg",
            loras=[LoraWeight(id="owner/repo", scale=0.8)],
        )
        async with answering(httpx.Response(200, json={"request_id": "pd_1"})) as sunra:
            provider = provider_of(sunra)
            ticket = await provider.submit(full, ["https://x.example/a", "https://x.example/b"])
            await provider.submit(request(), ["https://x.example/a"])
        assert ticket == Ticket(provider="sunra", job_id="pd_1", billed=None)
        assert sunra.sent == [("POST", f"https://api.sunra.ai/v1/queue/{MODEL}/image-to-image?logs=1")] * 2
        assert [json.loads(sent.content) for sent in sunra.requests] == [
            {
                "prompt": "a teapot",
                "image_urls": ["https://x.example/a", "https://x.example/b"],
                "aspect_ratio": "16:9",
                "seed": 7,
                "loras": [{"path": "owner/repo", "scale": 0.8}],
                "num_inference_steps": 6,
                "output_format": "jpeg",
            },
            {"prompt": "a teapot", "image_urls": ["https://x.example/a"], "seed": 7},
        ]

    @pytest.mark.parametrize("handles", [[], ["u", "v"]])
    async def test_every_reference_has_its_handle(self, answering: Answering, handles: list[str]) -> None:
        """A forgotten upload would buy an edit of another picture."""
        async with answering(httpx.Response(200, json={"request_id": "pd_1"})) as sunra:
            with pytest.raises(RequestRejected, match="1 references need as many handles, got"):
                await provider_of(sunra).submit(request(), handles)
        assert sunra.requests == []

    async def test_a_lost_answer_stays_lost(self, answering: Answering) -> None:
        """One POST, no search: Sunra has no list of requests."""
        async with answering(httpx.ReadTimeout("late")) as sunra:
            provider = provider_of(sunra)
            with pytest.raises(OutcomeUnknown):
                await provider.submit(request(), ["u"])
            assert await provider.find_lost(request(), ["u"], datetime.now(UTC)) == ()
        assert len(sunra.requests) == 1


@pytest.mark.parametrize(
    ("price", "expected"), [(None, None), (Money(amount=Decimal("0.003"), unit="EUR"), "0.003 EUR")]
)
async def test_the_price_is_the_blocks(answering: Answering, price: Money | None, expected: str | None) -> None:
    """Sunra's API has no quote: what the block does not say, nobody knows; unknown is not zero."""
    async with answering(httpx.Response(200)) as sunra:
        said = await provider_of(sunra, price_per_image=price).price(request(), [])
    assert (None if said is None else str(said)) == expected
    assert sunra.requests == []


FAILURE = JobFailure(code="invalid_input", message="no image", reason="input_fetch_failed", retryable=False)
ERROR = {"code": "invalid_input", "message": "no\nimage", "reason": "input_fetch_failed", "retryable": False}


def says_nothing(word: str) -> JobFailure:
    return JobFailure(code="unknown_error_code", message=f"Sunra says {word} and no reason.")


class TestStatus:
    """Sunra's words in ours."""

    @pytest.mark.parametrize(
        ("body", "state", "failure"),
        [
            ({"status": "IN_QUEUE", "queue_position": 2}, JobState.QUEUED, None),
            ({"status": "IN_PROGRESS"}, JobState.RUNNING, None),
            ({"status": "PROCESSING"}, JobState.RUNNING, None),
            ({"status": "CANCELLATION_REQUESTED"}, JobState.RUNNING, None),
            ({"status": "IN_PROGRESS", "success": False, "error": ERROR}, JobState.RUNNING, None),
            ({"status": "COMPLETED"}, JobState.SUCCEEDED, None),
            ({"status": "COMPLETED", "success": None, "error": None}, JobState.SUCCEEDED, None),
            ({"status": "COMPLETED", "success": True}, JobState.SUCCEEDED, None),
            ({"status": "COMPLETED", "success": False, "error": ERROR}, JobState.FAILED, FAILURE),
            ({"status": "COMPLETED", "success": False}, JobState.FAILED, says_nothing("COMPLETED")),
            ({"status": "FAILED", "error": ERROR}, JobState.FAILED, FAILURE),
            ({"status": "FAILED"}, JobState.FAILED, says_nothing("FAILED")),
            ({"status": "CANCELED"}, JobState.CANCELED, says_nothing("CANCELED")),
            ({"status": "CANCELLED", "success": True}, JobState.CANCELED, says_nothing("CANCELLED")),
        ],
    )
    @pytest.mark.parametrize("http_status", [200, 202])
    async def test_each_status(
        self,
        answering: Answering,
        http_status: int,
        body: dict[str, Any],
        state: JobState,
        failure: JobFailure | None,
    ) -> None:
        """Failure is COMPLETED with `success: false`; an unknown status is never an end."""
        async with answering(httpx.Response(http_status, json=body)) as sunra:
            status = await provider_of(sunra).status("pd_1")
        assert status == JobStatus(
            job_id="pd_1",
            state=state,
            provider_status=body["status"],
            queue_position=body.get("queue_position"),
            failure=failure,
        )

    @given(st.text(min_size=1), st.text())
    def test_a_strangers_text_is_cleaned(self, word: str, log: str) -> None:
        """Whatever stands in a status, it fits one line of a log, and only four words are an end."""
        if not word.strip():
            return
        status = to_job_status("pd_1", StatusAnswer(status=word, logs=(log,)))
        assert status.state.is_final == (word in {"COMPLETED", "FAILED", "CANCELED", "CANCELLED"})
        for text in (status.provider_status, *status.logs):
            assert len(text.splitlines()) <= 1


def done() -> JobStatus:
    return JobStatus(job_id="pd_1", state=JobState.SUCCEEDED, provider_status="COMPLETED")


class TestPictures:
    """What was paid for."""

    async def test_are_listed_in_the_order_of_the_result(self, answering: Answering) -> None:
        """Each with what the vendor says about it."""
        files = [
            {"content_type": "image/png", "file_name": "1.png", "file_size": 10, "url": "https://a.example/1?s=K"},
            {"url": "https://a.example/2"},
        ]
        async with answering(httpx.Response(200, json={"images": files})) as sunra:
            pictures = await provider_of(sunra).pictures(done())
        assert pictures == (
            RemotePicture(index=0, url="https://a.example/1?s=K", media_type="image/png", size_bytes=10),
            RemotePicture(index=1, url="https://a.example/2"),
        )
        assert sunra.sent == [("GET", "https://api.sunra.ai/v1/queue/requests/pd_1")]

    async def test_a_result_without_pictures_is_no_success(self, answering: Answering) -> None:
        """Nothing to collect is told, and never taken for an empty success."""
        async with answering(httpx.Response(200, json={"images": []})) as sunra:
            with pytest.raises(UnexpectedAnswer, match="has no picture") as caught:
                await provider_of(sunra).pictures(done())
        assert caught.value.job_id == "pd_1"

    async def test_a_failure_may_come_as_late_as_the_result(self, answering: Answering) -> None:
        """A status without `success` reads as true; the result endpoint knows better."""
        body = {"error": {"code": "PREDICTION_FAILED", "message": "m", "details": ERROR}}
        async with answering(httpx.Response(400, json=body)) as sunra:
            with pytest.raises(JobFailed) as caught:
                await provider_of(sunra).pictures(done())
        assert (caught.value.code, caught.value.retryable, caught.value.job_id) == ("invalid_input", False, "pd_1")

    async def test_are_downloaded_without_the_key(self, answering: Answering) -> None:
        """The key goes to the API's host only."""
        async with answering(httpx.Response(200, content=b"png")) as sunra:
            picture = await provider_of(sunra).download(RemotePicture(index=0, url="https://a.example/1?s=K"))
        assert picture.data == b"png"
        assert "authorization" not in sunra.requests[0].headers


class TestCancel:
    """A wish, never a fact."""

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (200, CancelOutcome.REQUESTED),
            (202, CancelOutcome.REQUESTED),
            (400, CancelOutcome.REFUSED),
            (404, CancelOutcome.REFUSED),
            (409, CancelOutcome.REFUSED),
        ],
    )
    async def test_the_answer_says_no_more_than_whether_it_was_heard(
        self, answering: Answering, status: int, outcome: CancelOutcome
    ) -> None:
        """A 4xx is Sunra's no, such as to a job that has ended."""
        async with answering(httpx.Response(status, json={"status": "ALREADY_COMPLETED"})) as sunra:
            assert await provider_of(sunra).cancel("pd_1") is outcome
        assert sunra.sent == [("PUT", "https://api.sunra.ai/v1/queue/requests/pd_1/cancel")]

    @pytest.mark.parametrize(("status", "error"), [(401, AccountRefused), (503, ProviderUnavailable)])
    async def test_what_is_not_about_the_job_is_an_error(
        self, answering: Answering, status: int, error: type[Exception]
    ) -> None:
        """A bad key or a bad day is no refusal to cancel."""
        async with answering(httpx.Response(status)) as sunra:
            with pytest.raises(error):
                await provider_of(sunra).cancel("pd_1")


async def test_upload_gives_the_handle_for_a_submit(answering: Answering) -> None:
    """The handle is the URL that `image_urls` takes."""
    places = {"upload_url": "https://put.example/x", "file_url": "https://assets.example/x.png"}
    async with answering(httpx.Response(200, json=places), httpx.Response(200)) as sunra:
        assert await provider_of(sunra).upload(b"png", "image/png", "x.png") == "https://assets.example/x.png"
