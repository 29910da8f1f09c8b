from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.scenario.wire import (
    Estimate,
    Job,
    JobAnswer,
    JobBilling,
    JobReceipt,
    JobsPage,
    JobsQuery,
    RunModelAnswer,
    RunModelRequest,
    SparkRequest,
)
from blocks.scenario.wire_assets import Asset, AssetAnswer, AssetRequest, AssetsAnswer, UploadRequest
from blocks.scenario.wire_types import ScenarioRequest

MOMENT = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)


def test_a_full_request_is_named_as_the_vendor_names_it() -> None:
    """Every parameter goes out under the name of Scenario's model page, lists as lists."""
    request = RunModelRequest(
        prompt="a teapot",
        loras=("model_a", "model_b"),
        loras_scale=(0.5, 1.0),
        reference_images=("asset_1",),
        num_outputs=4,
        num_inference_steps=28,
        width=1024,
        height=768,
        guidance=4.5,
        seed=7,
    )
    assert request.as_json() == {
        "prompt": "a teapot",
        "loras": ["model_a", "model_b"],
        "lorasScale": [0.5, 1.0],
        "referenceImages": ["asset_1"],
        "numOutputs": 4,
        "numInferenceSteps": 28,
        "width": 1024,
        "height": 768,
        "guidance": 4.5,
        "seed": 7,
    }


def test_what_is_not_given_is_not_sent() -> None:
    """Scenario takes a null for a value, so `None` never becomes one."""
    assert RunModelRequest(prompt="a teapot").as_json() == {"prompt": "a teapot"}


@pytest.mark.parametrize("name", ["dryRun", "dry_run", "projectId", "ipDetection", "numOutputs", "outputs"])
@pytest.mark.parametrize("request_type", [RunModelRequest, SparkRequest, AssetRequest, UploadRequest])
def test_no_other_field_can_enter_a_body(request_type: type[ScenarioRequest], name: str) -> None:
    """A dryRun in a body buys: there is no way to put one there."""
    with pytest.raises(ValidationError) as caught:
        request_type.model_validate({"prompt": "a teapot", name: "true"})
    assert (name,) in {problem["loc"] for problem in caught.value.errors() if problem["type"] == "extra_forbidden"}


def test_scales_without_their_loras_are_refused() -> None:
    """`lorasScale` is parallel to `loras`; one too many would weigh the wrong LoRA."""
    with pytest.raises(ValidationError, match="lorasScale must have one number for each of loras"):
        RunModelRequest(prompt="a teapot", loras=("model_a",), loras_scale=(1.0, 0.5))


def test_a_jobs_query_is_written_as_the_vendor_writes_it() -> None:
    """Times are UTC with milliseconds and a Z, lists are comma separated (official SDK)."""
    created = JobsQuery(created_after=MOMENT.astimezone(timezone(timedelta(hours=2))), pagination_token="t")
    assert created.as_json() == {
        "createdAfter": "2026-11-20T12:30:15.123Z",
        "pageSize": 100,
        "paginationToken": "t",
    }
    updated = JobsQuery(updated_after=MOMENT, types=("custom", "upload"), page_size=5)
    assert updated.as_json() == {"updatedAfter": "2026-11-20T12:30:15.123Z", "types": "custom,upload", "pageSize": 5}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"created_after": MOMENT, "types": ("custom",)}, "use updatedAfter"),
        ({"created_after": MOMENT, "status": "success"}, "use updatedAfter"),
        ({"created_after": MOMENT, "workflow_id": "w"}, "use updatedAfter"),
        ({"updated_after": MOMENT}, "use createdAfter"),
        ({"created_after": MOMENT.replace(tzinfo=None)}, "timezone"),
        ({"page_size": 101}, "less than or equal to 100"),
        ({"page_size": 0}, "greater than or equal to 1"),
    ],
)
def test_a_jobs_query_that_scenario_would_refuse_is_not_made(fields: dict[str, Any], message: str) -> None:
    """`createdAfter` and `updatedAfter` each go with one order of the list (official SDK)."""
    with pytest.raises(ValidationError, match=message):
        JobsQuery(**fields)


def test_the_job_of_the_model_page_is_read() -> None:
    """The minimal example of Scenario's model page is a whole answer."""
    answer = JobAnswer.model_validate_json(
        '{"job":{"jobId":"job_abc123","status":"success","metadata":{"assetIds":["asset_abc123"]}}}'
    )
    assert answer.job.job_id == "job_abc123"
    assert answer.job.metadata is not None
    assert answer.job.metadata.asset_ids == ("asset_abc123",)


