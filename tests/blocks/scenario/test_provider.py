from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from blocks.errors import BadPicture, InvalidRequest, LinkExpired, OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer
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
from blocks.scenario.provider import ScenarioProvider
from blocks.scenario.wire import KLEIN_BASE_MODEL_ID
from tests.blocks.scenario.conftest import Sent, Vendor

API = "https://api.cloud.scenario.com/v1"
SUBMIT = f"{API}/generate/custom/{KLEIN_BASE_MODEL_ID}"
TEAPOT = PictureRequest(model=KLEIN_BASE_MODEL_ID, prompt="a teapot", seed=7, width_px=1024, height_px=768)
SENT_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHA256 = "0" * 64


def test_the_contract_of_all_providers_is_kept(provider: ScenarioProvider) -> None:
    """A flow that knows `Provider` needs to know nothing of Scenario (checked by mypy on this assignment)."""
    one_of_all: Provider = provider
    assert one_of_all.name == "scenario"
    assert one_of_all.capabilities.model == KLEIN_BASE_MODEL_ID


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"width_px": 1000}, "width must be a multiple of 16 from 128 to 2048 (Scenario), got 1000"),
        ({"width_px": 112}, "width must be a multiple of 16 from 128 to 2048 (Scenario), got 112"),
        ({"height_px": 2064}, "height must be a multiple of 16 from 128 to 2048 (Scenario), got 2064"),
        ({"steps": 0}, "numInferenceSteps must be from 1 to 100 (Scenario), got 0"),
        ({"steps": 101}, "numInferenceSteps must be from 1 to 100 (Scenario), got 101"),
        ({"guidance": 0.9}, "guidance must be from 1 to 10 (Scenario), got 0.9"),
        ({"guidance": 10.1}, "guidance must be from 1 to 10 (Scenario), got 10.1"),
        ({"guidance": float("nan")}, "guidance must be from 1 to 10 (Scenario), got nan"),
        ({"outputs": 0}, "numOutputs must be from 1 to 4 (Scenario), got 0"),
        ({"outputs": 5}, "numOutputs must be from 1 to 4 (Scenario), got 5"),
        ({"loras": (LoraWeight(id="m"),) * 7}, "loras must be at most 6 items long (Scenario), got 7"),
        ({"loras": (LoraWeight(id="m", scale=2.1),)}, "lorasScale must be from 0 to 2 (Scenario), got 2.1"),
        ({"loras": (LoraWeight(id="m", scale=-0.5),)}, "lorasScale must be from 0 to 2 (Scenario), got -0.5"),
        ({"references": (SHA256,) * 5}, "referenceImages must be at most 4 items long (Scenario), got 5"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio cannot be set, give width and height (Scenario), got 16:9"),
        ({"output_format": "webp"}, "output_format cannot be set (Scenario), got webp"),
        (
            {"width_px": 8, "steps": 0},
            "width must be a multiple of 16 from 128 to 2048 (Scenario), got 8; "
            "numInferenceSteps must be from 1 to 100 (Scenario), got 0",
        ),
    ],
)
async def test_a_limit_is_found_before_anything_is_sent(
    fields: dict[str, Any], problem: str, provider: ScenarioProvider, vendor: Vendor
) -> None:
    """Every limit that Scenario publishes is held here, in its own words, and neither priced nor bought beyond it."""
    request = TEAPOT.model_copy(update=fields)
    with pytest.raises(InvalidRequest) as caught:
        provider.check(request)
    assert str(caught.value) == problem
    with pytest.raises(InvalidRequest):
        await provider.price(request, ())
    with pytest.raises(InvalidRequest):
        await provider.submit(request, request.references)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"width_px": None, "height_px": None},
        {"width_px": 128, "height_px": 2048, "steps": 1, "guidance": 1.0, "outputs": 1},
        {"steps": 100, "guidance": 10.0, "outputs": 4, "references": (SHA256,) * 4},
        {"loras": (LoraWeight(id="m", scale=0.0),) * 3 + (LoraWeight(id="m", scale=2.0),) * 3},
        {"prompt": "long " * 2000},
    ],
)
def test_what_is_within_the_limits_passes(fields: dict[str, Any], provider: ScenarioProvider) -> None:
    """The borders belong to the range; the longest prompt is not published, so none is refused on a guess."""
    provider.check(TEAPOT.model_copy(update=fields))


