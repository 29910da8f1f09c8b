"""Sunra's endpoints as methods, in Sunra's own words: one request each, answers checked, failures typed."""

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import PurePosixPath
from typing import Literal, Self
from urllib.parse import quote

import httpx
from aiolimiter import AsyncLimiter
from pydantic import SecretStr, ValidationError

from blocks.errors import InvalidRequest, OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer
from blocks.http import (
    CONNECT_TIMEOUT_SECONDS,
    build_client,
    build_downloader,
    download_picture,
    is_web_address,
    read,
    redact_url,
    send_once,
)
from blocks.provider import DownloadedPicture
from blocks.sunra.failures import describe_shape, parse, read_failure, submit_failure
from blocks.sunra.stream import STREAM_HEADERS, Deadline, read_statuses
from blocks.sunra.wire import (
    ErrorAnswer,
    ImagesOutput,
    ImageToImageInput,
    StatusAnswer,
    SubmitAnswer,
    UploadInitiateAnswer,
    UploadInitiateInput,
)

BASE_URL = "https://api.sunra.ai/v1"
SUBMITS_PER_MINUTE = 100
"""And 10 per second (docs.sunra.ai, queue, limits). Other calls: 100 per second, 1800 per minute."""

TRANSFER_DEADLINE_SECONDS = 300.0
MAX_UPLOAD_SIZE_BYTES = 100 * 1024 * 1024
MIN_KEY_LENGTH = 8
MAX_PICTURE_SIZE_BYTES = 64 * 1024 * 1024

AuthScheme = Literal["Key", "Bearer"]


