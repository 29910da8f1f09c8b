"""Reads Scenario's answers: the values that were hoped for, or the right error of ours.

One rule decides between the two branches that matter. A 4xx proves that a paid request was not accepted; anything else
that is not a readable receipt (5xx, a redirect, HTML, JSON of another shape) proves nothing: it may have been bought.
"""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from blocks.errors import (
    AccountRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.http import clean_text, redact_url
from blocks.scenario.wire import ErrorBody, Estimate
from blocks.scenario.wire_types import ScenarioAnswer

DRY_RUN_STATUS = 269
"""The status of a cost estimate that bought nothing (official SDK; observed by Scenario's Blender add-on)."""

Answer = TypeVar("Answer", bound=ScenarioAnswer)

_CLIENT_GAVE_UP = 499
_PROVES_NOTHING = {HTTPStatus.REQUEST_TIMEOUT, _CLIENT_GAVE_UP}
"""4xx that speak of the exchange and not of the request: a gateway may say them after the request was passed on."""

_REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "apigw-requestid", "x-amz-cf-id")
_CREDENTIALS = re.compile(r"\b(Basic|Bearer)\s+[^\s'\",]+", re.IGNORECASE)
"""AWS gateways are known to quote an Authorization header that they do not understand."""

_ACCOUNT_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Scenario does not accept this API key and secret: check both in the credentials block "
    "(Scenario: Project Settings, API Keys).",
    HTTPStatus.PAYMENT_REQUIRED: "The Scenario account has no credit left for this: add creative units.",
    HTTPStatus.FORBIDDEN: "Scenario does not allow this account to do that: check its plan and its project.",
}


def read_receipt(response: httpx.Response, answer_type: type[Answer]) -> Answer:
    """Reads the answer to a request that buys.

    Raises:
        NothingAccepted: A 4xx: nothing was bought.
        OutcomeUnknown: Everything else that is not the receipt: it may have been bought.
    """
    if response.is_success:
        try:
            return answer_type.model_validate_json(response.content)
        except ValidationError as error:
            raise _unknown(response, f"an answer that is no receipt ({_first_problem(error)})") from error
    if response.is_client_error and response.status_code not in _PROVES_NOTHING:
        raise _refusal(response, RequestRejected)
    raise _unknown(response, _quoted(response))


def read_estimate(response: httpx.Response) -> Estimate:
    """Reads the answer to a dry run, and makes sure that it was one.

    Raises:
        NothingAccepted: A 4xx.
        ProviderUnavailable: A 5xx: ask again, for `dryRun` was in the query.
        OutcomeUnknown: An answer of success that is no estimate: the dry run may have been a paid one.
    """
    if response.is_server_error or response.status_code == HTTPStatus.REQUEST_TIMEOUT:
        raise _unavailable(response)
    if response.is_client_error:
        raise _refusal(response, RequestRejected)
    try:
        estimate = Estimate.model_validate_json(response.content)
    except ValidationError as error:
        raise _unknown(response, f"no estimate to a dry run ({_first_problem(error)})") from error
    if response.status_code != DRY_RUN_STATUS or estimate.has_job:
        named = "a job" if estimate.has_job else "no job"
        raise _unknown(response, f"{named} to a dry run, where HTTP {DRY_RUN_STATUS} without a job was due")
    return estimate


def read_answer(
    response: httpx.Response, answer_type: type[Answer], *, refusal: type[ProviderError] = UnexpectedAnswer
) -> Answer:
    """Reads the answer to a call that costs nothing.

    Args:
        response: The answer.
        answer_type: Its shape.
        refusal: What a 4xx means here, apart from those about the account.

    Raises:
        AccountRefused: Key, credit or plan.
        ProviderUnavailable: For now; repeat.
        UnexpectedAnswer: Another shape.
    """
    if response.is_server_error:
        raise _unavailable(response)
    if response.is_client_error:
        raise _refusal(response, refusal)
    try:
        if response.is_success:
            return answer_type.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"Scenario's answer to {_shown(response)} has another shape than its documents say: "
            f"{_first_problem(error)}.",
            **_facts(response),
        ) from error
    raise UnexpectedAnswer(f"Scenario answered HTTP {response.status_code} to {_shown(response)}.", **_facts(response))


def _refusal(response: httpx.Response, otherwise: type[ProviderError]) -> ProviderError:
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(
            f"Scenario asks to slow down: {_quoted(response)}.",
            retry_after_seconds=_retry_after_seconds(response),
            **_facts(response),
        )
    if advice := _ACCOUNT_ADVICE.get(status):
        return AccountRefused(f"{advice} It said: {_quoted(response)}.", **_facts(response))
    return otherwise(f"Scenario refused {_shown(response)} (HTTP {status}): {_quoted(response)}.", **_facts(response))


def _unknown(response: httpx.Response, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Scenario answered HTTP {response.status_code} with {what}. It may have been bought, so it is "
        "not asked again: reconcile looks for it in Scenario's list of jobs.",
        **_facts(response),
    )


def _unavailable(response: httpx.Response) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"Scenario answered HTTP {response.status_code} to {_shown(response)}: {_quoted(response)}. Ask again later.",
        **_facts(response),
    )


def _shown(response: httpx.Response) -> str:
    return f"{response.request.method} {redact_url(str(response.request.url))}"


def _error_body(response: httpx.Response) -> ErrorBody | None:
    try:
        return ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return None


def _quoted(response: httpx.Response) -> str:
    """What Scenario said, fit to be shown: `reason`, else `message`, else `name`, else the text itself."""
    body = _error_body(response) or ErrorBody()
    text = body.reason or body.message or body.name
    if not text:
        is_page = response.content.lstrip().startswith(b"<")
        text = "an HTML page" if is_page else response.text or "an empty answer"
    plan = f" (plan needed: {body.required_plan})" if body.required_plan else ""
    return clean_text(_CREDENTIALS.sub(r"\1 ***", f"{text}{plan}")).rstrip(".")


def _facts(response: httpx.Response) -> dict[str, Any]:
    body = _error_body(response) or ErrorBody()
    request_id = next(
        (response.headers[name] for name in _REQUEST_ID_HEADERS if name in response.headers), body.trace_id
    )
    return {
        "provider": "scenario",
        "status_code": response.status_code,
        "code": clean_text(body.name, limit=100) if body.name else None,
        "request_id": clean_text(request_id, limit=100) if request_id else None,
    }


def _retry_after_seconds(response: httpx.Response) -> float | None:
    """How long to wait: the header as seconds or as a date, else `remainingSeconds` of Scenario's cooldown body."""
    header = response.headers.get("retry-after", "").strip()
    if header.isascii() and header.isdigit():
        seconds = float(header)
        return seconds if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # no date, or one beyond the calendar
        body = _error_body(response)
        return body.remaining_seconds if body else None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in problem["loc"])
    return clean_text(f"{place}: {problem['msg']}" if place else problem["msg"])