async def test_a_submit_says_our_words_in_the_vendors(provider: ScenarioProvider, vendor: Vendor) -> None:
    """One POST, with every parameter under its vendor's name, LoRAs and scales in parallel."""
    vendor.says(json={"job": {"jobId": "job_1", "status": "queued"}, "creativeUnitsCost": 17.75})
    request = TEAPOT.model_copy(
        update={
            "outputs": 2,
            "steps": 30,
            "guidance": 4.5,
            "loras": (LoraWeight(id="model_a", scale=0.5), LoraWeight(id="model_b")),
            "references": (SHA256, "1" * 64),
        }
    )
    ticket = await provider.submit(request, ("asset_1", "asset_2"))
    assert ticket == Ticket(provider="scenario", job_id="job_1", billed=Money(amount=Decimal("17.75"), unit="CU"))
    body = {
        "prompt": "a teapot",
        "loras": ["model_a", "model_b"],
        "lorasScale": [0.5, 1.0],
        "referenceImages": ["asset_1", "asset_2"],
        "numOutputs": 2,
        "numInferenceSteps": 30,
        "width": 1024,
        "height": 768,
        "guidance": 4.5,
        "seed": 7,
    }
    assert vendor.sent == [Sent("POST", SUBMIT, {}, body)]


async def test_a_bare_submit_sends_no_empty_values(provider: ScenarioProvider, vendor: Vendor) -> None:
    """What is `None` or empty for us is not sent at all; the vendor's defaults hold."""
    vendor.says(json={"job": {"jobId": "job_1"}})
    bare = PictureRequest(model=KLEIN_BASE_MODEL_ID, prompt="a teapot", seed=0)
    assert await provider.submit(bare, ()) == Ticket(provider="scenario", job_id="job_1")
    assert vendor.sent == [Sent("POST", SUBMIT, {}, {"prompt": "a teapot", "numOutputs": 1, "seed": 0})]


@pytest.mark.parametrize("handles", [(), ("asset_1", "asset_2")])
async def test_a_submit_without_its_references_is_not_sent(
    handles: tuple[str, ...], provider: ScenarioProvider, vendor: Vendor
) -> None:
    """An edit without its picture would be a paid picture of something else."""
    request = TEAPOT.model_copy(update={"references": (SHA256,)})
    with pytest.raises(InvalidRequest, match=r"referenceImages must have 1 asset ids.* got"):
        await provider.submit(request, handles)
    assert vendor.requests == []


async def test_a_price_is_asked_by_a_dry_run(provider: ScenarioProvider, vendor: Vendor) -> None:
    """The price is that of the very request, references too where they are known; nothing is bought."""
    vendor.says(269, json={"creativeUnitsCost": 17.75, "costDetails": {"custom-generation": 16, "quality-gate": 1.75}})
    assert await provider.price(TEAPOT, ("asset_1",)) == Money(amount=Decimal("17.75"), unit="CU")
    body = {
        "prompt": "a teapot",
        "referenceImages": ["asset_1"],
        "numOutputs": 1,
        "width": 1024,
        "height": 768,
        "seed": 7,
    }
    assert vendor.sent == [Sent("POST", SUBMIT, {"dryRun": "true"}, body)]


async def test_a_price_that_scenario_does_not_say_is_none(provider: ScenarioProvider, vendor: Vendor) -> None:
    """An unknown price is `None`, never zero."""
    vendor.says(269, json={})
    assert await provider.price(TEAPOT, ()) is None


async def test_a_dry_run_that_bought_is_an_alarm(provider: ScenarioProvider, vendor: Vendor) -> None:
    """A job in the answer to a price question may be a paid one."""
    vendor.says(200, json={"job": {"jobId": "job_1", "status": "queued"}, "creativeUnitsCost": 5})
    with pytest.raises(OutcomeUnknown):
        await provider.price(TEAPOT, ())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", JobState.QUEUED),
        ("queued", JobState.QUEUED),
        ("warming-up", JobState.QUEUED),
        ("in-progress", JobState.RUNNING),
        ("finalizing", JobState.RUNNING),
        ("success", JobState.SUCCEEDED),
        ("failure", JobState.FAILED),
        ("canceled", JobState.CANCELED),
        ("cancelled", JobState.RUNNING),
        ("dreaming", JobState.RUNNING),
    ],
)
async def test_each_status_has_its_state(
    status: str, state: JobState, provider: ScenarioProvider, vendor: Vendor
) -> None:
    """The eight statuses of the official SDK; one that we do not know is never an end."""
    vendor.says(json={"job": {"jobId": "job_1", "status": status, "metadata": {"assetIds": ["asset_1"]}}})
    shown = await provider.status("job_1")
    assert (shown.state, shown.provider_status) == (state, status)
    assert shown.asset_ids == (("asset_1",) if state is JobState.SUCCEEDED else ())
    assert (shown.failure is None) == (state not in {JobState.FAILED, JobState.CANCELED})


