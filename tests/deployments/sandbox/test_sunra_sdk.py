"""The official Sunra SDK works against the sandbox."""

import base64
from typing import Any

import httpx
import pytest
import sunra_client
from sunra_client.client import Completed, InProgress, Queued, SunraClientError

from tests.conftest import Sandbox
from tests.deployments.sandbox.conftest import SUNRA_MODEL, ToSandbox, opened, until

KEY = {"Authorization": "Key sandbox-key"}


@pytest.fixture
def source(sunra: sunra_client.SyncClient, photograph: bytes) -> str:
    """The URL of an uploaded picture of 320 by 240 pixels."""
    return sunra.upload(photograph, "image/png", "lake.png")


def arguments(source: str, **changes: Any) -> dict[str, Any]:
    return {"prompt": "make it night", "image_urls": [source], "seed": None} | changes


def test_subscribe_runs_from_submit_to_the_picture(
    sunra: sunra_client.SyncClient, source: str, sandbox: Sandbox
) -> None:
    """Queued, in progress, completed; the result names one picture with its true size in bytes."""
    seen: list[Any] = []
    result: Any = sunra.subscribe(SUNRA_MODEL, arguments(source), on_queue_update=seen.append)
    states = list(dict.fromkeys(map(type, seen)))
    assert states == [state for state in (Queued, InProgress, Completed) if state in states]
    assert states[-1] is Completed
    [image] = result["images"]
    payload = httpx.get(image["url"]).content
    assert (image["content_type"], image["file_size"]) == ("image/png", len(payload))
    assert opened(payload).size == (320, 240)
    assert [job["request"] for job in sandbox.jobs()] == [arguments(source)]


@pytest.mark.parametrize(
    ("output_format", "aspect_ratio", "expected_format", "expected_size"),
    [("jpeg", "1:1", "JPEG", (272, 272)), ("webp", "16:9", "WEBP", (368, 208)), ("png", "3:4", "PNG", (240, 320))],
)
def test_format_and_aspect_ratio_are_honoured(
    sunra: sunra_client.SyncClient,
    source: str,
    output_format: str,
    aspect_ratio: str,
    expected_format: str,
    expected_size: tuple[int, int],
) -> None:
    """The picture has as many pixels as its source, in the wanted ratio, on a grid of 16."""
    wanted = arguments(source, output_format=output_format, aspect_ratio=aspect_ratio)
    result: Any = sunra.subscribe(SUNRA_MODEL, wanted)
    picture = opened(httpx.get(result["images"][0]["url"]).content)
    assert (picture.format, picture.size) == (expected_format, expected_size)


def test_stream_ends_with_completed(sunra: sunra_client.SyncClient, source: str) -> None:
    """Each event is a status body; the states come in their order."""
    events = [event["status"] for event in sunra.stream(SUNRA_MODEL, arguments(source), timeout=20)]
    assert events == [state for state in ("IN_QUEUE", "IN_PROGRESS", "COMPLETED") if state in events]
    assert events[-1] == "COMPLETED"


def test_a_known_id_is_found_with_the_double_slash(sunra: sunra_client.SyncClient, source: str) -> None:
    """``/queue//requests/ID`` is what the SDK sends for an id."""
    request_id = sunra.submit(SUNRA_MODEL, arguments(source)).request_id
    until(lambda: sunra.status(request_id), lambda status: isinstance(status, Completed))
    assert len(sunra.result(request_id)["images"]) == 1


def test_cancel_stops_a_job_that_has_not_begun(
    sunra: sunra_client.SyncClient, source: str, sandbox: Sandbox, api: httpx.Client
) -> None:
    """Later it is only a request: the job runs on, and after its end the answer is 400."""
    sandbox.fault("job_slow", seconds=20)
    handle = sunra.submit(SUNRA_MODEL, arguments(source))
    handle.cancel()
    status = api.get(handle.status_url, headers=KEY).json()
    assert (status["status"], status["success"]) == ("CANCELED", False)
    done = sunra.submit(SUNRA_MODEL, arguments(source))
    until(done.status, lambda status: isinstance(status, Completed))
    with pytest.raises(SunraClientError):
        done.cancel()


def test_a_failed_prediction_is_completed_without_success(
    sunra: sunra_client.SyncClient, source: str, sandbox: Sandbox
) -> None:
    """Error contract v2: code, reason and retryable, in the status and again in the result."""
    error = {"code": "unsafe_content", "message": "No.", "reason": "moderation_blocked", "retryable": False}
    sandbox.fault("job_fails", error=error)
    handle = sunra.submit(SUNRA_MODEL, arguments(source))
    status = until(handle.status, lambda status: isinstance(status, Completed))
    assert isinstance(status, Completed)
    assert (status.success, status.error) == (False, error | {"timestamp": (status.error or {})["timestamp"]})
    with pytest.raises(SunraClientError) as caught:
        sunra.result(handle.request_id)
    failure = caught.value
    assert (failure.code, failure.reason, failure.retryable) == ("unsafe_content", "moderation_blocked", False)


