"""What our client sends is what the official `sunra_client` sends for the same call."""

import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import pytest
import sunra_client

from blocks.sunra.client import SunraClient
from blocks.sunra.wire import ImageToImageInput

ENDPOINT = "black-forest-labs/flux-2-klein-4b/image-to-image"
QUEUE = "https://api.sunra.ai/v1/queue/requests/pd_1"
ANSWER = {
    "request_id": "pd_1",
    "response_url": QUEUE,
    "status_url": f"{QUEUE}/status",
    "cancel_url": f"{QUEUE}/cancel",
    "upload_url": "https://put.example/x?sig=1",
    "file_url": "https://assets.example/x.png",
    "status": "COMPLETED",
    "images": [],
}


class Sent(NamedTuple):
    """A request as it stood on the wire."""

    method: str
    url: str
    query: dict[str, str]
    body: Any


class Wire:
    """A transport that keeps what is sent; a stream gets one final event, all else one answer with all fields."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.transport = httpx.MockTransport(self._answer)

    def keep(self, method: str, url: httpx.URL, content: bytes) -> None:
        """Notes a request; the doubled slash of the SDK's `from_request_id` is the same address to Sunra."""
        path = url.path.replace("//", "/")
        body = json.loads(content) if content.startswith(b"{") else content
        self.sent.append(Sent(method, f"{url.scheme}://{url.host}{path}", dict(url.params), body))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.keep(request.method, request.url, request.content)
        if request.headers["accept"] == "text/event-stream":
            event = f"data: {json.dumps(ANSWER)}\n\n"
            return httpx.Response(200, text=event, headers={"content-type": "text/event-stream"})
        return httpx.Response(200, json=ANSWER)


ARGUMENTS: list[dict[str, Any]] = [
    {"prompt": "a teapot", "image_urls": ["https://assets.example/1.png"]},
    {
        "prompt": "ein Teekännchen, 50% \U0001fad6",
        "image_urls": ["https://assets.example/1.png", "https://assets.example/2.png"],
        "aspect_ratio": "16:9",
        "seed": 0,
        "loras": [{"path": "owner/repo", "scale": 0.5}],
        "num_inference_steps": 8,
        "output_format": "webp",
    },
]


def our_input(arguments: dict[str, Any]) -> ImageToImageInput:
    return ImageToImageInput.model_validate(arguments)


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


Ours = Callable[[SunraClient], Awaitable[Any]]
Theirs = Callable[[sunra_client.AsyncClient], Awaitable[Any]]

CALLS: dict[str, tuple[Ours, Theirs]] = {
    "submit": (
        lambda ours: ours.submit(ENDPOINT, our_input(ARGUMENTS[0])),
        lambda theirs: theirs.submit(ENDPOINT, ARGUMENTS[0]),
    ),
    "submit with everything": (
        lambda ours: ours.submit(ENDPOINT, our_input(ARGUMENTS[1])),
        lambda theirs: theirs.submit(ENDPOINT, ARGUMENTS[1]),
    ),
    "status": (
        lambda ours: ours.status("pd_1", logs=False),
        lambda theirs: theirs.status("pd_1"),
    ),
    "cancel": (
        lambda ours: ours.cancel("pd_1"),
        lambda theirs: theirs.cancel("pd_1"),
    ),
    "upload": (
        lambda ours: ours.upload(b"png", "image/png", "x.png"),
        lambda theirs: theirs.upload(b"png", "image/png", "x.png"),
    ),
}


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> tuple[Wire, Wire]:
    """Ours and theirs; their PUT of an upload goes through `requests`."""
    ours, theirs = Wire(), Wire()

    def put(url: str, *, data: bytes, headers: dict[str, str]) -> Any:
        theirs.keep("PUT", httpx.URL(url), data)
        return SimpleNamespace(raise_for_status=lambda: None)

    monkeypatch.setattr("sunra_client.client.requests.put", put)
    return ours, theirs


async def play(wires: tuple[Wire, Wire], ours: Ours, theirs: Theirs) -> tuple[list[Sent], list[Sent]]:
    async with SunraClient("K", transport=wires[0].transport) as client:
        await ours(client)
    async with httpx.AsyncClient(transport=wires[1].transport) as http_client:
        await theirs(sunra_client.AsyncClient(key="K", http_client=http_client))
    return wires[0].sent, wires[1].sent


@pytest.mark.parametrize(("ours", "theirs"), CALLS.values(), ids=CALLS.keys())
async def test_the_same_call_is_the_same_on_the_wire(wires: tuple[Wire, Wire], ours: Ours, theirs: Theirs) -> None:
    """Method, address, query and body; the SDK is the vendor's own word on its API."""
    our_requests, their_requests = await play(wires, ours, theirs)
    assert our_requests == their_requests
    assert our_requests


async def test_the_result_is_the_same_after_a_status(wires: tuple[Wire, Wire]) -> None:
    """The SDK polls once more before it reads a result; the read itself is the same."""
    ours, theirs = await play(wires, lambda ours: ours.result("pd_1"), lambda theirs: theirs.result("pd_1"))
    assert ours == theirs[-1:] == [Sent("GET", QUEUE, {}, b"")]


async def test_the_stream_is_the_same_after_a_submit(wires: tuple[Wire, Wire]) -> None:
    """The SDK can only stream what it submits itself; the stream itself is the same."""
    ours, theirs = await play(
        wires,
        lambda ours: drain(ours.stream("pd_1", deadline_seconds=5)),
        lambda theirs: drain(theirs.stream(ENDPOINT, ARGUMENTS[0])),
    )
    assert ours == theirs[1:] == [Sent("GET", f"{QUEUE}/status/stream", {}, b"")]


async def test_logs_are_asked_for_at_submit_and_at_status(wires: tuple[Wire, Wire]) -> None:
    """The one difference: docs.sunra.ai puts `logs=1` on the status too, the SDK leaves it out there."""
    ours, theirs = await play(wires, lambda ours: ours.status("pd_1"), lambda theirs: theirs.status("pd_1"))
    assert ours == [theirs[0]._replace(query={"logs": "1"})]