async def test_a_status_is_said_in_our_words(provider: ScenarioProvider, vendor: Vendor) -> None:
    """All that is known of a job, as one value."""
    job = {
        "jobId": "job_1",
        "jobType": "custom",
        "status": "success",
        "progress": 1,
        "metadata": {"assetIds": ["asset_2", "asset_1"]},
        "billing": {"cuCost": 16, "cuDiscount": 0, "cuCostDetails": {"quality-gate": 1.75}},
    }
    vendor.says(json={"job": job})
    assert await provider.status("job_1") == JobStatus(
        job_id="job_1",
        state=JobState.SUCCEEDED,
        provider_status="success",
        progress=1.0,
        billed=Money(amount=Decimal("17.75"), unit="CU"),
        asset_ids=("asset_2", "asset_1"),
    )
    assert vendor.sent == [Sent("GET", f"{API}/jobs/job_1")]


@pytest.mark.parametrize(
    ("metadata", "failure"),
    [
        (
            {"error": "NSFW\ncontent", "hint": "Change the prompt."},
            JobFailure(code="failure", message="NSFW content", reason="Change the prompt."),
        ),
        ({}, JobFailure(code="failure", message="Scenario says failure, and no reason.")),
        (None, JobFailure(code="failure", message="Scenario says failure, and no reason.")),
    ],
)
async def test_a_failure_says_why(
    metadata: Any, failure: JobFailure, provider: ScenarioProvider, vendor: Vendor
) -> None:
    """The vendor's reason and hint, cleaned; it does not say whether a retry helps, so neither do we."""
    vendor.says(json={"job": {"jobId": "job_1", "status": "failure", "metadata": metadata}})
    assert (await provider.status("job_1")).failure == failure


@pytest.mark.parametrize(
    ("status", "billing", "amount"),
    [
        ("queued", {"cuCost": 5, "cuDiscount": 0}, "5"),
        ("success", {"cuCost": 5, "cuDiscount": 0, "cuCostDetails": {"quality-gate": 0.25}}, "5.25"),
        ("success", {"cuCost": 5, "cuDiscount": 0, "disableRefund": True}, "5"),
        ("failure", {"cuCost": 5, "cuDiscount": 0}, "0"),
        ("failure", {"cuCost": 5, "cuDiscount": 0, "disableRefund": False}, "0"),
        ("failure", {"cuCost": 5, "cuDiscount": 0, "disableRefund": True}, "5"),
        ("canceled", {"cuCost": 5, "cuDiscount": 0}, "0"),
        ("canceled", {"cuCost": 5, "cuDiscount": 0, "disableRefund": True}, "5"),
        ("failure", None, None),
        ("success", {"cuCost": "?"}, None),
    ],
)
async def test_a_job_costs_what_is_left_after_refunds(
    status: str, billing: Any, amount: str | None, provider: ScenarioProvider, vendor: Vendor
) -> None:
    """`cuCost` stays in the record of a failed job although it is refunded, unless the model does not refund."""
    vendor.says(json={"job": {"jobId": "job_1", "status": status, "billing": billing}})
    expected = None if amount is None else Money(amount=Decimal(amount), unit="CU")
    assert (await provider.status("job_1")).billed == expected


async def test_another_job_than_asked_is_not_taken(provider: ScenarioProvider, vendor: Vendor) -> None:
    """A mixed-up answer would file a picture under another shot."""
    vendor.says(json={"job": {"jobId": "job_2", "status": "success"}})
    with pytest.raises(UnexpectedAnswer, match="showed another"):
        await provider.status("job_1")


DONE = JobStatus(job_id="job_1", state=JobState.SUCCEEDED, provider_status="success", asset_ids=("asset_2", "asset_1"))