@pytest.mark.parametrize(
    "oddity",
    [
        {"progress": "half"},
        {"progress": 7},
        {"progress": None},
        {"metadata": None},
        {"metadata": []},
        {"metadata": {"assetIds": "asset_1", "error": {"text": "no"}, "input": [], "output": 1, "hint": 3}},
        {"billing": {"cuCost": "much"}},
        {"billing": {"cuCost": -1}},
        {"billing": 5},
        {"createdAt": "yesterday"},
        {"jobType": 5},
        {"statusHistory": "long", "somethingNew": {"deep": [1]}},
    ],
)
def test_an_odd_optional_field_never_hides_a_job(oddity: dict[str, Any]) -> None:
    """Only id and status are needed; the rest reads as absent where it is odd."""
    job = Job.model_validate({"jobId": "job_1", "status": "dreaming", **oddity})
    assert (job.job_id, job.status) == ("job_1", "dreaming")
    assert (job.progress, job.billing, job.created_at, job.job_type) == (None, None, None, None)


@pytest.mark.parametrize("job_id", ["", ".", "..", None, 5, ["job_1"]])
def test_a_receipt_without_a_usable_id_is_none(job_id: Any) -> None:
    """A submit is acknowledged by an id with which its job can be asked for, and by nothing less."""
    with pytest.raises(ValidationError):
        JobReceipt.model_validate({"jobId": job_id})


def test_a_receipt_needs_nothing_but_the_id() -> None:
    """A paid job is never lost over the shape of anything else in its answer."""
    answer = RunModelAnswer.model_validate_json(b'{"job":{"jobId":"job_1","status":7},"creativeUnitsCost":"?"}')
    assert answer == RunModelAnswer(job=JobReceipt(job_id="job_1"), creative_units_cost=None)


def test_money_is_exact() -> None:
    """Creative units have fractions, which no float may blur (captured answer of a dry run)."""
    estimate = Estimate.model_validate_json(
        '{"creativeUnitsCost":17.75,"creativeUnitsDiscount":0.1,"costDetails":{"custom-generation":16}}'
    )
    assert estimate == Estimate(creative_units_cost=Decimal("17.75"), creative_units_discount=Decimal("0.1"))


@pytest.mark.parametrize("job", ["null", "{}", '{"jobId":"job_1"}'])
def test_an_estimate_tells_when_it_has_a_job(job: str) -> None:
    """A job in the answer to a dry run means that it was none, even where it is null."""
    assert Estimate.model_validate_json(f'{{"creativeUnitsCost":1,"job":{job}}}').has_job
    assert not Estimate.model_validate_json('{"creativeUnitsCost":1}').has_job


def test_add_ons_count() -> None:
    """A job costs its main action and its add-ons, also those that nobody knows yet (official SDK)."""
    billing = JobBilling.model_validate_json(
        '{"cuCost":16,"cuDiscount":0,"cuCostDetails":{"quality-gate":1.75,"tomorrow":0.5,"none":null}}'
    )
    assert billing.total == Decimal("18.25")


def test_the_seed_of_a_job_may_be_a_string() -> None:
    """Scenario's assets give the seed as a string; its jobs may, too."""
    job = Job.model_validate_json('{"jobId":"j","status":"queued","metadata":{"input":{"seed":"42","width":"1024"}}}')
    assert job.metadata is not None
    assert job.metadata.input is not None
    assert (job.metadata.input.seed, job.metadata.input.width, job.metadata.input.prompt) == (42, 1024, None)


def test_a_strange_job_hides_no_other() -> None:
    """A list of jobs holds all kinds of jobs; one that cannot be read must not hide a lost one."""
    page = JobsPage.model_validate({"jobs": [{"odd": 1}, {"jobId": "job_1", "status": "queued"}, None]})
    assert [job.job_id for job in page.readable_jobs] == ["job_1"]


def test_bulk_assets_come_in_the_order_asked() -> None:
    """The vendor's order is unspecified and missing ones are left out; ours is the caller's."""
    answer = AssetsAnswer(assets=tuple(Asset(id=name) for name in ("c", "a", "z")))
    assert [asset.id for asset in answer.in_order_of(("a", "b", "c", "a"))] == ["a", "c", "a"]


def test_signed_urls_do_not_show() -> None:
    """A signed URL is a key: it is in no repr and in no validation error."""
    url = "https://cdn.cloud.scenario.com/assets/a.png?Signature=hidden"
    assert "hidden" not in repr(Asset(id="asset_1", url=url, original_file_url=url))
    with pytest.raises(ValidationError) as caught:
        AssetAnswer.model_validate({"asset": {"url": url}})
    assert "hidden" not in str(caught.value)