def test_an_unreachable_picture_fails_the_job(sunra: sunra_client.SyncClient) -> None:
    """The sandbox fetches nothing from elsewhere; the failure says input_fetch_failed."""
    handle = sunra.submit(SUNRA_MODEL, arguments("https://example.com/a.png"))
    status = until(handle.status, lambda status: isinstance(status, Completed))
    assert isinstance(status, Completed)
    assert not status.success
    assert (status.error or {})["reason"] == "input_fetch_failed"


def test_the_two_403s_can_be_told_apart(sunra: sunra_client.SyncClient, source: str, sandbox: Sandbox) -> None:
    """A rate limit has no code of its own and no requests left; a refused model has both. Nothing is bought."""
    sandbox.fault("submit_rate_limited", provider="sunra")
    with pytest.raises(SunraClientError) as limited:
        sunra.submit(SUNRA_MODEL, arguments(source))
    assert (limited.value.code, (limited.value.rate_limit or {})["remaining"]) == ("403", 0)
    sandbox.fault("submit_forbidden", provider="sunra")
    with pytest.raises(SunraClientError) as denied:
        sunra.submit(SUNRA_MODEL, arguments(source))
    assert (denied.value.code, denied.value.type) == ("MODEL_ACCESS_DENIED", "authorization_error")
    assert (denied.value.rate_limit or {})["remaining"] == 99
    sandbox.fault("submit_no_credit", provider="sunra", envelope="legacy")
    with pytest.raises(SunraClientError) as broke:
        sunra.submit(SUNRA_MODEL, arguments(source))
    assert (broke.value.code, (broke.value.details or {})["operation"]) == ("INSUFFICIENT_CREDIT", "freeze_credit")
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": " "}, "prompt: must be a non-empty string"),
        ({"image_urls": []}, "image_urls: must have 1 to 4 items"),
        ({"image_urls": ["x"] * 5}, "image_urls: must have 1 to 4 items"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio: must be one of auto, 1:1, 4:3, 3:4, 16:9, 9:16"),
        ({"num_inference_steps": 3}, "num_inference_steps: must be an integer from 4 to 8"),
        ({"seed": -1}, "seed: must be an integer from 0 to 2147483647"),
        ({"output_format": "gif"}, "output_format: must be one of jpeg, png, webp"),
        ({"loras": [{"scale": 1}]}, "loras.path: field required"),
        ({"loras": [{"path": "a/b", "scale": 5}]}, "loras.scale: must be from 0 to 4"),
        ({"loras": [{"path": "a/b"}] * 4}, "loras: must be a list of at most 3 items"),
        ({"guidance": 4}, "guidance: unknown field"),
    ],
)
def test_wrong_inputs_are_refused(
    sunra: sunra_client.SyncClient, source: str, sandbox: Sandbox, changes: dict[str, Any], message: str
) -> None:
    """400 in the error envelope, and nothing is bought."""
    with pytest.raises(SunraClientError) as caught:
        sunra.submit(SUNRA_MODEL, arguments(source, **changes))
    assert (caught.value.code, caught.value.message) == ("INVALID_INPUT", message)
    assert sandbox.jobs() == []


def test_a_file_name_without_extension_is_refused(sunra: sunra_client.SyncClient, photograph: bytes) -> None:
    """As on the real store."""
    with pytest.raises(SunraClientError, match="Invalid filename"):
        sunra.upload(photograph, "image/png", "lake")


def test_both_schemes_open_and_a_wrong_key_does_not(sandbox: Sandbox, api: httpx.Client, photograph: bytes) -> None:
    """``Key`` and ``Bearer`` are the same key; a data URI is taken as a picture."""
    data_uri = "data:image/png;base64," + base64.b64encode(photograph).decode()
    for scheme in ("Key", "Bearer"):
        headers = {"Authorization": f"{scheme} sandbox-key"}
        reply = api.post(f"queue/{SUNRA_MODEL}?logs=1", json=arguments(data_uri), headers=headers)
        assert set(reply.json()) == {"request_id", "response_url", "status_url", "cancel_url"}
    with httpx.Client(transport=ToSandbox(sandbox.origin)) as client:
        wrong = sunra_client.SyncClient(key="wrong", http_client=client)
        with pytest.raises(SunraClientError) as caught:
            wrong.submit(SUNRA_MODEL, arguments(data_uri))
    assert caught.value.code == "UNAUTHORIZED"
    assert len(sandbox.jobs()) == 2
