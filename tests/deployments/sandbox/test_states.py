"""States over time, on a clock that the test turns."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deployments.sandbox.app import create_app
from tests.deployments.sandbox.conftest import BASIC, SCENARIO_MODEL, SUNRA_MODEL

BODY = {"prompt": "hills", "width": 128, "height": 128}
KEY = {"Authorization": "Key sandbox-key"}
NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z


class Clock:
    """Epoch seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        """The time now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A sandbox in memory whose jobs take ten seconds of the test's clock; at most two at a time."""
    app = create_app(latency_seconds=10, clock=clock, max_parallel=2, url_ttl_seconds=60)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox/v1/", headers=BASIC) as client:
        yield client
    app.state.world.studio.close()


async def submitted(api: httpx.AsyncClient, **changes: Any) -> str:
    reply = await api.post(f"generate/custom/{SCENARIO_MODEL}", json=BODY | changes)
    return str(reply.raise_for_status().json()["job"]["jobId"])


async def fault(api: httpx.AsyncClient, kind: str, **fields: Any) -> None:
    body = {"faults": [{"kind": kind, **fields}]}
    (await api.post("http://sandbox/sandbox/faults", json=body)).raise_for_status()


async def job_of(api: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = (await api.get(f"jobs/{job_id}")).json()["job"]
    return job


async def test_a_scenario_job_passes_all_states_in_order(api: httpx.AsyncClient, clock: Clock) -> None:
    """From pending to success; progress goes from 0 to 1; assets are named at the end only."""
    job_id = await submitted(api)
    seen = []
    for second in (0, 1, 3, 5, 9, 10):
        clock.now = NOON + second
        job = await job_of(api, job_id)
        seen.append((job["status"], job["progress"], "assetIds" in job["metadata"]))
    assert seen == [
        ("pending", 0.0, False),
        ("queued", 0.1, False),
        ("warming-up", 0.3, False),
        ("in-progress", 0.5, False),
        ("finalizing", 0.9, False),
        ("success", 1.0, True),
    ]
    assert (job["createdAt"], job["updatedAt"]) == ("2026-03-01T12:00:00.000Z", "2026-03-01T12:00:10.000Z")


async def test_a_sunra_job_passes_all_states_in_order(api: httpx.AsyncClient, clock: Clock) -> None:
    """Queued with a position, in progress and completed with logs where they are asked for."""
    body = {"prompt": "night", "image_urls": ["http://elsewhere/a.png"]}
    urls = [(await api.post(f"queue/{SUNRA_MODEL}", json=body, headers=KEY)).json()["status_url"] for _ in range(2)]
    seen = []
    for second in (0, 5, 10):
        clock.now = NOON + second
        seen.append((await api.get(urls[1], params={"logs": 1}, headers=KEY)).json())
    assert [status["status"] for status in seen] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert seen[0]["queue_position"] == 1
    assert [len(status["logs"]) for status in seen[1:]] == [2, 3]
    assert (seen[2]["success"], seen[2]["error"]["reason"]) == (False, "input_fetch_failed")


async def test_more_jobs_than_allowed_are_refused(api: httpx.AsyncClient, clock: Clock) -> None:
    """429 with the action and its limit, nothing accepted; when one has finished, there is room again."""
    await submitted(api)
    await submitted(api)
    reply = await api.post(f"generate/custom/{SCENARIO_MODEL}", json=BODY)
    assert (reply.status_code, reply.json()["details"]) == (429, {"actionName": "parallelCustomJobs", "actionLimit": 2})
    clock.now += 10
    await submitted(api)
    assert len((await api.get("http://sandbox/sandbox/jobs")).json()) == 3


async def test_a_failed_job_is_refunded(api: httpx.AsyncClient, clock: Clock) -> None:
    """The cuCost still shows the charge; the accounts show what is really charged, with and without a refund."""
    await fault(api, "job_fails", error="NSFW content", refund=False)
    await fault(api, "job_fails", error="Worker died")
    kept, refunded = await submitted(api), await submitted(api)
    clock.now += 10
    jobs = [await job_of(api, job_id) for job_id in (kept, refunded)]
    assert [(job["status"], job["metadata"]["error"]) for job in jobs] == [
        ("failure", "NSFW content"),
        ("failure", "Worker died"),
    ]
    assert jobs[0]["billing"] == {"cuCost": 0.25, "cuDiscount": 0, "disableRefund": True}
    assert jobs[1]["billing"] == {"cuCost": 0.25, "cuDiscount": 0}
    accounts = (await api.get("http://sandbox/sandbox/jobs")).json()
    assert [job["charged"] for job in accounts] == [0.25, 0.0]


@pytest.mark.parametrize(("final", "expected"), [(False, ["on-fire", "success"]), (True, ["in-progress", "on-fire"])])
async def test_a_job_can_show_a_state_nobody_knows(
    api: httpx.AsyncClient, clock: Clock, final: bool, expected: list[str]
) -> None:
    """While it runs, or for good once it is over."""
    await fault(api, "job_status", status="on-fire", final=final)
    job_id = await submitted(api)
    seen = []
    for second in (5, 10):
        clock.now = NOON + second
        seen.append((await job_of(api, job_id))["status"])
    assert seen == expected


@pytest.mark.parametrize("logs", ["a text", ["lines"], None])
async def test_sunras_logs_can_be_anything(api: httpx.AsyncClient, clock: Clock, logs: Any) -> None:
    """Text, list or null, as in their documents and types."""
    await fault(api, "job_logs", logs=logs)
    body = {"prompt": "night", "image_urls": ["x"]}
    url = (await api.post(f"queue/{SUNRA_MODEL}?logs=1", json=body, headers=KEY)).json()["status_url"]
    clock.now += 5
    assert (await api.get(url, headers=KEY)).json()["logs"] == logs


async def test_a_slow_job_takes_longer_and_a_stuck_one_for_ever(api: httpx.AsyncClient, clock: Clock) -> None:
    """job_slow adds its seconds; job_stuck never ends."""
    await fault(api, "job_slow", seconds=10)
    await fault(api, "job_stuck")
    slow, stuck = await submitted(api), await submitted(api)
    clock.now += 19
    assert (await job_of(api, slow))["status"] == "finalizing"
    clock.now += 1
    assert (await job_of(api, slow))["status"] == "success"
    clock.now += 100_000
    assert (await job_of(api, stuck))["status"] == "in-progress"


async def test_a_signed_url_dies_and_a_fresh_one_lives(api: httpx.AsyncClient, clock: Clock) -> None:
    """Expired or altered: 403 in XML. The asset, asked again, names a URL that works."""
    job_id = await submitted(api)
    clock.now += 10
    asset_id = (await job_of(api, job_id))["metadata"]["assetIds"][0]

    async def url() -> str:
        asset = (await api.get(f"assets/{asset_id}", params={"originalAssets": "true"})).json()["asset"]
        return str(asset["url"])

    first = await url()
    whole = await api.get(first)
    assert whole.headers["content-type"] == "image/png"
    for altered in (first.replace("p=100", "p=99"), first + "&x=1", first.partition("?")[0]):
        assert (await api.get(altered)).status_code == 403
    clock.now += 60
    expired = await api.get(first)
    assert (expired.status_code, "<Code>AccessDenied</Code>" in expired.text) == (403, True)
    assert (await api.get(await url())).content == whole.content


async def test_without_original_assets_the_url_is_of_a_copy(api: httpx.AsyncClient, clock: Clock) -> None:
    """A re-encoded picture: not the bytes that were generated."""
    job_id = await submitted(api)
    clock.now += 10
    asset_id = (await job_of(api, job_id))["metadata"]["assetIds"][0]
    asset = (await api.get(f"assets/{asset_id}")).json()["asset"]
    copy, original = [await api.get(asset[name]) for name in ("url", "originalFileUrl")]
    assert (copy.headers["content-type"], original.headers["content-type"]) == ("image/jpeg", "image/png")
    assert len(original.content) == asset["properties"]["size"] != len(copy.content)
