import unicodedata
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import (
    AccountRefused,
    ConnectFailed,
    KleinbildError,
    NothingAccepted,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.scenario.client import ScenarioClient
from blocks.scenario.credentials import ScenarioCredentials
from blocks.scenario.wire import JobsQuery, RunModelRequest, SparkRequest
from blocks.scenario.wire_assets import AssetRequest
from tests.blocks.scenario.conftest import Vendor

TEAPOT = RunModelRequest(prompt="a teapot", seed=7)
HTML = "<html><body><h1>504 Gateway Time-out</h1></body></html>"

Call = Callable[[ScenarioClient], Awaitable[Any]]

REFUSALS: list[tuple[int, dict[str, Any], type[ProviderError], str]] = [
    (
        400,
        {"json": {"reason": "Input width must be at least 672"}},
        RequestRejected,
        "Input width must be at least 672",
    ),
    (
        400,
        {"json": {"reason": "Invalid model(s): X.\nAllowed: Y"}},
        RequestRejected,
        r"Invalid model\(s\): X. Allowed: Y",
    ),
    (400, {"text": HTML}, RequestRejected, "an HTML page"),
    (404, {"json": {"reason": "Model X not found"}}, RequestRejected, "Model X not found"),
    (409, {"text": "conflict"}, RequestRejected, "conflict"),
    (413, {"text": ""}, RequestRejected, "an empty answer"),
    (422, {"json": {"message": "no"}}, RequestRejected, "HTTP 422.: no"),
    (401, {"json": {"message": "Unauthorized"}}, AccountRefused, "check both in the credentials block.*Unauthorized"),
    (
        402,
        {"json": {"reason": "Not enough creative units"}},
        AccountRefused,
        "no credit left.*Not enough creative units",
    ),
    (
        403,
        {"json": {"name": "ModelAccessRestrictedError", "modelId": "m", "requiredPlan": "cu-pro"}},
        AccountRefused,
        r"check its plan.*ModelAccessRestrictedError \(plan needed: cu-pro\)",
    ),
    (
        403,
        {"json": {"message": "API Keys cannot access protected resources"}},
        AccountRefused,
        "API Keys cannot access",
    ),
    (429, {"json": {"message": "Too many", "details": {"actionLimit": 4}}}, RateLimited, "Too many"),
    (429, {"json": {"reason": "cooldown", "remainingSeconds": 900}}, RateLimited, "cooldown"),
]

MAYBE_BOUGHT: list[tuple[int, dict[str, Any]]] = [
    (200, {"text": HTML}),
    (200, {"text": '{"job": {"jobId": "job_'}),
    (200, {"json": {"creativeUnitsCost": 1}}),
    (200, {"json": {"job": None}}),
    (200, {"json": {"job": {"status": "queued"}}}),
    (200, {"json": {"job": {"jobId": ""}}}),
    (200, {"json": []}),
    (200, {"content": b""}),
    (200, {"content": b"\xff\xfe\x00"}),
    (200, {"content": b"[" * 100_000}),
    (204, {}),
    (269, {"json": {"creativeUnitsCost": 1}}),
    (302, {"headers": {"location": "https://elsewhere.example/"}}),
    (408, {"text": "Request Timeout"}),
    (500, {"json": {"message": "Internal server error"}}),
    (502, {"text": HTML}),
    (503, {"json": {"job": {"jobId": "job_1"}}}),
    (504, {"text": HTML}),
    (520, {"text": "web server returns an unknown error"}),
]

BUYING: dict[str, Call] = {
    "run_model": lambda client: client.run_model("model_klein", TEAPOT),
    "spark": lambda client: client.spark(SparkRequest(mode="inventive")),
}
ESTIMATING: Call = lambda client: client.estimate("model_klein", TEAPOT)  # noqa: E731 - beside the other calls
READING: dict[str, Call] = {
    "job": lambda client: client.job("job_1"),
    "jobs": lambda client: client.jobs(JobsQuery()),
    "asset": lambda client: client.asset("asset_1"),
    "assets": lambda client: client.assets(["asset_1"]),
    "upload": lambda client: client.upload("upload_1"),
    "model": lambda client: client.model("model_klein"),
}
WRITING: dict[str, Call] = {
    "create_asset": lambda client: client.create_asset(AssetRequest(name="a", image="b")),
    "complete_upload": lambda client: client.complete_upload("upload_1"),
    "cancel": lambda client: client.cancel("job_1"),
}


@pytest.mark.parametrize("call", BUYING.values(), ids=BUYING)
@pytest.mark.parametrize(("status", "content", "error_type", "message"), REFUSALS)
async def test_a_refusal_proves_that_nothing_was_bought(
    status: int,
    content: dict[str, Any],
    error_type: type[ProviderError],
    message: str,
    call: Call,
    client: ScenarioClient,
    vendor: Vendor,
) -> None:
    """A 4xx to a paid request releases its money, and says in the vendor's words why; it is sent once."""
    vendor.says(status, **content)
    with pytest.raises(error_type, match=message) as caught:
        await call(client)
    assert isinstance(caught.value, NothingAccepted)
    assert (caught.value.provider, caught.value.status_code, len(vendor.requests)) == ("scenario", status, 1)


@pytest.mark.parametrize("call", BUYING.values(), ids=BUYING)
@pytest.mark.parametrize(("status", "content"), MAYBE_BOUGHT)
async def test_without_receipt_or_refusal_it_may_have_been_bought(
    status: int, content: dict[str, Any], call: Call, client: ScenarioClient, vendor: Vendor
) -> None:
    """Nothing but a readable receipt or a 4xx tells what became of a paid request; it is never sent again."""
    vendor.says(status, **content)
    with pytest.raises(OutcomeUnknown, match="may have been bought") as caught:
        await call(client)
    assert (caught.value.status_code, len(vendor.requests)) == (status, 1)


@pytest.mark.parametrize("call", BUYING.values(), ids=BUYING)
@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (httpx.ConnectError("refused"), ConnectFailed),
        (httpx.ConnectTimeout("slow"), ConnectFailed),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.WriteTimeout("slow"), OutcomeUnknown),
        (httpx.ReadError("cut"), OutcomeUnknown),
        (httpx.WriteError("cut"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut"), OutcomeUnknown),
        (httpx.DecodingError("garbled"), OutcomeUnknown),
    ],
    ids=repr,
)
async def test_a_lost_connection_is_sorted_by_when_it_was_lost(
    failure: Exception, error_type: type[ProviderError], call: Call, client: ScenarioClient, vendor: Vendor
) -> None:
    """Before there was a connection nothing was bought; after, it may have been. Neither is sent again."""
    vendor.fails(failure)
    with pytest.raises(error_type):
        await call(client)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(("status", "content", "error_type", "message"), REFUSALS)