async def test_pictures_come_in_the_order_of_the_job(provider: ScenarioProvider, vendor: Vendor) -> None:
    """The order of `assetIds` is that of the outputs, and the original bytes are asked for."""
    properties = {"size": 123, "width": 64, "height": 64}
    first = {"id": "asset_2", "url": "https://cdn/2?s=2", "mimeType": "image/jpeg", "status": "success"}
    second = {
        "id": "asset_1",
        "url": "https://cdn/1?s=1",
        "mimeType": "image/png",
        "originalFileUrl": "https://cdn/original/1?s=1",
        "originalMimeType": "image/webp",
        "properties": properties,
    }
    vendor.says(json={"asset": {**first, "properties": properties}})
    vendor.says(json={"asset": second})
    assert await provider.pictures(DONE) == (
        RemotePicture(index=0, url="https://cdn/2?s=2", media_type="image/jpeg", size_bytes=123, asset_id="asset_2"),
        RemotePicture(index=1, url="https://cdn/original/1?s=1", media_type="image/webp", asset_id="asset_1"),
    )
    assert vendor.sent == [
        Sent("GET", f"{API}/assets/asset_2", {"originalAssets": "true"}),
        Sent("GET", f"{API}/assets/asset_1", {"originalAssets": "true"}),
    ]


@pytest.mark.parametrize(
    ("asset", "error_type"),
    [
        ({"status": "pending"}, ProviderUnavailable),
        ({"status": "pending", "url": "https://cdn/1"}, ProviderUnavailable),
        ({"status": "error", "url": "https://cdn/1"}, BadPicture),
        ({"status": "success"}, UnexpectedAnswer),
        ({"status": "success", "url": ["https://cdn/1"]}, UnexpectedAnswer),
    ],
)
async def test_an_asset_that_is_no_picture_yet(
    asset: dict[str, Any], error_type: type[Exception], provider: ScenarioProvider, vendor: Vendor
) -> None:
    """An asset may lag behind its job: that passes; one without a URL does not."""
    vendor.says(json={"asset": {"id": "asset_1", **asset}})
    with pytest.raises(error_type):
        await provider.pictures(DONE)


async def test_an_asset_that_is_not_found_is_asked_for_again(provider: ScenarioProvider, vendor: Vendor) -> None:
    """The job names it, and it was paid for: the shot stays open for a later run."""
    vendor.says(404, json={"reason": "Asset asset_2 not found."})
    with pytest.raises(ProviderUnavailable, match="does not find asset 'asset_2', which its job 'job_1' names") as told:
        await provider.pictures(DONE)
    assert (told.value.status_code, told.value.job_id) == (404, "job_1")


async def test_a_success_without_pictures_is_unexpected(provider: ScenarioProvider, vendor: Vendor) -> None:
    """A paid job that names no pictures needs a person."""
    with pytest.raises(UnexpectedAnswer, match="names no pictures"):
        await provider.pictures(DONE.model_copy(update={"asset_ids": ()}))
    assert vendor.requests == []


async def test_an_expired_link_is_told_from_a_bad_moment(provider: ScenarioProvider, vendor: Vendor) -> None:
    """The CDN answers 403 to an expired link: then a fresh one helps, and repeating does not."""
    vendor.says(403, text="<Error><Code>AccessDenied</Code></Error>")
    picture = RemotePicture(index=0, url="https://cdn.example/1.png?Signature=hidden")
    with pytest.raises(LinkExpired) as caught:
        await provider.download(picture)
    assert "hidden" not in str(caught.value)
    assert len(vendor.requests) == 1


async def test_a_picture_beyond_the_limit_is_not_taken(credentials: Any, vendor: Vendor) -> None:
    """The block's limit holds for what is downloaded."""
    vendor.says(200, content=b"12345", headers={"content-type": "image/png"})
    small = credentials.model_copy(update={"max_picture_size_bytes": 4})
    async with small.get_provider(transport=httpx.MockTransport(vendor)) as provider:
        with pytest.raises(BadPicture, match="larger than 4 bytes"):
            await provider.download(RemotePicture(index=0, url="https://cdn.example/1.png"))


def _job(job_id: str = "job_1", **changes: Any) -> dict[str, Any]:
    asked = {"prompt": "a teapot", "seed": 7, "width": 1024, "height": 768, **changes.pop("input", {})}
    return {
        "jobId": job_id,
        "jobType": "custom",
        "status": "in-progress",
        "createdAt": "2026-11-20T12:00:01.000Z",
        "metadata": {"input": asked},
        "billing": {"cuCost": 5, "cuDiscount": 0},
        **changes,
    }


