import base64
import gzip
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from blocks.errors import InvalidRequest, ProviderUnavailable, RequestRejected, UnexpectedAnswer
from blocks.scenario.client import MAX_PAGES, ScenarioClient
from blocks.scenario.credentials import ScenarioCredentials
from blocks.scenario.wire import JobReceipt, JobsQuery, RunModelAnswer, RunModelRequest, SparkRequest
from blocks.scenario.wire_assets import AssetRequest, UploadPart, UploadRequest
from tests.blocks.scenario.conftest import Sent, Vendor

API = "https://api.cloud.scenario.com/v1"
TEAPOT = RunModelRequest(prompt="a teapot", seed=7, num_outputs=2)
TEAPOT_BODY = {"prompt": "a teapot", "seed": 7, "numOutputs": 2}
JOB = {"jobId": "job_1", "status": "queued"}
ASSET = {"id": "asset_1", "url": "https://cdn.cloud.scenario.com/assets/1.png?Signature=s"}
UPLOAD = {"id": "upload_1", "status": "pending", "parts": []}

Call = Callable[[ScenarioClient], Awaitable[Any]]

ENDPOINTS: dict[str, tuple[Call, Any, Sent]] = {
    "run_model": (
        lambda client: client.run_model("model_klein", TEAPOT),
        {"job": JOB},
        Sent("POST", f"{API}/generate/custom/model_klein", {}, TEAPOT_BODY),
    ),
    "spark": (
        lambda client: client.spark(SparkRequest(mode="completion", prompt="a teapot", num_results=2, top_p=0.5)),
        {"prompts": ["a blue teapot"]},
        Sent(
            "POST",
            f"{API}/generate/prompt",
            {},
            {"mode": "completion", "prompt": "a teapot", "numResults": 2, "topP": 0.5},
        ),
    ),
    "job": (lambda client: client.job("job_1"), {"job": JOB}, Sent("GET", f"{API}/jobs/job_1")),
    "jobs": (
        lambda client: client.jobs(JobsQuery(status="success", page_size=5)),
        {"jobs": []},
        Sent("GET", f"{API}/jobs", {"status": "success", "pageSize": "5"}),
    ),
    "cancel": (
        lambda client: client.cancel("job_1"),
        {"job": JOB},
        Sent("POST", f"{API}/jobs/job_1/action", {}, {"action": "cancel"}),
    ),
    "asset": (
        lambda client: client.asset("asset_1"),
        {"asset": ASSET},
        Sent("GET", f"{API}/assets/asset_1", {"originalAssets": "true"}),
    ),
    "assets": (
        lambda client: client.assets(("asset_1", "asset_2")),
        {"assets": [ASSET]},
        Sent("POST", f"{API}/assets/get-bulk", {"originalAssets": "true"}, {"assetIds": ["asset_1", "asset_2"]}),
    ),
    "create_asset": (
        lambda client: client.create_asset(AssetRequest(name="cup.png", image="data:image/png;base64,QQ==")),
        {"asset": ASSET},
        Sent("POST", f"{API}/assets", {}, {"name": "cup.png", "image": "data:image/png;base64,QQ=="}),
    ),
    "create_upload": (
        lambda client: client.create_upload(
            UploadRequest(file_name="cup.png", file_size=9, content_type="image/png", parts=1)
        ),
        {"upload": UPLOAD},
        Sent(
            "POST",
            f"{API}/uploads",
            {},
            {"kind": "image", "fileName": "cup.png", "fileSize": 9, "contentType": "image/png", "parts": 1},
        ),
    ),
    "complete_upload": (
        lambda client: client.complete_upload("upload_1"),
        {"upload": UPLOAD},
        Sent("POST", f"{API}/uploads/upload_1/action", {}, {"action": "complete"}),
    ),
    "upload": (
        lambda client: client.upload("upload_1"),
        {"upload": UPLOAD},
        Sent("GET", f"{API}/uploads/upload_1"),
    ),
    "model": (
        lambda client: client.model("model_klein"),
        {"model": {"id": "model_klein", "inputs": [{"name": "seed", "type": "number", "min": 0}]}},
        Sent("GET", f"{API}/models/model_klein"),
    ),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_each_call_sends_exactly_this(endpoint: str, client: ScenarioClient, vendor: Vendor) -> None:
    """One method is one request: this method, path, query and body, with the credentials."""
    call, answer, expected = ENDPOINTS[endpoint]
    vendor.says(json=answer)
    await call(client)
    assert vendor.sent == [expected]
    key = base64.b64encode(b"the-key:the-secret").decode()
    assert vendor.requests[0].headers["authorization"] == f"Basic {key}"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_project_is_named_in_each_query(
    endpoint: str, credentials: ScenarioCredentials, vendor: Vendor
) -> None:
    """With a project configured, each call says whose it is, and says it in the query only."""
    call, answer, expected = ENDPOINTS[endpoint]
    vendor.says(json=answer)
    of_project = credentials.model_copy(update={"project_id": "proj_1"})
    async with of_project.get_client(transport=httpx.MockTransport(vendor)) as client:
        await call(client)
    query = {**expected.query, "projectId": "proj_1"}
    assert vendor.sent == [Sent(expected.method, expected.url, query, expected.body)]


async def test_a_submit_gives_the_receipt(client: ScenarioClient, vendor: Vendor) -> None:
    """What counts of the answer to a submit: the job, and what it cost."""
    vendor.says(json={"job": JOB, "creativeUnitsCost": 17.75, "costDetails": {"custom-generation": 17.75}})
    answer = await client.run_model("model_klein", TEAPOT)
    assert answer == RunModelAnswer(job=JobReceipt(job_id="job_1"), creative_units_cost=Decimal("17.75"))


async def test_a_dry_run_says_so_in_the_query(client: ScenarioClient, vendor: Vendor) -> None:
    """`dryRun` in the body would buy: it is in the query, and the body is that of the submit itself."""
    vendor.says(269, json={"creativeUnitsCost": 17.75})
    estimate = await client.estimate("model_klein", TEAPOT)
    assert estimate.creative_units_cost == Decimal("17.75")
    assert vendor.sent == [Sent("POST", f"{API}/generate/custom/model_klein", {"dryRun": "true"}, TEAPOT_BODY)]


@pytest.mark.parametrize(
    ("identifier", "segment"),
    [("a/b", "a%2Fb"), ("a?b=c", "a%3Fb%3Dc"), ("../v2", "..%2Fv2"), ("a#b", "a%23b"), ("ä b", "%C3%A4%20b")],
)
async def test_an_id_is_one_step_of_the_path(
    identifier: str, segment: str, client: ScenarioClient, vendor: Vendor
) -> None:
    """Ids come from outside: none of them reaches another endpoint, or adds to the query."""
    vendor.says(json={"job": JOB})
    await client.job(identifier)
    assert vendor.requests[0].url.raw_path == f"/v1/jobs/{segment}".encode()


@pytest.mark.parametrize("identifier", ["", ".", ".."])
async def test_an_id_that_is_a_step_of_its_own_is_not_sent(
    identifier: str, client: ScenarioClient, vendor: Vendor
) -> None:
    """Dots cannot be escaped in a path, so they are refused."""
    for call in (client.job, client.asset, client.upload, client.model, client.cancel, client.complete_upload):
        with pytest.raises(InvalidRequest):
            await call(identifier)
    with pytest.raises(InvalidRequest):
        await client.run_model(identifier, TEAPOT)
    assert vendor.requests == []


async def test_the_list_goes_on_after_an_empty_page(client: ScenarioClient, vendor: Vendor) -> None:
    """Only a missing token ends the list; the official SDK stops at an empty page and misses jobs."""
    vendor.says(json={"jobs": [{"jobId": "job_1", "status": "queued"}], "nextPaginationToken": "one"})
    vendor.says(json={"jobs": [], "nextPaginationToken": "two"})
    vendor.says(json={"jobs": [{"jobId": "job_2", "status": "success"}]})
    jobs = await client.jobs_created_after(datetime(2026, 11, 20, tzinfo=UTC))
    assert [job.job_id for job in jobs] == ["job_1", "job_2"]
    since = {"createdAfter": "2026-11-20T00:00:00.000Z", "pageSize": "100"}
    assert [sent.query for sent in vendor.sent] == [
        since,
        {**since, "paginationToken": "one"},
        {**since, "paginationToken": "two"},
    ]


async def test_a_list_without_end_is_given_up(client: ScenarioClient, vendor: Vendor) -> None:
    """A list that never ends is an error, not an answer with what was seen so far."""
    vendor.says(json={"jobs": [], "nextPaginationToken": "again"})
    with pytest.raises(UnexpectedAnswer, match="did not end"):
        await client.jobs_created_after(datetime(2026, 11, 20, tzinfo=UTC))
    assert len(vendor.requests) == MAX_PAGES


async def test_too_many_assets_are_not_asked_for(client: ScenarioClient, vendor: Vendor) -> None:
    """The bulk call takes 200 ids (official SDK)."""
    with pytest.raises(InvalidRequest, match="assetIds must be at most 200 items long"):
        await client.assets(["asset"] * 201)
    assert vendor.requests == []


async def test_reads_are_repeated_and_posts_are_not(client: ScenarioClient, vendor: Vendor) -> None:
    """A poll survives a bad moment; a POST, even a free one, is the caller's to repeat."""
    vendor.says(503, text="<html>busy</html>")
    vendor.fails(httpx.ReadError("cut"))
    vendor.says(json={"job": JOB})
    assert (await client.job("job_1")).job_id == "job_1"
    assert len(vendor.requests) == 3
    vendor.script = [httpx.Response(503)]
    with pytest.raises(ProviderUnavailable):
        await client.complete_upload("upload_1")
    assert len(vendor.requests) == 4


async def test_a_cancel_that_is_refused_says_why(client: ScenarioClient, vendor: Vendor) -> None:
    """Jobs of custom models cannot be cancelled; the vendor's reason is in the message (public add-on)."""
    vendor.says(400, json={"reason": "Cannot cancel this type of job. Action not permitted."})
    with pytest.raises(RequestRejected, match=re.escape("Cannot cancel this type of job. Action not permitted")):
        await client.cancel("job_1")


async def test_files_travel_without_credentials(client: ScenarioClient, vendor: Vendor) -> None:
    """Part URLs and picture URLs may be on any host: the key goes to none of them."""
    vendor.says(200, content=b"bytes", headers={"content-type": "image/png"})
    part = UploadPart(number=1, url="https://uploads.example/1?signature=s")
    await client.put_part(part, b"bytes", "image/png")
    picture = await client.download("https://cdn.example/1.png?signature=s", max_size_bytes=5)
    assert (picture.data, picture.media_type) == (b"bytes", "image/png")
    put, get = vendor.requests
    assert (put.method, str(put.url), put.content) == ("PUT", part.url, b"bytes")
    assert put.headers["content-type"] == "image/png"
    assert (get.method, str(get.url)) == ("GET", "https://cdn.example/1.png?signature=s")
    assert not {"authorization"} & (put.headers.keys() | get.headers.keys())


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_a_part_is_taken_in_several_ways(status: int, client: ScenarioClient, vendor: Vendor) -> None:
    """Stores acknowledge a PUT differently (Scenario's Blender add-on accepts these)."""
    vendor.says(status)
    await client.put_part(UploadPart(number=1, url="https://uploads.example/1"), b"bytes", "image/png")
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [202, 301, 400, 403, 404, 500, 503])
async def test_a_part_that_is_not_taken_is_said(status: int, client: ScenarioClient, vendor: Vendor) -> None:
    """Without all parts there is no picture; the signed query of the part's URL stays out of the message."""
    vendor.says(status)
    with pytest.raises(ProviderUnavailable, match=r"uploads\.example/1") as caught:
        await client.put_part(UploadPart(number=1, url="https://uploads.example/1?sig=hidden"), b"x", "image/png")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/1", "", "http://[", "https:///1", "https://\x00/"])
async def test_a_part_goes_to_web_addresses_only(url: str, client: ScenarioClient, vendor: Vendor) -> None:
    """An answer may name any place; only those of the web are used."""
    with pytest.raises(UnexpectedAnswer):
        await client.put_part(UploadPart(number=1, url=url), b"x", "image/png")
    assert vendor.requests == []


async def test_an_answer_that_cannot_be_unpacked_is_an_error_of_ours(client: ScenarioClient, vendor: Vendor) -> None:
    """A broken compression breaks inside the HTTP library; the caller sees our tree only."""
    packed = gzip.compress(b'{"job":{}}')[:-9]

    async def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Bytes(b"no gzip" + packed))

    client._api._transport = httpx.MockTransport(broken)
    with pytest.raises(ProviderUnavailable):
        await client.job("job_1")


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> Any:
        yield self._data