async def test_a_dry_run_is_refused_as_a_submit_is(
    status: int,
    content: dict[str, Any],
    error_type: type[ProviderError],
    message: str,
    client: ScenarioClient,
    vendor: Vendor,
) -> None:
    """Scenario's checks come before its prices, so a plan learns of them for nothing."""
    vendor.says(status, **content)
    with pytest.raises(error_type, match=message):
        await ESTIMATING(client)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, {"json": {"job": {"jobId": "job_1", "status": "queued"}, "creativeUnitsCost": 5}}),
        (200, {"json": {"creativeUnitsCost": 5}}),
        (269, {"json": {"job": {"jobId": "job_1"}, "creativeUnitsCost": 5}}),
        (269, {"json": {"job": None, "creativeUnitsCost": 5}}),
        (269, {"text": HTML}),
        (200, {"text": HTML}),
        (202, {"json": {}}),
        (302, {"headers": {"location": "https://elsewhere.example/"}, "json": {}}),
    ],
)
async def test_a_dry_run_with_any_other_success_may_have_bought(
    status: int, content: dict[str, Any], client: ScenarioClient, vendor: Vendor
) -> None:
    """Only HTTP 269 without a job is an estimate; a success of another shape may be a paid job."""
    vendor.says(status, **content)
    with pytest.raises(OutcomeUnknown, match=r"dry run.*may have been bought"):
        await ESTIMATING(client)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("failure", [500, 502, 503, 504, 408, httpx.ReadTimeout("slow"), httpx.ReadError("cut")])
async def test_a_dry_run_without_answer_may_be_asked_again(
    failure: int | Exception, client: ScenarioClient, vendor: Vendor
) -> None:
    """The query said that nothing is to be bought, so a bad moment of the gateway is no alarm about money."""
    if isinstance(failure, Exception):
        vendor.fails(failure)
    else:
        vendor.says(failure, text=HTML)
    with pytest.raises(ProviderUnavailable):
        await ESTIMATING(client)
    assert len(vendor.requests) == 1


async def test_an_estimate_without_a_price_is_no_price_of_zero(client: ScenarioClient, vendor: Vendor) -> None:
    """A price that cannot be read is unknown."""
    vendor.says(269, json={"creativeUnitsCost": "a lot"})
    assert (await client.estimate("model_klein", TEAPOT)).creative_units_cost is None


