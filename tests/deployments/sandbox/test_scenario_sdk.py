"""The official Scenario SDK works against the sandbox."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import scenario_sdk
from scenario_sdk import Scenario

from tests.conftest import Sandbox
from tests.deployments.sandbox.conftest import SCENARIO_MODEL, opened, until

BODY: dict[str, Any] = {
    "prompt": "A teapot on a table",
    "seed": 7,
    "width": 256,
    "height": 192,
    "numInferenceSteps": 28,
}


def bought(client: Any, **changes: Any) -> Any:
    """A job from submit to success."""
    job_id = client.generate.run_model(model_id=SCENARIO_MODEL, body=BODY | changes).job.job_id
    return until(lambda: client.jobs.retrieve(job_id).job, lambda job: job.status == "success")


def test_a_job_runs_from_submit_to_pictures(scenario: Any, sandbox: Sandbox) -> None:
    """Submit, poll to success, fetch: as many pictures as asked, of the right type and size, with exact bytes."""
    job = bought(scenario, numOutputs=2)
    assert [change.status for change in job.status_history] == [
        "pending",
        "queued",
        "warming-up",
        "in-progress",
        "finalizing",
        "success",
    ]
    for index, asset_id in enumerate(job.metadata.asset_ids):
        asset = scenario.assets.retrieve(asset_id, original_assets=True).asset
        payload = httpx.get(asset.url).content
        assert (asset.mime_type, asset.properties.size) == ("image/png", len(payload))
        assert opened(payload).size == (256, 192)
        assert (asset.metadata.seed, asset.metadata.parent_job_id) == (str(7 + index), job.job_id)
    assert len(job.metadata.asset_ids) == 2
    assert [row["request"] for row in sandbox.jobs()] == [BODY | {"numOutputs": 2}]


def test_a_dry_run_is_269_and_costs_what_the_job_costs(scenario: Any, sandbox: Sandbox) -> None:
    """The estimate buys nothing; submit, job and estimate name one price."""
    dry = scenario.generate.with_raw_response.run_model(model_id=SCENARIO_MODEL, body=BODY, dry_run="true")
    assert dry.status_code == 269
    estimate = dry.http_response.json()
    assert "job" not in estimate
    assert sandbox.jobs() == []
    reply = scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY)
    assert reply.creative_units_cost == estimate["creativeUnitsCost"] == 0.25
    assert reply.cost_details.custom_generation == 0.25
    assert scenario.jobs.retrieve(reply.job.job_id).job.billing.cu_cost == 0.25


def test_a_dry_run_in_the_body_is_a_paid_job(scenario: Any, sandbox: Sandbox) -> None:
    """Only the query makes it dry; this is what bites people."""
    scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY | {"dryRun": "true"})
    assert len(sandbox.jobs()) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": ""}, "Input prompt is required"),
        ({"width": 250}, "Input width must be a multiple of 16"),
        ({"width": 64}, "Input width must be at least 128"),
        ({"height": 4096}, "Input height must be at most 2048"),
        ({"numOutputs": 5}, "Input numOutputs must be at most 4"),
        ({"numInferenceSteps": 0}, "Input numInferenceSteps must be at least 1"),
        ({"guidance": 11}, "Input guidance must be at most 10"),
        ({"seed": 2**31}, "Input seed must be at most 2147483647"),
        ({"seed": None}, "Input seed must be a number"),
        ({"lorasScale": [3]}, "Input lorasScale must be at most 2"),
        ({"loras": ["model_x"] * 7}, "Input loras must be at most 6 items long"),
        ({"colour": "red"}, "Input colour is not allowed"),
    ],
)
def test_wrong_inputs_are_refused_in_the_services_words(
    scenario: Any, sandbox: Sandbox, changes: dict[str, Any], reason: str
) -> None:
    """A 400 with ``reason``, and nothing is bought."""
    with pytest.raises(scenario_sdk.BadRequestError) as caught:
        scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY | changes)
    assert caught.value.body == {"reason": reason}
    assert sandbox.jobs() == []


def test_a_bare_value_where_a_list_belongs_is_silently_dropped(scenario: Any) -> None:
    """The run goes on without the reference, and its record shows that."""
    job = bought(scenario, referenceImages="asset_none", loras="model_x")
    asset = scenario.assets.retrieve(job.metadata.asset_ids[0]).asset
    assert (asset.metadata.type, asset.metadata.reference_images, asset.metadata.parent_id) == ("txt2img", None, None)


def test_an_unknown_model_is_404(scenario: Any) -> None:
    """So is an unknown job, and an unknown asset."""
    with pytest.raises(scenario_sdk.NotFoundError) as caught:
        scenario.generate.run_model(model_id="model_none", body=BODY)
    assert caught.value.body == {"reason": "Model model_none not found"}
    for missing in (scenario.jobs.retrieve, scenario.assets.retrieve, scenario.uploads.retrieve):
        with pytest.raises(scenario_sdk.NotFoundError):
            missing("nothing")


def test_wrong_credentials_are_401(sandbox: Sandbox) -> None:
    """And a Bearer token is a credential too."""
    wrong = Scenario(base_url=sandbox.url, api_key="sandbox-key", api_secret="wrong", max_retries=0)
    with wrong as client, pytest.raises(scenario_sdk.AuthenticationError):
        client.jobs.list()
    with Scenario(base_url=sandbox.url, bearer_auth="sandbox-key", max_retries=0) as client:
        assert client.jobs.list().jobs == []


def test_custom_jobs_cannot_be_cancelled(scenario: Any) -> None:
    """400, and the job runs to its end."""
    job_id = scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY).job.job_id
    with pytest.raises(scenario_sdk.BadRequestError) as caught:
        scenario.jobs.trigger_action(job_id, action="cancel")
    assert caught.value.body == {"reason": "Cannot cancel this type of job. Action not permitted."}
    until(lambda: scenario.jobs.retrieve(job_id).job, lambda job: job.status == "success")


def test_jobs_are_listed_newest_first_and_page_by_page(scenario: Any) -> None:
    """The SDK's own paging sees every job once; createdAfter cuts off the older ones."""
    ids = [scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY | {"seed": n}).job.job_id for n in range(5)]
    assert [job.job_id for job in scenario.jobs.list(page_size=2)] == ids[::-1]
    found = scenario.jobs.list(created_after=(datetime.now(UTC) - timedelta(minutes=1)).isoformat(), page_size=100).jobs
    assert [job.metadata.input["seed"] for job in found] == [4, 3, 2, 1, 0]
    assert scenario.jobs.list(created_after=(datetime.now(UTC) + timedelta(minutes=1)).isoformat()).jobs == []
    with pytest.raises(scenario_sdk.BadRequestError):
        scenario.jobs.list(created_after=datetime.now(UTC).isoformat(), type="custom")
    with pytest.raises(scenario_sdk.BadRequestError):
        scenario.jobs.list(updated_after=datetime.now(UTC).isoformat())


