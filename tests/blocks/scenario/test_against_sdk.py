"""The official SDK as an oracle: for the same call, it and our client send the same request."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from scenario_sdk import AsyncScenario

from blocks.scenario.client import ScenarioClient
from blocks.scenario.wire import JobsQuery, RunModelRequest, SparkRequest
from blocks.scenario.wire_assets import AssetRequest, UploadRequest
from tests.blocks.scenario.conftest import Vendor

MODEL = "model_bfl-flux-2-klein-4b-base"
FULL = RunModelRequest(
    prompt='ein Teekännchen, 50% "blue"',
    loras=("model_a", "model_b"),
    loras_scale=(0.5, 1.0),
    reference_images=("asset_1",),
    num_outputs=2,
    num_inference_steps=28,
    width=1024,
    height=768,
    guidance=4.5,
    seed=2_147_483_647,
)
JOB = {"job": {"jobId": "job_1", "status": "queued"}}
ASSET = {"asset": {"id": "asset_1"}}
UPLOAD = {"upload": {"id": "upload_1", "status": "pending"}}
ANNOUNCED = UploadRequest(file_name="cup.png", file_size=9_000_000, content_type="image/png", parts=1)
SINCE = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)

Ours = Callable[[ScenarioClient], Awaitable[Any]]
Theirs = Callable[[AsyncScenario], Awaitable[Any]]

CALLS: dict[str, tuple[int, Any, Ours, Theirs]] = {
    "run_model": (
        200,
        JOB,
        lambda ours: ours.run_model(MODEL, FULL),
        lambda sdk: sdk.generate.run_model(model_id=MODEL, body=FULL.as_json()),
    ),
    "run_model, bare": (
        200,
        JOB,
        lambda ours: ours.run_model(MODEL, RunModelRequest(prompt="a teapot")),
        lambda sdk: sdk.generate.run_model(model_id=MODEL, body={"prompt": "a teapot"}),
    ),
    "estimate": (
        269,
        {"creativeUnitsCost": 5},
        lambda ours: ours.estimate(MODEL, FULL),
        lambda sdk: sdk.generate.run_model(model_id=MODEL, body=FULL.as_json(), dry_run="true"),
    ),
    "run_model, odd id": (
        200,
        JOB,
        lambda ours: ours.run_model("a/b?c#d ä%2F", FULL),
        lambda sdk: sdk.generate.run_model(model_id="a/b?c#d ä%2F", body=FULL.as_json()),
    ),
    "spark": (
        200,
        {"prompts": ["a teapot"]},
        lambda ours: ours.spark(
            SparkRequest(mode="contextual", prompt="tea", num_results=3, model_id=MODEL, images=("asset_1",), seed=7)
        ),
        lambda sdk: sdk.generate.prompt(
            mode="contextual", prompt="tea", num_results=3, model_id=MODEL, images=["asset_1"], seed=7
        ),
    ),
    "job": (200, JOB, lambda ours: ours.job("job_1"), lambda sdk: sdk.jobs.retrieve("job_1")),
    "jobs, by creation": (
        200,
        {"jobs": []},
        lambda ours: ours.jobs(JobsQuery(created_after=SINCE, pagination_token="t/+=")),
        lambda sdk: sdk.jobs.list(created_after="2026-11-20T12:30:15.123Z", page_size=100, pagination_token="t/+="),
    ),
    "jobs, by update": (
        200,
        {"jobs": []},
        lambda ours: ours.jobs(JobsQuery(updated_after=SINCE, types=("custom", "upload"), page_size=5)),
        lambda sdk: sdk.jobs.list(updated_after="2026-11-20T12:30:15.123Z", types=["custom", "upload"], page_size=5),
    ),
    "cancel": (
        200,
        JOB,
        lambda ours: ours.cancel("job_1"),
        lambda sdk: sdk.jobs.trigger_action("job_1", action="cancel"),
    ),
    "asset": (
        200,
        ASSET,
        lambda ours: ours.asset("asset_1"),
        lambda sdk: sdk.assets.retrieve("asset_1", original_assets=True),
    ),
    "assets": (
        200,
        {"assets": []},
        lambda ours: ours.assets(("asset_1", "asset_2")),
        lambda sdk: sdk.assets.get_bulk(asset_ids=["asset_1", "asset_2"], original_assets=True),
    ),
    "create_asset": (
        200,
        ASSET,
        lambda ours: ours.create_asset(AssetRequest(name="cup.png", image="data:image/png;base64,QQ==", hide=True)),
        lambda sdk: sdk.assets.upload(name="cup.png", image="data:image/png;base64,QQ==", hide=True),
    ),
    "create_upload": (
        200,
        UPLOAD,
        lambda ours: ours.create_upload(ANNOUNCED),
        lambda sdk: sdk.uploads.create(
            kind="image", file_name="cup.png", file_size=9_000_000, content_type="image/png", parts=1
        ),
    ),
    "complete_upload": (
        200,
        UPLOAD,
        lambda ours: ours.complete_upload("upload_1"),
        lambda sdk: sdk.uploads.trigger_action("upload_1", action="complete"),
    ),
    "upload": (200, UPLOAD, lambda ours: ours.upload("upload_1"), lambda sdk: sdk.uploads.retrieve("upload_1")),
    "model": (
        200,
        {"model": {"id": MODEL}},
        lambda ours: ours.model(MODEL),
        lambda sdk: sdk.models.retrieve(MODEL),
    ),
}


@pytest.mark.parametrize("call", CALLS)
async def test_our_client_sends_what_the_official_sdk_sends(call: str, client: ScenarioClient) -> None:
    """Method, path, query, body and credentials agree with the SDK that the vendor generates from its OpenAPI."""
    status, answer, ours, theirs = CALLS[call]
    heard_ours, heard_theirs = Vendor(), Vendor()
    heard_ours.says(status, json=answer)
    heard_theirs.says(status, json=answer)
    client._api._transport = httpx.MockTransport(heard_ours)
    await ours(client)
    async with httpx.AsyncClient(transport=httpx.MockTransport(heard_theirs)) as http:
        await theirs(AsyncScenario(api_key="the-key", api_secret="the-secret", max_retries=0, http_client=http))
    assert heard_ours.sent == heard_theirs.sent
    (our_request,), (their_request,) = heard_ours.requests, heard_theirs.requests
    assert our_request.url.raw_path.partition(b"?")[0] == their_request.url.raw_path.partition(b"?")[0]
    assert our_request.headers["authorization"] == their_request.headers["authorization"]