@pytest.mark.parametrize("call", READING.values(), ids=READING)
@pytest.mark.parametrize(
    ("status", "content", "error_type"),
    [
        (200, {"text": HTML}, UnexpectedAnswer),
        (200, {"json": {}}, UnexpectedAnswer),
        (200, {"json": None}, UnexpectedAnswer),
        (200, {"text": '{"job": {"jobId": "job_'}, UnexpectedAnswer),
        (302, {"headers": {"location": "https://elsewhere.example/"}}, UnexpectedAnswer),
        (401, {"json": {"message": "Unauthorized"}}, AccountRefused),
        (403, {"json": {"message": "Forbidden"}}, AccountRefused),
        (429, {"json": {"message": "Too many"}}, ProviderUnavailable),
        (500, {"text": HTML}, ProviderUnavailable),
        (501, {"text": HTML}, ProviderUnavailable),
        (504, {"text": HTML}, ProviderUnavailable),
        (520, {"text": HTML}, ProviderUnavailable),
    ],
)
async def test_a_read_fails_for_now_or_for_good(
    status: int,
    content: dict[str, Any],
    error_type: type[ProviderError],
    call: Call,
    client: ScenarioClient,
    vendor: Vendor,
) -> None:
    """A read never speaks about money: it can be repeated, the account is refused, or the answer is strange."""
    vendor.says(status, **content)
    with pytest.raises(error_type) as caught:
        await call(client)
    assert caught.value.provider == "scenario"
    assert "elsewhere.example" not in {request.url.host for request in vendor.requests}


@pytest.mark.parametrize("name", ["job", "asset", "upload", "model"])
async def test_what_scenario_does_not_know_is_unexpected(name: str, client: ScenarioClient, vendor: Vendor) -> None:
    """An id that came from Scenario and is not known there any more is nobody's wrong request."""
    vendor.says(404, json={"reason": "Not found"})
    with pytest.raises(UnexpectedAnswer, match=r"HTTP 404\): Not found"):
        await READING[name](client)


@pytest.mark.parametrize("call", WRITING.values(), ids=WRITING)
@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_free_write_can_be_refused(status: int, call: Call, client: ScenarioClient, vendor: Vendor) -> None:
    """A picture or a cancel that Scenario does not take is refused for good."""
    vendor.says(status, json={"reason": "no"})
    with pytest.raises(RequestRejected, match="no"):
        await call(client)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, {"reason": "cooldown", "remainingSeconds": 900}, 7.0),
        ({}, {"reason": "cooldown", "remainingSeconds": 900}, 900.0),
        ({"retry-after": "soon"}, {"remainingSeconds": 2.5}, 2.5),
        ({"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, {}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, {}, 0.0),
        ({"retry-after": "9" * 400}, {}, None),
        ({"retry-after": "-1"}, {"remainingSeconds": -5}, None),
        ({}, {"remainingSeconds": "soon"}, None),
        ({}, {}, None),
    ],
)
async def test_how_long_to_wait_is_taken_from_header_or_body(
    headers: dict[str, str], body: dict[str, Any], seconds: float | None, client: ScenarioClient, vendor: Vendor
) -> None:
    """The header counts first; Scenario's cooldown says it in the body; nonsense is no wait at all."""
    vendor.says(429, headers=headers, json=body)
    with pytest.raises(RateLimited) as caught:
        await client.run_model("model_klein", TEAPOT)
    assert caught.value.retry_after_seconds == seconds


async def test_a_date_to_wait_for_is_understood(client: ScenarioClient, vendor: Vendor) -> None:
    """Retry-After may be a date (RFC 9110)."""
    then = datetime.now(UTC) + timedelta(hours=1)
    vendor.says(429, headers={"retry-after": format_datetime(then, usegmt=True)})
    with pytest.raises(RateLimited) as caught:
        await client.run_model("model_klein", TEAPOT)
    assert caught.value.retry_after_seconds is not None
    assert 0 < caught.value.retry_after_seconds <= 3600


