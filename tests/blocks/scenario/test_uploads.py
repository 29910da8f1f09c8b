import base64
from typing import Any

import httpx
import pytest

from blocks.errors import ProviderUnavailable, RequestRejected, UnexpectedAnswer
from blocks.scenario import uploads
from blocks.scenario.client import ScenarioClient
from blocks.scenario.uploads import upload_asset
from tests.blocks.scenario.conftest import Sent, Vendor

API = "https://api.cloud.scenario.com/v1"
PARTS = "https://uploads.example"


async def _upload(client: ScenarioClient, data: bytes, *, name: str = "cup.png", deadline_seconds: float = 30) -> str:
    return await upload_asset(
        client, data, "image/png", name, deadline_seconds=deadline_seconds, poll_interval_seconds=0
    )


def _upload_answer(status: str, parts: int = 0, **facts: Any) -> dict[str, Any]:
    places = [{"number": number, "url": f"{PARTS}/{number}"} for number in range(parts, 0, -1)]
    return {"upload": {"id": "upload_1", "status": status, "parts": places, **facts}}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_INLINE_SIZE_BYTES", 4)
    monkeypatch.setattr(uploads, "MAX_PART_SIZE_BYTES", 10)


async def test_a_small_picture_goes_inline(client: ScenarioClient, vendor: Vendor) -> None:
    """Up to 3.5 MB a picture is one request, as a data URL; its name is for people, so it is one clean line."""
    vendor.says(json={"asset": {"id": "asset_1"}})
    assert await _upload(client, b"picture", name="cup\r\n.png") == "asset_1"
    image = f"data:image/png;base64,{base64.b64encode(b'picture').decode()}"
    assert vendor.sent == [Sent("POST", f"{API}/assets", {}, {"name": "cup .png", "image": image})]


async def test_the_border_between_the_two_ways(client: ScenarioClient, vendor: Vendor) -> None:
    """3.5 MB go inline, one byte more in parts (Scenario's Blender add-on)."""
    vendor.says(json={"asset": {"id": "asset_1"}})
    await _upload(client, bytes(3_500_000))
    vendor.script = [httpx.Response(400, json={"reason": "enough"})]
    with pytest.raises(RequestRejected):
        await _upload(client, bytes(3_500_001))
    assert [sent.url for sent in vendor.sent] == [f"{API}/assets", f"{API}/uploads"]


@pytest.mark.usefixtures("small_parts")
async def test_a_large_picture_goes_in_parts(client: ScenarioClient, vendor: Vendor) -> None:
    """Announce, put each part where its number says, complete, and wait until it is imported."""
    vendor.says(json=_upload_answer("pending", parts=3))
    for _ in range(3):
        vendor.says(200)
    vendor.says(json=_upload_answer("complete"))
    vendor.says(json=_upload_answer("validating"))
    vendor.says(json=_upload_answer("imported", entityId="asset_9"))
    data = bytes(range(25))
    assert await _upload(client, data) == "asset_9"
    announcement = {
        "kind": "image",
        "fileName": "cup.png",
        "fileSize": 25,
        "contentType": "image/png",
        "parts": 3,
    }
    assert vendor.sent == [
        Sent("POST", f"{API}/uploads", {}, announcement),
        Sent("PUT", f"{PARTS}/1", {}, data[:9]),
        Sent("PUT", f"{PARTS}/2", {}, data[9:18]),
        Sent("PUT", f"{PARTS}/3", {}, data[18:]),
        Sent("POST", f"{API}/uploads/upload_1/action", {}, {"action": "complete"}),
        Sent("GET", f"{API}/uploads/upload_1"),
        Sent("GET", f"{API}/uploads/upload_1"),
    ]


@pytest.mark.parametrize("size_mib", [4, 31, 32, 33, 64, 65, 100, 321])
def test_parts_are_of_a_size_that_scenario_takes(size_mib: int) -> None:
    """Parts are 5 to 32 MB, except where the whole file is smaller; together they are the file."""
    size_bytes = size_mib * 1024 * 1024 + 1
    sizes = [len(part) for part in uploads._equal_parts(bytes(size_bytes))]
    assert sum(sizes) == size_bytes
    assert max(sizes) <= 32 * 1024 * 1024
    assert len(sizes) == 1 or min(sizes) >= 5 * 1024 * 1024


@pytest.mark.usefixtures("small_parts")
async def test_an_asset_named_only_in_the_job_is_found(client: ScenarioClient, vendor: Vendor) -> None:
    """Where the upload does not name its asset, its job does (Scenario's Blender add-on)."""
    vendor.says(json=_upload_answer("pending", parts=1))
    vendor.says(200)
    vendor.says(json=_upload_answer("imported", jobId="job_1"))
    job = {"jobId": "job_1", "status": "success", "metadata": {"output": {"entityId": "asset_9"}}}
    vendor.says(json={"job": job})
    assert await _upload(client, b"picture") == "asset_9"
    assert vendor.sent[-1] == Sent("GET", f"{API}/jobs/job_1")


@pytest.mark.usefixtures("small_parts")
async def test_an_asset_named_nowhere_is_unexpected(client: ScenarioClient, vendor: Vendor) -> None:
    """An import without an asset cannot be used as a reference."""
    vendor.says(json=_upload_answer("pending", parts=1))
    vendor.says(200)
    vendor.says(json=_upload_answer("imported"))
    with pytest.raises(UnexpectedAnswer, match="names no asset"):
        await _upload(client, b"picture")


@pytest.mark.usefixtures("small_parts")
async def test_a_failed_import_is_refused_for_good(client: ScenarioClient, vendor: Vendor) -> None:
    """A file that Scenario cannot read will not be read the next time."""
    vendor.says(json=_upload_answer("pending", parts=1))
    vendor.says(200)
    vendor.says(json=_upload_answer("failed", errorMessage="The file is not a valid image"))
    with pytest.raises(RequestRejected, match="The file is not a valid image"):
        await _upload(client, b"picture")


@pytest.mark.usefixtures("small_parts")
async def test_too_few_places_for_parts_are_unexpected(client: ScenarioClient, vendor: Vendor) -> None:
    """Half a file is never sent."""
    vendor.says(json=_upload_answer("pending", parts=1))
    with pytest.raises(UnexpectedAnswer, match="told of 2 parts and named places for 1"):
        await _upload(client, bytes(15))
    assert len(vendor.requests) == 1


@pytest.mark.usefixtures("small_parts")
async def test_an_import_that_never_ends_is_given_up(client: ScenarioClient, vendor: Vendor) -> None:
    """Every wait has a deadline."""
    vendor.says(json=_upload_answer("pending", parts=1))
    vendor.says(200)
    vendor.says(json=_upload_answer("validating"))
    with pytest.raises(ProviderUnavailable, match=r"did not import cup\.png within 0\.05 s"):
        await _upload(client, b"picture", deadline_seconds=0.05)
