"""One place for what every HTTP call of ours obeys: deadlines, safe retries, redaction, limits on what is downloaded.

Reads (GET) are repeated by the transport, which honours `Retry-After`. A POST that buys is sent once by `send_once`,
which sorts every way in which it can go wrong into "nothing was accepted" and "we cannot know" (design, section 4).
"""

import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
import httpx
from httpx_retries import Retry, RetryTransport

from blocks.errors import BadPicture, ConnectFailed, LinkExpired, OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer
from blocks.provider import DownloadedPicture, ProviderName

CONNECT_TIMEOUT_SECONDS = 10.0
READ_RETRIES = 4
MAX_RETRY_AFTER_SECONDS = 60.0
MAX_REDIRECTS = 3
READ_DEADLINE_SECONDS = 120.0
"""For one read with all its repetitions; time-outs of the socket alone would let a slow trickle last for ever."""

SAFE_METHODS = ("GET", "HEAD")
PASSING_STATUSES = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""Answers after which a read may be repeated."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_URL_WITH_QUERY = re.compile(r"(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE)


def build_client(
    base_url: str,
    *,
    headers: Mapping[str, str],
    timeout_seconds: float,
    max_connections: int,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Opens a client for one provider's API host.

    Redirects are not followed: they would carry the credentials along.

    Args:
        base_url: Address of the API, with its version.
        headers: Sent with each request: the credentials.
        timeout_seconds: For each read or write on the socket.
        max_connections: Upper bound of open connections.
        transport: Stands in for the network in tests.
    """
    limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
    return httpx.AsyncClient(
        base_url=base_url,
        headers=dict(headers),
        timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS, pool=None),
        transport=_retrying(transport or httpx.AsyncHTTPTransport(verify=_tls(), limits=limits)),
        follow_redirects=False,
    )


def build_downloader(
    *, timeout_seconds: float, max_connections: int, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Opens a client that knows no credentials, for the URLs that answers name."""
    limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS, pool=None),
        transport=_retrying(transport or httpx.AsyncHTTPTransport(verify=_tls(), limits=limits)),
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
    )


@cache
def _tls() -> ssl.SSLContext:
    """Reads the certificates of the authorities once; that takes longer than opening a client."""
    return httpx.create_ssl_context()


def _retrying(transport: httpx.AsyncBaseTransport) -> RetryTransport:
    return RetryTransport(
        transport=transport,
        retry=Retry(
            total=READ_RETRIES,
            allowed_methods=SAFE_METHODS,
            status_forcelist=PASSING_STATUSES,
            backoff_factor=0.25,
            max_backoff_wait=MAX_RETRY_AFTER_SECONDS,
        ),
    )


async def send_once(
    provider: ProviderName, send: Callable[[], Awaitable[httpx.Response]], *, deadline_seconds: float
) -> httpx.Response:
    """Sends a request that buys, exactly once.

    Args:
        provider: For the messages.
        send: Performs the request.
        deadline_seconds: For the whole exchange; a socket time-out alone would let a slow trickle last for ever.

    Raises:
        ConnectFailed: No connection was made, so nothing was accepted.
        OutcomeUnknown: The request, or part of it, went out and no answer came back.
    """
    try:
        with anyio.fail_after(deadline_seconds):
            return await send()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ConnectFailed(
            f"No connection to {provider}: {clean_text(str(error)) or type(error).__name__}. Nothing was bought.",
            provider=provider,
        ) from error
    except (httpx.RequestError, TimeoutError) as error:
        # RequestError and not only TransportError: an answer whose compression is broken is a lost answer, too.
        raise OutcomeUnknown(
            f"{provider} was asked for a picture and its answer was lost ({type(error).__name__}). "
            "It may have been bought, so it is not asked again.",
            provider=provider,
        ) from error


async def read(
    provider: ProviderName,
    send: Callable[[], Awaitable[httpx.Response]],
    *,
    deadline_seconds: float = READ_DEADLINE_SECONDS,
) -> httpx.Response:
    """Performs a read whose transport repeats what can be repeated.

    Args:
        provider: For the messages.
        send: Performs the request.
        deadline_seconds: For the whole exchange, with its repetitions.

    Raises:
        ProviderUnavailable: The provider could not be reached in time, or still answers 5xx.
    """
    try:
        with anyio.fail_after(deadline_seconds):
            response = await send()
    except TimeoutError as error:
        raise ProviderUnavailable(
            f"{provider} gave no complete answer within {deadline_seconds:g} s.", provider=provider
        ) from error
    except httpx.RequestError as error:
        raise ProviderUnavailable(
            f"{provider} could not be reached: {clean_text(str(error)) or type(error).__name__}.", provider=provider
        ) from error
    if response.status_code in PASSING_STATUSES:
        raise ProviderUnavailable(
            f"{provider} answered HTTP {response.status_code} to {redact_url(str(response.request.url))}.",
            provider=provider,
            status_code=response.status_code,
        )
    return response


