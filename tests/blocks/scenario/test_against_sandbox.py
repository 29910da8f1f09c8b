"""Real HTTP against the sandbox, which imports nothing of ours: bytes, lists, lost answers, faults."""

import hashlib
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from blocks.errors import (
    AccountRefused,
    BadPicture,
    LinkExpired,
    NothingAccepted,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
)
from blocks.provider import CancelOutcome, JobState, JobStatus, LoraWeight, Money, PictureRequest
from blocks.scenario.credentials import ScenarioCredentials
from blocks.scenario.provider import ScenarioProvider
from blocks.scenario.uploads import MAX_INLINE_SIZE_BYTES
from blocks.scenario.wire import KLEIN_BASE_MODEL_ID, SparkRequest
from tests.conftest import Sandbox

TEAPOT = PictureRequest(
    model=KLEIN_BASE_MODEL_ID, prompt="a teapot", seed=7, width_px=256, height_px=128, outputs=2, steps=4
)


@pytest.fixture
def sandbox_credentials(sandbox: Sandbox) -> ScenarioCredentials:
    return ScenarioCredentials(
        api_key=SecretStr("sandbox-key"),
        api_secret=SecretStr("sandbox-secret"),
        base_url=sandbox.url,
        sandbox=True,
        timeout_seconds=10,
        deadline_seconds=30,
    )


@pytest.fixture
async def provider(sandbox_credentials: ScenarioCredentials) -> AsyncIterator[ScenarioProvider]:
    async with sandbox_credentials.get_provider() as opened:
        yield opened


async def _until(is_met: Callable[[JobStatus], bool], provider: ScenarioProvider, job_id: str) -> JobStatus:
    with anyio.fail_after(30):
        while not is_met(status := await provider.status(job_id)):  # noqa: ASYNC110 - what is waited for is on a server
            await anyio.sleep(0.02)
    return status


async def _finished(provider: ScenarioProvider, job_id: str) -> JobStatus:
    return await _until(lambda status: status.state.is_final, provider, job_id)


def _picture(width_px: int, height_px: int) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