async def test_a_lost_submit_is_found_again(provider: ScenarioProvider, vendor: Vendor) -> None:
    """All jobs since the submit are searched, with some minutes for clocks that differ, by seed and prompt."""
    vendor.says(json={"jobs": [_job("job_9", input={"seed": 8})], "nextPaginationToken": "t"})
    vendor.says(json={"jobs": [], "nextPaginationToken": "u"})
    vendor.says(json={"jobs": [_job("job_1", input={"seed": "7"})]})
    tickets = await provider.find_lost(TEAPOT, (), SENT_AT)
    assert tickets == (Ticket(provider="scenario", job_id="job_1", billed=Money(amount=Decimal(5), unit="CU")),)
    assert [sent.query for sent in vendor.sent] == [
        {"createdAfter": "2026-11-20T11:55:00.000Z", "pageSize": "100"},
        {"createdAfter": "2026-11-20T11:55:00.000Z", "pageSize": "100", "paginationToken": "t"},
        {"createdAfter": "2026-11-20T11:55:00.000Z", "pageSize": "100", "paginationToken": "u"},
    ]


async def test_all_that_look_alike_are_named(provider: ScenarioProvider, vendor: Vendor) -> None:
    """Of two jobs that were asked for the same, the ledger knows whose they are; the older one comes first."""
    later = (SENT_AT + timedelta(minutes=1)).isoformat()
    vendor.says(json={"jobs": [_job("job_2", createdAt=later), _job("job_1")]})
    tickets = await provider.find_lost(TEAPOT, (), SENT_AT)
    assert [ticket.job_id for ticket in tickets] == ["job_1", "job_2"]


async def test_no_match_is_no_job(provider: ScenarioProvider, vendor: Vendor) -> None:
    """An empty list names nobody."""
    vendor.says(json={"jobs": []})
    assert await provider.find_lost(TEAPOT, (), SENT_AT) == ()


async def test_one_job_on_two_pages_is_one(provider: ScenarioProvider, vendor: Vendor) -> None:
    """A list that grows while it is read shows a job twice; that is no second match."""
    vendor.says(json={"jobs": [_job("job_1")], "nextPaginationToken": "t"})
    vendor.says(json={"jobs": [_job("job_1")]})
    tickets = await provider.find_lost(TEAPOT, (), SENT_AT)
    assert [ticket.job_id for ticket in tickets] == ["job_1"]


async def test_references_uploaded_anew_do_not_hide_a_lost_edit(provider: ScenarioProvider, vendor: Vendor) -> None:
    """After a crash the asset ids of the references may be unknown: then seed and prompt have to do."""
    vendor.says(json={"jobs": [_job("job_1", input={"referenceImages": ["asset_1"]})]})
    edit = TEAPOT.model_copy(update={"references": (SHA256,)})
    known = [await provider.find_lost(edit, handles, SENT_AT) for handles in ((), ("asset_1",), ("asset_2",))]
    assert [[ticket.job_id for ticket in tickets] for tickets in known] == [["job_1"], ["job_1"], []]


@pytest.mark.parametrize("minutes", [6, 60 * 24])
async def test_an_older_job_is_another(minutes: int, provider: ScenarioProvider, vendor: Vendor) -> None:
    """A job from before the submit is not its outcome, even where the list shows it."""
    created = (SENT_AT - timedelta(minutes=minutes)).isoformat()
    vendor.says(json={"jobs": [_job("job_1", createdAt=created)]})
    assert await provider.find_lost(TEAPOT, (), SENT_AT) == ()


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (400, {"reason": "Cannot cancel this type of job. Action not permitted."}, CancelOutcome.REFUSED),
        (200, {"job": {"jobId": "job_1", "status": "canceled"}}, CancelOutcome.REQUESTED),
    ],
)
async def test_a_cancel_is_a_wish(
    status: int, answer: dict[str, Any], outcome: CancelOutcome, provider: ScenarioProvider, vendor: Vendor
) -> None:
    """Scenario refuses it for klein jobs; should it learn to, the wish goes out."""
    vendor.says(status, json=answer)
    assert await provider.cancel("job_1") is outcome
    assert vendor.sent == [Sent("POST", f"{API}/jobs/job_1/action", {}, {"action": "cancel"})]