class SunraClient:
    """An open connection to Sunra for one key. `async with` closes it.

    Every URL is built from the request's id. The URLs in Sunra's answers (`status_url`, `response_url`, `cancel_url`)
    are never followed, so that the key cannot go to a host that an answer names.

    Args:
        api_key: The key. It goes to the host of `base_url` and nowhere else.
        auth_scheme: `Key` (Sunra model page) or `Bearer` (sunra_client); Sunra takes both.
        base_url: Address of the API with its version.
        timeout_seconds: For one answer. A connection may take `CONNECT_TIMEOUT_SECONDS` on top.
        submits_per_minute: Submits beyond it wait here; a tenth of it is the most for one second.
        max_connections: Upper bound of open connections to the API, and likewise to where pictures lie.
        max_picture_size_bytes: A larger picture is refused.
        transport: Stands in for the network in tests.
    """

    def __init__(
        self,
        api_key: str,
        *,
        auth_scheme: AuthScheme = "Key",
        base_url: str = BASE_URL,
        timeout_seconds: float = 60.0,
        submits_per_minute: int = SUBMITS_PER_MINUTE,
        max_connections: int = 16,
        max_picture_size_bytes: int = MAX_PICTURE_SIZE_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api_key = SecretStr(api_key)
        self._timeout_seconds = timeout_seconds
        self._max_picture_size_bytes = max_picture_size_bytes
        self._submit_limiter = _submit_limiter(submits_per_minute)
        self._api = build_client(
            base_url,
            headers={"Authorization": f"{auth_scheme} {api_key}"},
            timeout_seconds=timeout_seconds,
            max_connections=max_connections,
            transport=transport,
        )
        self._storage = build_downloader(
            timeout_seconds=timeout_seconds, max_connections=max_connections, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._api.aclose()
        await self._storage.aclose()

    async def wait_for_turn(self) -> None:
        """Waits until Sunra's limits (10 submits per second, 100 per minute) allow another one; call it before each."""
        await self._submit_limiter.acquire()

    async def submit(self, endpoint: str, input: ImageToImageInput) -> SubmitAnswer:
        """Buys: `POST /queue/{endpoint}?logs=1`, sent once.

        Args:
            endpoint: Such as `black-forest-labs/flux-2-klein-4b/image-to-image`.
            input: The body.

        Raises:
            NothingAccepted: Nothing was bought.
            OutcomeUnknown: It may have been bought.
        """
        path = f"queue/{quote(endpoint, safe='/')}"
        request = self._api.build_request("POST", path, params={"logs": "1"}, json=input.to_body())
        deadline_seconds = CONNECT_TIMEOUT_SECONDS + self._timeout_seconds
        response = await send_once("sunra", lambda: self._api.send(request), deadline_seconds=deadline_seconds)
        if not response.is_success:
            raise submit_failure(response, self._error(response))
        try:
            return SubmitAnswer.model_validate_json(response.content)
        except ValidationError as error:
            raise OutcomeUnknown(
                f"Sunra answered HTTP {response.status_code} without a request_id ({describe_shape(error)}). "
                "The picture may have been bought, so it is not asked for again.",
                provider="sunra",
                status_code=response.status_code,
                request_id=response.headers.get("x-request-id"),
            ) from None  # the cause quotes the answer

    async def status(self, request_id: str, *, logs: bool = True) -> StatusAnswer:
        """Shows a request as it is now: `GET /queue/requests/{id}/status`, HTTP 200 or 202.

        Raises:
            ProviderUnavailable: For now; repeat.
            RateLimited: Sunra asks to wait.
            AccountRefused: The key is no longer accepted.
            UnexpectedAnswer: The request is unknown, or the answer has another shape.
        """
        params = {"logs": "1"} if logs else None
        request = self._api.build_request("GET", f"{_path(request_id)}/status", params=params)
        return parse(StatusAnswer, await self._read(request, job_id=request_id), job_id=request_id)

    async def stream(self, request_id: str, *, deadline_seconds: float) -> AsyncGenerator[StatusAnswer, None]:
        """Yields each status until a terminal one: `GET /queue/requests/{id}/status/stream`, server-sent events.

        Who leaves before the end wraps it in `contextlib.aclosing`, which closes the connection at once.

        Args:
            request_id: The request.
            deadline_seconds: From the opening of the stream to its terminal status.

        Raises:
            JobTimedOut: The deadline passed.
            ProviderUnavailable: The stream ended early or broke off: poll `status` instead.
            UnexpectedAnswer: The answer is no stream, or an event is no status.
            RateLimited: Sunra asks to wait.
            AccountRefused: The key is no longer accepted.
        """
        bounded = Deadline(request_id, deadline_seconds)
        timeout = httpx.Timeout(deadline_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        url = f"{_path(request_id)}/status/stream"
        async with AsyncExitStack() as stack:
            opening = self._api.stream("GET", url, headers=STREAM_HEADERS, timeout=timeout)
            response = await bounded(stack.enter_async_context(opening))
            if not response.is_success:
                await bounded(response.aread())
                raise read_failure(response, self._error(response), job_id=request_id)
            statuses = await stack.enter_async_context(aclosing(read_statuses(response, bounded)))
            async for status in statuses:
                yield status

    async def result(self, request_id: str) -> ImagesOutput:
        """Gives the output of a request that succeeded: `GET /queue/requests/{id}`.

        Raises:
            JobFailed: The prediction failed (`PREDICTION_FAILED`).
            ProviderUnavailable: For now; repeat.
            RateLimited: Sunra asks to wait.
            AccountRefused: The key is no longer accepted.
            UnexpectedAnswer: The request is unknown, or the answer has another shape.
        """
        request = self._api.build_request("GET", _path(request_id))
        return parse(ImagesOutput, await self._read(request, job_id=request_id), job_id=request_id)

    async def cancel(self, request_id: str) -> None:
        """Asks to cancel a request: `PUT /queue/requests/{id}/cancel`; neither body is specified.

        Raises:
            ProviderUnavailable: For now; repeat.
            RateLimited: Sunra asks to wait.
            AccountRefused: The key is no longer accepted.
            UnexpectedAnswer: Sunra refuses (4xx), such as for a request that is unknown or has ended.
        """
        await self._read(self._api.build_request("PUT", f"{_path(request_id)}/cancel"), job_id=request_id)

    async def upload(self, data: bytes, media_type: str, file_name: str) -> str:
        """Uploads a picture, which costs nothing: `POST /storage/upload/initiate`, then a PUT to the URL it gives.

        Args:
            data: At most `MAX_UPLOAD_SIZE_BYTES` (Sunra's docs).
            media_type: Such as `image/png`.
            file_name: Any name; what Sunra gets is made safe and has an extension.

        Returns:
            The URL for `image_urls`.

        Raises:
            InvalidRequest: The picture is too large.
            ProviderUnavailable: For now; repeat the whole upload.
            RateLimited: Sunra asks to wait.
            AccountRefused: The key is not accepted.
            UnexpectedAnswer: The answer has another shape, or names no web address.
        """
        if len(data) > MAX_UPLOAD_SIZE_BYTES:
            raise InvalidRequest(f"An upload may have {MAX_UPLOAD_SIZE_BYTES} bytes (Sunra), got {len(data)}")
        body = UploadInitiateInput(content_type=media_type, file_name=_with_extension(file_name, media_type)).to_body()
        content = await self._read(self._api.build_request("POST", "storage/upload/initiate", json=body))
        places = parse(UploadInitiateAnswer, content)
        for url in (places.upload_url, places.file_url):
            if not is_web_address(url):
                raise UnexpectedAnswer(f"Sunra named {redact_url(url)}, which is no web address.", provider="sunra")
        await self._put(places.upload_url, data, media_type)
        return places.file_url

    async def download(self, url: str) -> DownloadedPicture:
        """Fetches a picture from the URL in a result, without the key.

        Raises:
            LinkExpired: The URL no longer works.
            ProviderUnavailable: For now; repeat.
            BadPicture: Too large, or shorter than was declared.
            UnexpectedAnswer: It is no web address.
        """
        return await download_picture(
            self._storage,
            "sunra",
            url,
            max_size_bytes=self._max_picture_size_bytes,
            deadline_seconds=TRANSFER_DEADLINE_SECONDS,
        )

    async def _put(self, url: str, data: bytes, media_type: str) -> None:
        # Redirects are not followed: after some of them a PUT goes on as a GET, and its 200 would prove nothing.
        request = self._storage.build_request("PUT", url, content=data, headers={"Content-Type": media_type})
        response = await read(
            "sunra",
            lambda: self._storage.send(request, follow_redirects=False),
            deadline_seconds=TRANSFER_DEADLINE_SECONDS,
        )
        if not response.is_success:
            raise ProviderUnavailable(
                f"{redact_url(url)} took no upload (HTTP {response.status_code}).",
                provider="sunra",
                status_code=response.status_code,
            )

    async def _read(self, request: httpx.Request, *, job_id: str | None = None) -> bytes:
        async def send() -> httpx.Response:
            response = await self._api.send(request)
            if not response.is_success:
                raise read_failure(response, self._error(response), job_id=job_id)
            return response

        return (await read("sunra", send)).content

    def _error(self, response: httpx.Response) -> ErrorAnswer:
        # An answer may quote the key it refuses. A shorter text is no key, but any part of a word.
        key = self._api_key.get_secret_value().encode()
        return ErrorAnswer.read(
            response.content.replace(key, b"(the key)") if len(key) >= MIN_KEY_LENGTH else response.content
        )


def _submit_limiter(submits_per_minute: int) -> AsyncLimiter:
    """Keeps both limits of Sunra's docs in every window: 100 submits in a minute and 10 in a second.

    A leaky bucket lets a burst go at once and then refills, so a window sees burst + refill. With a burst of 9 for 100
    in a minute, the refill that is left is 1.5 per second, and no second sees more than 10.
    """
    burst = max(1, submits_per_minute * 9 // 100)
    refill_per_second = (submits_per_minute + 1 - burst) / 60
    return AsyncLimiter(burst, burst / refill_per_second)


def _path(request_id: str) -> str:
    return f"queue/requests/{quote(request_id, safe='')}"


def _with_extension(file_name: str, media_type: str) -> str:
    """Makes a file name that Sunra takes: plain characters and always an extension."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(file_name).name).lstrip(".") or "upload"
    if PurePosixPath(name).suffix.strip("."):
        return name
    subtype = re.sub(r"[^a-z0-9]+", "", media_type.lower().partition("/")[2])
    return f"{name.rstrip('.')}.{subtype or 'bin'}"