async def download_picture(
    client: httpx.AsyncClient, provider: str, url: str, *, max_size_bytes: int, deadline_seconds: float
) -> DownloadedPicture:
    """Fetches a picture from a URL that an answer or a brief named: no credentials, bounded in size and time.

    Raises:
        LinkExpired: HTTP 403, 404 or 410.
        ProviderUnavailable: For now; repeat.
        BadPicture: Too large.
        UnexpectedAnswer: The URL is not one that may be fetched.
    """
    _refuse_odd_url(provider, url)
    shown = redact_url(url)
    try:
        with anyio.fail_after(deadline_seconds):
            async with client.stream("GET", url) as response:
                _refuse_bad_status(provider, response, shown)
                data = await _read_bounded(response, provider, shown, max_size_bytes)
    except TimeoutError as error:
        raise ProviderUnavailable(
            f"{shown} was not complete after {deadline_seconds:g} s.", provider=provider
        ) from error
    except httpx.TooManyRedirects as error:
        raise UnexpectedAnswer(f"{shown} redirects more than {MAX_REDIRECTS} times.", provider=provider) from error
    except httpx.RequestError as error:
        # A transfer that is cut mid-body ends here too, where the server had declared a length.
        raise ProviderUnavailable(f"{shown} broke off: {type(error).__name__}.", provider=provider) from error
    return DownloadedPicture(data=data, media_type=_media_type(response))


def _refuse_odd_url(provider: str, url: str) -> None:
    if not is_web_address(url):
        raise UnexpectedAnswer(
            f"{provider} named a picture at {redact_url(url)}, which is no web address.", provider=provider
        )


def _refuse_bad_status(provider: str, response: httpx.Response, shown: str) -> None:
    status = response.status_code
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise LinkExpired(f"{shown} no longer works (HTTP {status}).", provider=provider, status_code=status)
    if status != HTTPStatus.OK:
        raise ProviderUnavailable(f"{shown} answered HTTP {status}.", provider=provider, status_code=status)


async def _read_bounded(response: httpx.Response, provider: str, shown: str, max_size_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > max_size_bytes:
            raise BadPicture(f"{shown} is larger than {max_size_bytes} bytes.", provider=provider)
    declared = response.headers.get("content-length", "")
    encoded = "content-encoding" in response.headers
    if declared.isdigit() and not encoded and len(data) != int(declared):
        raise ProviderUnavailable(f"{shown} has {len(data)} bytes where {declared} were declared.", provider=provider)
    media_type = _media_type(response)
    if media_type is not None and (media_type.startswith("text/") or media_type == "application/json"):
        # An error page with a friendly status: the picture itself is still there.
        raise ProviderUnavailable(f"{shown} is {media_type}, not a picture.", provider=provider)
    return bytes(data)


def _media_type(response: httpx.Response) -> str | None:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() or None


def is_web_address(url: str) -> bool:
    """Tells whether a URL that an answer names may be fetched at all: http or https, with a host."""
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):  # ValueError: a port or a host that cannot be
        return False


def redact_url(url: str) -> str:
    """Leaves of a URL what may be shown: scheme, host and path. The query of a signed URL is a key."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an unclosed [ in the host
        return "(a malformed URL)"
    return clean_text(f"{parts.scheme}://{parts.hostname or ''}{parts.path}")


def clean_text(text: str, *, limit: int = 500) -> str:
    """Makes a stranger's text fit for one line of a log: no control characters, no URL queries, bounded length."""
    flat = _URL_WITH_QUERY.sub(r"\1", _CONTROL_CHARACTERS.sub(" ", text)).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


class _QueriesHidden(logging.Filter):
    """httpx logs every URL in full at INFO; the query of a signed URL has no place there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_query(argument) for argument in record.args)
        return True


def _without_query(argument: object) -> object:
    if isinstance(argument, httpx.URL):
        return redact_url(str(argument))
    if isinstance(argument, httpx.Request):
        return f"<Request({argument.method!r}, {redact_url(str(argument.url))!r})>"
    return argument


for _name in ("httpx", "httpx_retries.transport"):
    logging.getLogger(_name).addFilter(_QueriesHidden())
