"""The official SDKs, pointed at the sandbox: they are the judges of whether it speaks the providers' language."""

import base64
import io
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import sunra_client
from PIL import Image
from scenario_sdk import Scenario

from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import render
from tests.conftest import Sandbox

T = TypeVar("T")
SCENARIO_MODEL = "model_bfl-flux-2-klein-4b-base"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"sandbox-key:sandbox-secret").decode()}
SUNRA_MODEL = "black-forest-labs/flux-2-klein-4b/image-to-image"


class ToSandbox(httpx.HTTPTransport):
    """Sends what is meant for Sunra's fixed address to the sandbox: the SDK has no base URL to set."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._to = urlsplit(origin)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Rewrite the address and the Host header, then send."""
        if request.url.host == "api.sunra.ai":
            request.url = request.url.copy_with(scheme="http", host=self._to.hostname, port=self._to.port)
            request.headers["Host"] = self._to.netloc
        return super().handle_request(request)


@pytest.fixture
def scenario(sandbox: Sandbox) -> Iterator[Scenario]:
    """The official Scenario SDK with the sandbox's credentials; it repeats nothing."""
    with Scenario(base_url=sandbox.url, api_key="sandbox-key", api_secret="sandbox-secret", max_retries=0) as client:
        yield client


@pytest.fixture
def sunra(sandbox: Sandbox) -> Iterator[sunra_client.SyncClient]:
    """The official Sunra SDK with the sandbox's key."""
    with httpx.Client(transport=ToSandbox(sandbox.origin), timeout=30) as http_client:
        yield sunra_client.SyncClient(key="sandbox-key", http_client=http_client)


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """Plain HTTP to both APIs, with Scenario's credentials; Sunra's go into a header of the single request."""
    with httpx.Client(base_url=sandbox.url + "/", headers=BASIC, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def photograph() -> bytes:
    """A PNG of 320 by 240 pixels to upload and to edit."""
    return render(Recipe("misty mountains over a lake", 5, 320, 240), [])


def until(look: Callable[[], T], good: Callable[[T], bool], *, timeout_seconds: float = 20.0) -> T:
    """Look again and again until what is seen is good, and return it."""
    deadline = time.monotonic() + timeout_seconds
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {timeout_seconds} seconds"
        time.sleep(0.01)
    return seen


def opened(payload: bytes) -> Image.Image:
    """The whole picture, decoded."""
    picture = Image.open(io.BytesIO(payload))
    picture.load()
    return picture


def grey_thumbnail(payload: bytes) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The picture as 24 by 24 grey values."""
    small = opened(payload).convert("L").resize((24, 24), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)
