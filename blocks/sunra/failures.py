"""Sorts what Sunra answers into our tree of errors: what was proven not to be bought, and what was not.

Sunra documents a rate limit as HTTP 403, without a code of its own (docs.sunra.ai, queue). It is told apart from a real
403 by what a real one has: a known code, or a `type` that speaks of authorization.
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypedDict, TypeVar

import httpx
from pydantic import ValidationError

from blocks.errors import (
    AccountRefused,
    JobFailed,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.http import clean_text
from blocks.sunra.wire import Answer, ErrorAnswer, PredictionError

AnyAnswer = TypeVar("AnyAnswer", bound=Answer)

MAX_PLAUSIBLE_WAIT_SECONDS = 300.0
"""The unit of `x-ratelimit-reset` is not documented: a larger number is no wait in seconds."""

ADD_CREDIT = "Add credit to the Sunra account."
CHECK_KEY = "Check api_key and auth_scheme of the Sunra Credentials block."
ASK_FOR_MODEL = "Ask Sunra for access to this model, or use a key that has it."

_ADVICE_BY_CODE = {"INSUFFICIENT_CREDIT": ADD_CREDIT, "MODEL_ACCESS_DENIED": ASK_FOR_MODEL}
_ADVICE_BY_STATUS: dict[int, str] = {HTTPStatus.UNAUTHORIZED: CHECK_KEY, HTTPStatus.PAYMENT_REQUIRED: ADD_CREDIT}
_REFUSING_TYPES = {"authorization_error", "authentication_error"}
_CLIENT_GAVE_UP = 499
_PROVES_NOTHING = {HTTPStatus.REQUEST_TIMEOUT, _CLIENT_GAVE_UP}
"""4xx that speak of the exchange and not of the request: a gateway may say them after the request was passed on."""


class Facts(TypedDict):
    """What every error says about the answer that caused it."""

    provider: str
    status_code: int
    code: str | None
    request_id: str | None
    job_id: str | None


def submit_failure(response: httpx.Response, answer: ErrorAnswer) -> ProviderError:
    """Tells what an answer other than 2xx to a submit proves."""
    facts = _facts(response, answer, job_id=None)
    status = response.status_code
    if (refusal := _refusal(response, answer, facts)) is not None:
        return refusal
    if 400 <= status < 500 and status not in _PROVES_NOTHING:
        return RequestRejected(f"Sunra refused the request (HTTP {status}): {_said(answer)}", **facts)
    return OutcomeUnknown(
        f"Sunra answered HTTP {status} to a submit: {_said(answer)} "
        "The picture may have been bought, so it is not asked for again.",
        **facts,
    )


def read_failure(response: httpx.Response, answer: ErrorAnswer, *, job_id: str | None) -> ProviderError:
    """Tells what an answer other than 2xx to a call that buys nothing means."""
    facts = _facts(response, answer, job_id=job_id)
    status = response.status_code
    if (prediction := answer.prediction_error) is not None:
        return _job_failed(prediction, facts)
    if (refusal := _refusal(response, answer, facts)) is not None:
        return refusal
    text = f"Sunra answered HTTP {status} to {_call(response)}: {_said(answer)}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PROVES_NOTHING:
        return ProviderUnavailable(text, **facts)
    return UnexpectedAnswer(text, **facts)


def parse(shape: type[AnyAnswer], content: bytes, *, job_id: str | None = None) -> AnyAnswer:
    """Checks the body of an answer 2xx against its shape.

    Raises:
        UnexpectedAnswer: It is malformed, or a field that we need is missing.
    """
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"Sunra's answer is no {shape.__name__} ({describe_shape(error)}).", provider="sunra", job_id=job_id
        ) from None  # the cause quotes the answer, and an answer may hold signed URLs


def describe_shape(error: ValidationError) -> str:
    """Says what is odd about an answer, without quoting it."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return clean_text(f"{place}: {first['msg']}" if place else first["msg"])


def _refusal(response: httpx.Response, answer: ErrorAnswer, facts: Facts) -> ProviderError | None:
    status = response.status_code
    advice = _ADVICE_BY_CODE.get(answer.code or "") or _ADVICE_BY_STATUS.get(status)
    if advice is None and _is_rate_limit(response, answer):
        return RateLimited(
            f"Sunra asks to wait (HTTP {status}): {_said(answer)}", retry_after_seconds=_wait(response), **facts
        )
    if advice is None and status != HTTPStatus.FORBIDDEN:
        return None
    return AccountRefused(f"Sunra refuses this account (HTTP {status}): {_said(answer)} {advice or CHECK_KEY}", **facts)


def _is_rate_limit(response: httpx.Response, answer: ErrorAnswer) -> bool:
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if response.status_code != HTTPStatus.FORBIDDEN:
        return False
    return response.headers.get("x-ratelimit-remaining") == "0" or answer.type not in _REFUSING_TYPES


def _wait(response: httpx.Response) -> float | None:
    candidates = (_seconds(response.headers.get(name, "")) for name in ("retry-after", "x-ratelimit-reset"))
    return next((seconds for seconds in candidates if 0 < seconds <= MAX_PLAUSIBLE_WAIT_SECONDS), None)


def _seconds(text: str) -> float:
    """Reads a header that is a number, or a date as HTTP writes it; NaN where it is neither."""
    try:
        return float(text)
    except ValueError:
        pass  # Retry-After may be a date
    try:
        return (parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return math.nan


def _job_failed(error: PredictionError, facts: Facts) -> JobFailed:
    facts["code"] = code = clean_text(error.code)
    cause = code if error.reason is None else f"{code}, {clean_text(error.reason)}"
    message = f"Sunra could not make the picture ({cause}): {clean_text(error.message)}"
    return JobFailed(message, retryable=error.retryable, **facts)


def _facts(response: httpx.Response, answer: ErrorAnswer, *, job_id: str | None) -> Facts:
    request_id = response.headers.get("x-request-id")
    return Facts(
        provider="sunra",
        status_code=response.status_code,
        code=None if answer.code is None else clean_text(answer.code),
        request_id=None if request_id is None else clean_text(request_id),
        job_id=job_id,
    )


def _said(answer: ErrorAnswer) -> str:
    text = clean_text(answer.message) or "no reason given"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _call(response: httpx.Response) -> str:
    return f"{response.request.method} {response.request.url.path}"