async def test_an_error_keeps_its_facts(client: ScenarioClient, vendor: Vendor) -> None:
    """Code and request id are what the vendor's support asks for."""
    vendor.says(403, headers={"x-amzn-requestid": "req-1"}, json={"name": "ModelAccessRestrictedError"})
    with pytest.raises(AccountRefused) as caught:
        await client.run_model("model_klein", TEAPOT)
    assert (caught.value.code, caught.value.request_id) == ("ModelAccessRestrictedError", "req-1")
    vendor.script = [httpx.Response(500, json={"message": "oh", "traceId": "trace-1"})]
    with pytest.raises(OutcomeUnknown) as unknown:
        await client.run_model("model_klein", TEAPOT)
    assert unknown.value.request_id == "trace-1"


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_no_credentials_come_back_in_a_message(status: int, client: ScenarioClient, vendor: Vendor) -> None:
    """AWS gateways quote an Authorization header that they do not understand; our messages do not."""

    async def quoting(request: httpx.Request) -> httpx.Response:
        header = request.headers["authorization"]
        return httpx.Response(status, json={"message": f"'{header}' not a valid key=value pair: {header}, sorry"})

    client._api._transport = httpx.MockTransport(quoting)
    with pytest.raises(ProviderError, match=r"\*\*\*") as caught:
        await client.run_model("model_klein", TEAPOT)
    assert "dGhlLWtleTp0aGUtc2VjcmV0" not in str(caught.value)


async def test_a_vendors_text_is_one_clean_line(client: ScenarioClient, vendor: Vendor) -> None:
    """Texts of a provider are hostile in a log: no control characters, bounded length."""
    vendor.says(400, json={"reason": "no\r\n2026-11-20 INFO all is well\x1b[2J" + "!" * 10_000})
    with pytest.raises(RequestRejected) as caught:
        await client.run_model("model_klein", TEAPOT)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["job", "jobId", "jobs", "status", "metadata", "billing", "asset", "assets", "id", "upload"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
bodies = (
    json_values.map(lambda value: {"json": value} if _is_json(value) else {"text": str(value)})
    | st.binary(max_size=200).map(lambda data: {"content": data})
    | st.text(max_size=100).map(lambda text: {"text": f"<html>{text}</html>"})
)
statuses = st.sampled_from([200, 201, 202, 204, 206, 269, 299, 301, 304, 400, 401, 402, 403, 404, 408, 409, 418, 422])
all_statuses = statuses | st.sampled_from([429, 499, 500, 501, 502, 503, 504, 520, 599])


def _is_json(value: Any) -> bool:
    try:
        httpx.Response(200, json=value)
    except (ValueError, UnicodeEncodeError):
        return False
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    call=st.sampled_from([*BUYING.values(), ESTIMATING, *READING.values(), *WRITING.values()]),
    status=all_statuses,
    content=bodies,
)
async def test_no_answer_leaves_our_error_tree(
    call: Call, status: int, content: dict[str, Any], client: ScenarioClient, vendor: Vendor
) -> None:
    """Whatever comes back, a caller meets a value or an error of ours, with a message of one clean line."""
    vendor.script = [httpx.Response(status, **content)]
    message = ""
    try:
        await call(client)
    except KleinbildError as error:
        message = str(error)
    assert [character for character in message if unicodedata.category(character) == "Cc"] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(status=all_statuses, content=bodies)
async def test_a_submit_is_bought_refused_or_unknown(
    status: int, content: dict[str, Any], client: ScenarioClient, vendor: Vendor
) -> None:
    """For money there are three outcomes and no fourth: a receipt, proof that nothing was bought, or neither."""
    vendor.script = [httpx.Response(status, **content)]
    before = len(vendor.requests)
    try:
        answer = await client.run_model("model_klein", TEAPOT)
        outcome = "bought" if answer.job.job_id else "nothing"
    except NothingAccepted:
        outcome = "refused"
    except OutcomeUnknown:
        outcome = "unknown"
    refuses = 400 <= status < 500 and status not in {408, 499}
    succeeds = 200 <= status < 300
    assert outcome in ({"refused"} if refuses else {"bought", "unknown"} if succeeds else {"unknown"})
    assert len(vendor.requests) == before + 1


@pytest.mark.parametrize(
    ("call", "error_type"),
    [(BUYING["run_model"], OutcomeUnknown), (ESTIMATING, ProviderUnavailable), (READING["job"], ProviderUnavailable)],
)
async def test_every_call_has_a_deadline(
    call: Call, error_type: type[ProviderError], credentials: ScenarioCredentials
) -> None:
    """An answer that never ends is given up; for a paid request that means that the outcome is unknown."""

    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    hasty = credentials.model_copy(update={"deadline_seconds": 0.01})
    async with hasty.get_client(transport=httpx.MockTransport(never)) as client:
        with pytest.raises(error_type):
            await call(client)
