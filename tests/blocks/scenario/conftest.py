"""A scripted Scenario over a mock transport: it says what a test tells it to, and remembers what it was sent."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx_retries
import pytest
from pydantic import SecretStr

from blocks.scenario.client import ScenarioClient
from blocks.scenario.credentials import ScenarioCredentials
from blocks.scenario.provider import ScenarioProvider


@dataclass(frozen=True)
class Sent:
    """One request as it left us."""

    method: str
    url: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(repr=False)
class Vendor:
    """Answers in the order of its script; the last answer is repeated."""

    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def says(self, status: int = 200, **content: Any) -> None:
        """Adds an answer to the script."""
        self.script.append(httpx.Response(status, **content))

    def fails(self, error: Exception) -> None:
        """Adds a failure of the connection to the script."""
        self.script.append(error)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers as `httpx.MockTransport` asks."""
        await request.aread()
        self.requests.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def sent(self) -> list[Sent]:
        """What was sent, comparable as a whole."""
        return [
            Sent(
                request.method,
                str(request.url.copy_with(query=None)),
                dict(request.url.params),
                json.loads(request.content) if _is_json(request) else request.content or None,
            )
            for request in self.requests
        ]


def _is_json(request: httpx.Request) -> bool:
    return bool(request.headers.get("content-type") == "application/json")


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def credentials() -> ScenarioCredentials:
    return ScenarioCredentials(api_key=SecretStr("the-key"), api_secret=SecretStr("the-secret"))


@pytest.fixture
async def client(vendor: Vendor, credentials: ScenarioCredentials) -> AsyncIterator[ScenarioClient]:
    async with credentials.get_client(transport=httpx.MockTransport(vendor)) as opened:
        yield opened


@pytest.fixture
async def provider(vendor: Vendor, credentials: ScenarioCredentials) -> AsyncIterator[ScenarioProvider]:
    async with credentials.get_provider(transport=httpx.MockTransport(vendor)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_pause_between_repeated_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(self: httpx_retries.Retry, response: httpx.Response | Exception) -> None:
        return None

    monkeypatch.setattr(httpx_retries.Retry, "asleep", at_once)
