"""A Sunra that answers from a list, without a network and without pauses."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from blocks.sunra.client import SunraClient

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

KEY = "sk-very-secret-key"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated reads follow each other at once."""

    async def asleep(self: Any, response: Any) -> None:
        return None

    monkeypatch.setattr("httpx_retries.Retry.asleep", asleep)


class Recorded:
    """A client, and everything it sends."""

    def __init__(self, answers: tuple[Answer, ...], options: dict[str, Any]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.client = SunraClient(KEY, transport=httpx.MockTransport(self._answer), **options)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Method and URL of each request, as they stood on the wire."""
        return [(request.method, str(request.url)) for request in self.requests]


@pytest.fixture
def answering() -> Callable[..., Any]:
    """Opens a client whose requests get these answers, one after the other, the last one for ever."""

    @asynccontextmanager
    async def open_client(*answers: Answer, **options: Any) -> AsyncIterator[Recorded]:
        recorded = Recorded(answers, options)
        async with recorded.client:
            yield recorded

    return open_client