def test_an_inline_upload_becomes_a_reference(scenario: Any, photograph: bytes) -> None:
    """Base64 and data URL are both taken; the result's record proves that the reference was used."""
    encoded = base64.b64encode(photograph).decode()
    plain = scenario.assets.upload(name="lake.png", image=encoded).asset
    by_url = scenario.assets.upload(name="lake.png", image=f"data:image/png;base64,{encoded}").asset
    assert httpx.get(scenario.assets.retrieve(by_url.id, original_assets=True).asset.url).content == photograph
    job = bought(scenario, referenceImages=[plain.id, by_url.id])
    metadata = scenario.assets.retrieve(job.metadata.asset_ids[0]).asset.metadata
    assert (metadata.type, metadata.reference_images) == ("img2img", [plain.id, by_url.id])
    assert metadata.parent_id == plain.id
    with pytest.raises(scenario_sdk.BadRequestError):
        scenario.assets.upload(name="lake.png", image=base64.b64encode(b"no picture").decode())


def test_a_multipart_upload_is_imported(scenario: Any, photograph: bytes) -> None:
    """Announce, put the parts, complete, poll to imported: the asset has the very bytes."""
    half = len(photograph) // 2
    upload = scenario.uploads.create(
        kind="image", file_name="lake.png", file_size=len(photograph), content_type="image/png", parts=2
    ).upload
    assert upload.status == "pending"
    for part, payload in zip(upload.parts, (photograph[:half], photograph[half:]), strict=True):
        httpx.put(part.url, content=payload, headers={"Content-Type": "image/png"}).raise_for_status()
    scenario.uploads.trigger_action(upload.id, action="complete")
    seen = []

    def look() -> Any:
        seen.append(scenario.uploads.retrieve(upload.id).upload)
        return seen[-1]

    done = until(look, lambda state: state.status == "imported")
    assert {state.status for state in seen} <= {"complete", "validating", "validated", "imported"}
    assert httpx.get(scenario.assets.retrieve(done.entity_id, original_assets=True).asset.url).content == photograph
    assert scenario.jobs.retrieve(done.job_id).job.metadata.output["entityId"] == done.entity_id