async def test_from_request_to_bytes(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """One submit buys one job; its pictures come with the size that was asked for, and cost what was quoted."""
    price = await provider.price(TEAPOT, ())
    ticket = await provider.submit(TEAPOT, ())
    status = await _finished(provider, ticket.job_id)
    pictures = await provider.pictures(status)
    data = [(await provider.download(picture)).data for picture in pictures]
    assert (status.state, status.billed, ticket.billed) == (JobState.SUCCEEDED, price, price)
    assert [picture.asset_id for picture in pictures] == list(status.asset_ids)
    assert [Image.open(io.BytesIO(each)).size for each in data] == [(256, 128), (256, 128)]
    assert len({hashlib.sha256(each).digest() for each in data}) == 2
    assert [(job["job_id"], job["request"]["seed"]) for job in sandbox.jobs("scenario")] == [(ticket.job_id, 7)]


async def test_a_price_buys_nothing(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """The dry run is one: it has a price, and the sandbox has no job."""
    price = await provider.price(TEAPOT, ())
    assert price is not None
    assert (price.amount > 0, price.unit) == (True, "CU")
    assert sandbox.jobs() == []


@pytest.mark.parametrize("size_px", [(64, 48), (1300, 1000)], ids=["inline", "multipart"])
async def test_a_reference_reaches_the_model(
    size_px: tuple[int, int], provider: ScenarioProvider, sandbox: Sandbox
) -> None:
    """Small and large pictures become assets, and the job names them as its references, in a list."""
    data = _picture(*size_px)
    assert (len(data) > MAX_INLINE_SIZE_BYTES) == (size_px == (1300, 1000))
    asset_id = await provider.upload(data, "image/png", "cup.png")
    edit = TEAPOT.model_copy(update={"references": (hashlib.sha256(data).hexdigest(),), "outputs": 1})
    ticket = await provider.submit(edit, (asset_id,))
    bought = [job for job in sandbox.jobs("scenario") if job["job_id"] == ticket.job_id]
    assert [job["request"]["referenceImages"] for job in bought] == [[asset_id]]


async def test_lists_arrive_as_lists(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """A bare value instead of a list is dropped in silence; LoRAs and their scales are in the job."""
    loras = (LoraWeight(id="model_a", scale=0.5), LoraWeight(id="model_b"))
    await provider.submit(TEAPOT.model_copy(update={"loras": loras}), ())
    (job,) = sandbox.jobs("scenario")
    assert (job["request"]["loras"], job["request"]["lorasScale"]) == (["model_a", "model_b"], [0.5, 1.0])


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "submit_accepted_reply_dropped"},
        {"kind": "submit_accepted_error"},
        {"kind": "submit_accepted_malformed_json"},
        {"kind": "submit_accepted_html"},
        {"kind": "submit_accepted_empty"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_a_lost_submit_is_found_again(
    fault: dict[str, Any], provider: ScenarioProvider, sandbox: Sandbox
) -> None:
    """However the answer to a bought job is spoilt: it is bought once, known as unknown, and found by its seed."""
    since = datetime.now(UTC)
    await provider.submit(TEAPOT.model_copy(update={"seed": 8}), ())
    sandbox.fault(**fault)
    with pytest.raises(OutcomeUnknown):
        await provider.submit(TEAPOT, ())
    sandbox.fault("list_empty_page")
    (ticket,) = await provider.find_lost(TEAPOT, (), since)
    (lost,) = (job for job in sandbox.jobs("scenario") if job["request"]["seed"] == 7)
    assert ticket.job_id == lost["job_id"]
    assert (await _finished(provider, ticket.job_id)).state is JobState.SUCCEEDED
    assert len(sandbox.jobs("scenario")) == 2


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        ({"kind": "submit_error", "http_status": 400, "body": {"reason": "no"}}, RequestRejected),
        ({"kind": "submit_error", "http_status": 422, "body": {"message": "no"}}, RequestRejected),
        ({"kind": "submit_unauthorized"}, AccountRefused),
        ({"kind": "submit_no_credit"}, AccountRefused),
        ({"kind": "submit_forbidden"}, AccountRefused),
        ({"kind": "submit_rate_limited"}, RateLimited),
        ({"kind": "submit_cooldown", "seconds": 30}, RateLimited),
        ({"kind": "submit_error"}, OutcomeUnknown),
        ({"kind": "submit_error", "http_status": 504}, OutcomeUnknown),
        ({"kind": "submit_dropped"}, OutcomeUnknown),
    ],
    ids=str,
)
async def test_a_submit_that_was_not_accepted(
    fault: dict[str, Any], error_type: type[ProviderError], provider: ScenarioProvider, sandbox: Sandbox
) -> None:
    """Each trouble before acceptance has its error, and is met once: nothing is bought, nothing is sent again."""
    sandbox.fault(times=None, **fault)
    since = datetime.now(UTC)
    with pytest.raises(error_type):
        await provider.submit(TEAPOT, ())
    assert sandbox.struck() == [1]
    assert sandbox.jobs() == []
    assert await provider.find_lost(TEAPOT, (), since) == ()


async def test_a_cooldown_says_how_long(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """The official SDK ignores `remainingSeconds` and repeats into the cooldown; we hand it on."""
    sandbox.fault("submit_cooldown", seconds=30)
    with pytest.raises(RateLimited) as caught:
        await provider.submit(TEAPOT, ())
    assert caught.value.retry_after_seconds == 30


async def test_wrong_keys_are_one_clear_sentence(sandbox_credentials: ScenarioCredentials) -> None:
    """A refused key names the block and what to check, and not the key."""
    wrong = sandbox_credentials.model_copy(update={"api_secret": SecretStr("my-wrong-secret")})
    async with wrong.get_provider() as provider:
        with pytest.raises(AccountRefused, match="check both in the credentials block") as caught:
            await provider.submit(TEAPOT, ())
    assert "wrong-secret" not in str(caught.value)


async def test_an_unknown_model_is_rejected(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """The vendor's reason reaches the person."""
    with pytest.raises(RequestRejected, match="Model model_x not found"):
        await provider.submit(TEAPOT.model_copy(update={"model": "model_x"}), ())
    assert sandbox.jobs() == []


@pytest.mark.parametrize("kind", ["poll_error", "poll_dropped"])
async def test_a_poll_survives_bad_moments(kind: str, provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """A job that is paid for is asked about until it answers."""
    ticket = await provider.submit(TEAPOT, ())
    sandbox.fault(kind, times=2)
    assert (await provider.status(ticket.job_id)).job_id == ticket.job_id
    assert sandbox.struck() == [2]


@pytest.mark.parametrize("kind", ["poll_error", "poll_dropped", "poll_rate_limited"])
async def test_a_poll_that_never_answers_is_for_later(kind: str, provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """After its repetitions a read is the caller's to repeat, and says nothing about money."""
    ticket = await provider.submit(TEAPOT, ())
    sandbox.fault(kind, times=None)
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.status(ticket.job_id)
    assert not isinstance(caught.value, NothingAccepted | OutcomeUnknown)


@pytest.mark.parametrize(("refund", "amount_left"), [(True, False), (False, True)])
async def test_a_failed_job_costs_nothing_unless_it_is_not_refunded(
    refund: bool, amount_left: bool, provider: ScenarioProvider, sandbox: Sandbox
) -> None:
    """A failure gives its reason, and the money as it stands after refunds."""
    sandbox.fault("job_fails", error="The picture was blocked.", refund=refund)
    ticket = await provider.submit(TEAPOT, ())
    status = await _finished(provider, ticket.job_id)
    assert status.state is JobState.FAILED
    assert status.failure is not None
    assert status.failure.message == "The picture was blocked."
    assert status.billed == (ticket.billed if amount_left else Money(amount=Decimal(0), unit="CU"))


async def test_an_unknown_status_is_not_an_end(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """A word that we do not know means: keep polling."""
    sandbox.fault("job_status", status="dreaming", final=True)
    ticket = await provider.submit(TEAPOT, ())
    status = await _until(lambda status: status.provider_status == "dreaming", provider, ticket.job_id)
    assert (status.state, status.state.is_final) == (JobState.RUNNING, False)


async def test_a_dead_link_is_replaced(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """A link that is altered or expired answers 403; asking for the asset again gives one that works."""
    ticket = await provider.submit(TEAPOT, ())
    status = await _finished(provider, ticket.job_id)
    picture, _ = await provider.pictures(status)
    with pytest.raises(LinkExpired):
        await provider.download(picture.model_copy(update={"url": picture.url + "&width=10"}))
    sandbox.fault("file_error", http_status=403)
    with pytest.raises(LinkExpired):
        await provider.download(picture)
    fresh, _ = await provider.pictures(status)
    assert Image.open(io.BytesIO((await provider.download(fresh)).data)).size == (256, 128)


async def test_a_late_asset_is_waited_for(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """An asset may be pending when its job is already a success."""
    ticket = await provider.submit(TEAPOT, ())
    status = await _finished(provider, ticket.job_id)
    sandbox.fault("asset_pending")
    with pytest.raises(ProviderUnavailable, match="not ready yet"):
        await provider.pictures(status)
    assert len(await provider.pictures(status)) == 2


async def test_a_cut_transfer_is_no_picture(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """Fewer bytes than announced are never handed on."""
    ticket = await provider.submit(TEAPOT, ())
    picture, _ = await provider.pictures(await _finished(provider, ticket.job_id))
    sandbox.fault("file_cut", times=None)
    with pytest.raises((ProviderUnavailable, BadPicture)):
        await provider.download(picture)


async def test_an_import_that_fails_is_refused(provider: ScenarioProvider, sandbox: Sandbox) -> None:
    """A large picture that Scenario cannot import ends the wait at once."""
    sandbox.fault("import_fails")
    with pytest.raises(RequestRejected, match="not a valid image"):
        await provider.upload(_picture(1300, 1000), "image/png", "cup.png")


async def test_klein_jobs_cannot_be_cancelled(provider: ScenarioProvider) -> None:
    """The wish is refused, and the job ends as if nothing had been asked."""
    ticket = await provider.submit(TEAPOT, ())
    assert await provider.cancel(ticket.job_id) is CancelOutcome.REFUSED
    assert (await _finished(provider, ticket.job_id)).state is JobState.SUCCEEDED


async def test_our_limits_are_those_that_the_model_names(sandbox_credentials: ScenarioCredentials) -> None:
    """The model's own list of inputs has each field that we send, with the ranges that we hold."""
    async with sandbox_credentials.get_client() as client:
        inputs = {each.name: each for each in (await client.model(KLEIN_BASE_MODEL_ID)).inputs}
    assert (inputs["width"].min, inputs["width"].max, inputs["width"].step) == (128, 2048, 16)
    assert (inputs["numInferenceSteps"].min, inputs["numInferenceSteps"].max) == (1, 100)
    assert (inputs["numInferenceSteps"].default, inputs["guidance"].default) == (28, 4)


async def test_prompts_can_be_written_by_scenario(sandbox_credentials: ScenarioCredentials, sandbox: Sandbox) -> None:
    """Prompt spark answers at once, says what it cost, and is bought once."""
    async with sandbox_credentials.get_client() as client:
        answer = await client.spark(SparkRequest(mode="completion", prompt="a teapot", num_results=3, seed=1))
    assert len(answer.prompts) == 3
    assert answer.creative_units_cost is not None
    assert len(sandbox.jobs("scenario")) == 1