def test_a_broken_multipart_upload_fails(scenario: Any, photograph: bytes) -> None:
    """Missing parts are refused at once; a wrong size ends in failed with a message."""
    upload = scenario.uploads.create(
        kind="image", file_name="lake.png", file_size=len(photograph) + 1, content_type="image/png", parts=1
    ).upload
    with pytest.raises(scenario_sdk.BadRequestError):
        scenario.uploads.trigger_action(upload.id, action="complete")
    httpx.put(upload.parts[0].url, content=photograph).raise_for_status()
    scenario.uploads.trigger_action(upload.id, action="complete")
    failed = until(lambda: scenario.uploads.retrieve(upload.id).upload, lambda state: state.status == "failed")
    assert (failed.error_message, failed.entity_id) == ("The file size does not match", None)


def test_assets_come_in_bulk_in_lists_and_as_downloads(scenario: Any) -> None:
    """Missing ids are left out; a download URL can ask for another format."""
    ids = bought(scenario, numOutputs=3).metadata.asset_ids
    bulk = scenario.assets.get_bulk(asset_ids=[*ids, "asset_none"]).assets
    assert {asset.id for asset in bulk} == set(ids)
    assert {asset.id for asset in scenario.assets.list(page_size=2)} == set(ids)
    url = scenario.assets.download.request(ids[0], target_format="webp").url
    assert opened(httpx.get(url).content).format == "WEBP"


def test_the_model_record_has_the_inputs(scenario: Any) -> None:
    """Names, types, limits, and which one is required."""
    inputs = {given.name: given for given in scenario.models.retrieve(SCENARIO_MODEL).model.inputs}
    assert [name for name, given in inputs.items() if given.required and given.required.always] == ["prompt"]
    assert (inputs["width"].min, inputs["width"].max, inputs["width"].step) == (128, 2048, 16)
    assert inputs["referenceImages"].type == "file_array"


def test_prompt_spark_answers_at_once(scenario: Any) -> None:
    """As many prompts as asked, each with the words given."""
    reply = scenario.generate.prompt(mode="structured", prompt="a red kettle", num_results=3)
    assert len(set(reply.prompts)) == 3
    assert all(prompt.startswith("a red kettle, ") for prompt in reply.prompts)
    assert reply.creative_units_cost == 1.0
    assert reply.job.status == "success"


def test_outputs_are_hidden_until_the_job_has_succeeded(scenario: Any, sandbox: Sandbox) -> None:
    """While the job runs, neither its record nor the list names them."""
    sandbox.fault("job_stuck", match="A teapot")
    job = scenario.generate.run_model(model_id=SCENARIO_MODEL, body=BODY).job
    time.sleep(0.15)
    assert scenario.jobs.retrieve(job.job_id).job.status == "in-progress"
    assert scenario.jobs.retrieve(job.job_id).job.metadata.asset_ids is None
    assert list(scenario.assets.list()) == []
