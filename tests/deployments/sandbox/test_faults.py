"""Each fault does to a client what it says, and the job book tells the truth about what was bought."""

from typing import Any

import httpx
import pytest

from tests.conftest import Sandbox
from tests.deployments.sandbox.conftest import SCENARIO_MODEL, SUNRA_MODEL, opened, until

SCENARIO_BODY = {"prompt": "a blue kettle", "seed": 1, "width": 256, "height": 256}
SUNRA_BODY = {"prompt": "a blue kettle", "image_urls": ["https://elsewhere.invalid/a.png"]}
KEY = {"Authorization": "Bearer sandbox-key"}
PROVIDERS = ("scenario", "sunra")


def submit(api: httpx.Client, provider: str = "scenario", **changes: Any) -> httpx.Response:
    if provider == "scenario":
        return api.post(f"generate/custom/{SCENARIO_MODEL}", json=SCENARIO_BODY | changes)
    return api.post(f"queue/{SUNRA_MODEL}", json=SUNRA_BODY | changes, headers=KEY)


def finished_asset(api: httpx.Client) -> str:
    job_id = submit(api).json()["job"]["jobId"]
    job = until(lambda: api.get(f"jobs/{job_id}").json()["job"], lambda job: job["status"] == "success")
    return str(job["metadata"]["assetIds"][0])


def file_url(api: httpx.Client) -> str:
    return str(api.get(f"assets/{finished_asset(api)}?originalAssets=true").json()["asset"]["url"])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_accepted_job_whose_reply_is_lost_is_in_the_book(api: httpx.Client, sandbox: Sandbox, provider: str) -> None:
    """The client sees a cut connection; the job was bought, once; the next submit is unharmed."""
    sandbox.fault("submit_accepted_reply_dropped", provider=provider)
    with pytest.raises(httpx.RemoteProtocolError):
        submit(api, provider)
    [job] = sandbox.jobs()
    assert (job["provider"], job["request"]["prompt"]) == (provider, "a blue kettle")
    assert submit(api, provider).status_code == 200


def test_a_lost_scenario_job_can_be_found_again(api: httpx.Client, sandbox: Sandbox) -> None:
    """It stands in the list with its very seed and prompt."""
    sandbox.fault("submit_accepted_reply_dropped")
    with pytest.raises(httpx.RemoteProtocolError):
        submit(api, seed=424242)
    [job] = api.get("jobs").json()["jobs"]
    assert job["metadata"]["input"] == SCENARIO_BODY | {"seed": 424242}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("submit_accepted_error", 504, "text/html; charset=utf-8"),
        ("submit_accepted_html", 200, "text/html; charset=utf-8"),
        ("submit_accepted_malformed_json", 200, "application/json"),
        ("submit_accepted_empty", 200, "application/json"),
    ],
)
def test_a_spoilt_acceptance_is_still_bought(
    api: httpx.Client, sandbox: Sandbox, provider: str, kind: str, status: int, content_type: str
) -> None:
    """Whatever the answer looks like, the job is in the book."""
    sandbox.fault(kind, provider=provider)
    reply = submit(api, provider)
    assert (reply.status_code, reply.headers["content-type"]) == (status, content_type)
    assert len(sandbox.jobs(provider)) == 1


def test_a_sunra_answer_can_name_another_host(api: httpx.Client, sandbox: Sandbox) -> None:
    """All three URLs lead away; a client must not send its key there."""
    sandbox.fault("submit_accepted_foreign_urls")
    reply = submit(api, "sunra").json()
    assert {httpx.URL(reply[name]).host for name in ("status_url", "response_url", "cancel_url")} == {
        "elsewhere.invalid"
    }


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("kind", "scenario_status", "sunra_status"),
    [
        ("submit_error", 503, 503),
        ("submit_unauthorized", 401, 401),
        ("submit_forbidden", 403, 403),
        ("submit_rate_limited", 429, 403),
        ("submit_cooldown", 429, 403),
        ("submit_no_credit", 402, 402),
    ],
)
def test_a_refusal_buys_nothing(
    api: httpx.Client, sandbox: Sandbox, provider: str, kind: str, scenario_status: int, sunra_status: int
) -> None:
    """Each provider refuses in its own way, with the headers asked for."""
    sandbox.fault(kind, headers={"Retry-After": "1"})
    reply = submit(api, provider)
    assert reply.status_code == (scenario_status if provider == "scenario" else sunra_status)
    assert reply.headers["retry-after"] == "1"
    assert sandbox.jobs() == []


def test_scenarios_429s_say_which_they_are(api: httpx.Client, sandbox: Sandbox) -> None:
    """Concurrency names the action, cooldown the seconds; a plan refusal names the plan."""
    sandbox.fault("submit_rate_limited")
    sandbox.fault("submit_cooldown", seconds=7)
    sandbox.fault("submit_forbidden")
    assert submit(api).json()["details"]["actionName"] == "parallelCustomJobs"
    assert submit(api).json() == {"reason": "cooldown", "remainingSeconds": 7.0}
    assert submit(api).json() == {
        "name": "ModelAccessRestrictedError",
        "modelId": SCENARIO_MODEL,
        "requiredPlan": "cu-pro",
    }


def test_a_dropped_submit_buys_nothing(api: httpx.Client, sandbox: Sandbox) -> None:
    """Cut before acceptance looks the same to a client as cut after; only the book knows."""
    sandbox.fault("submit_dropped")
    with pytest.raises(httpx.RemoteProtocolError):
        submit(api)
    assert sandbox.jobs() == []


def test_times_after_and_match_aim_a_fault(api: httpx.Client, sandbox: Sandbox) -> None:
    """One passes, two are struck, the rest pass; other prompts are never touched."""
    sandbox.fault("submit_error", match="kettle", after=1, times=2)
    codes = [submit(api).status_code for _ in range(4)]
    assert codes == [200, 503, 503, 200]
    assert submit(api, prompt="a cup").status_code == 200
    assert sandbox.struck() == [2]


def test_a_dry_run_is_no_submit(api: httpx.Client, sandbox: Sandbox) -> None:
    """Faults of submits do not strike it."""
    sandbox.fault("submit_error")
    reply = api.post(f"generate/custom/{SCENARIO_MODEL}?dryRun=true", json=SCENARIO_BODY)
    assert (reply.status_code, sandbox.struck()) == (269, [0])


def test_an_unknown_fault_is_refused(sandbox: Sandbox) -> None:
    """With the list of those that exist, so that a typo never makes a test pass."""
    reply = httpx.post(f"{sandbox.origin}/sandbox/faults", json={"faults": [{"kind": "submit_eror"}]})
    assert reply.status_code == 400
    assert "no fault is called 'submit_eror'" in reply.json()["error"][0]["msg"]


def test_polling_can_fail_in_every_way_and_recover(api: httpx.Client, sandbox: Sandbox) -> None:
    """A 502 page, a cut, broken JSON, a 429 and a 202; after them the job is as it was."""
    url = f"jobs/{submit(api).json()['job']['jobId']}"
    for kind in ("poll_error", "poll_dropped", "poll_malformed_json", "poll_rate_limited", "poll_accepted_202"):
        sandbox.fault(kind)
    assert api.get(url).status_code == 503
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(url)
    with pytest.raises(ValueError, match="Unterminated string"):
        api.get(url).json()
    assert [api.get(url).status_code for _ in range(3)] == [429, 202, 200]


def test_a_page_of_jobs_can_be_empty_with_a_token(api: httpx.Client, sandbox: Sandbox) -> None:
    """The pages behind it hold everything."""
    ids = [submit(api).json()["job"]["jobId"] for _ in range(3)]
    sandbox.fault("list_empty_page", after=1)
    first = api.get("jobs?pageSize=2").json()
    hole = api.get("jobs", params={"pageSize": 2, "paginationToken": first["nextPaginationToken"]}).json()
    rest = api.get("jobs", params={"pageSize": 2, "paginationToken": hole["nextPaginationToken"]}).json()
    assert hole["jobs"] == []
    assert [job["jobId"] for job in first["jobs"] + rest["jobs"]] == ids[::-1]
    assert "nextPaginationToken" not in rest


def test_an_asset_can_be_pending_or_missing_first(api: httpx.Client, sandbox: Sandbox) -> None:
    """The job has succeeded, the asset is not there yet."""
    asset_id = finished_asset(api)
    sandbox.fault("asset_pending")
    sandbox.fault("asset_missing")
    assert api.get(f"assets/{asset_id}").json()["asset"]["status"] == "pending"
    assert api.get(f"assets/{asset_id}").status_code == 404
    assert api.get(f"assets/{asset_id}").json()["asset"]["status"] == "success"


def test_a_transfer_can_be_cut(api: httpx.Client, sandbox: Sandbox) -> None:
    """The announced length is the whole one, the bytes stop half-way; the next transfer is whole."""
    url = file_url(api)
    sandbox.fault("file_cut")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        httpx.get(url)
    assert opened(httpx.get(url).content).size == (256, 256)


def test_a_file_can_be_everything_but_a_picture(api: httpx.Client, sandbox: Sandbox) -> None:
    """A truncated one, a page, a text that calls itself PNG, 403 in XML, 404."""
    url = file_url(api)
    whole = httpx.get(url).content
    for kind in ("file_truncated", "file_html", "file_wrong_type", "file_error"):
        sandbox.fault(kind)
    sandbox.fault("file_error", http_status=404)
    replies = [httpx.get(url) for _ in range(6)]
    assert replies[0].content == whole[: len(whole) // 2]
    assert [(reply.status_code, reply.headers["content-type"]) for reply in replies] == [
        (200, "image/png"),
        (200, "text/html; charset=utf-8"),
        (200, "image/png"),
        (403, "application/xml"),
        (404, "text/html; charset=utf-8"),
        (200, "image/png"),
    ]
    assert replies[5].content == whole


def test_an_import_can_fail(api: httpx.Client, sandbox: Sandbox, photograph: bytes) -> None:
    """The upload ends in failed, with a message and no asset."""
    sandbox.fault("import_fails", match="lake")
    body = {
        "kind": "image",
        "fileName": "lake.png",
        "fileSize": len(photograph),
        "contentType": "image/png",
        "parts": 1,
    }
    upload = api.post("uploads", json=body).json()["upload"]
    httpx.put(upload["parts"][0]["url"], content=photograph).raise_for_status()
    api.post(f"uploads/{upload['id']}/action", json={"action": "complete"}).raise_for_status()
    done = until(lambda: api.get(f"uploads/{upload['id']}").json()["upload"], lambda row: row["status"] == "failed")
    assert (done["errorMessage"], "entityId" in done) == ("The file is not a valid image", False)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "service_provider_error", "message": "Predict failed. Please try again."},
        {"code": "service_provider_error", "message": "busy", "reason": "provider_rate_limited", "retryable": True},
        {"code": "a_new_code", "message": "?", "reason": "a_new_reason"},
    ],
)
def test_sunras_failures_have_every_shape(api: httpx.Client, sandbox: Sandbox, error: dict[str, Any]) -> None:
    """Before v2, v2, and with codes and reasons nobody knows yet."""
    sandbox.fault("job_fails", error=error)
    urls = submit(api, "sunra").json()
    body = until(lambda: api.get(urls["status_url"], headers=KEY).json(), lambda row: row["status"] == "COMPLETED")
    assert (body["success"], body["error"] | error) == (False, body["error"])
    result = api.get(urls["response_url"], headers=KEY)
    assert (result.status_code, result.json()["error"]["code"]) == (400, "PREDICTION_FAILED")
    assert result.json()["error"]["details"] == body["error"]


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "CANCELLED", "PROCESSING"])
def test_sunra_can_end_in_other_states(api: httpx.Client, sandbox: Sandbox, status: str) -> None:
    """States that one SDK knows and another does not."""
    sandbox.fault("job_status", status=status, final=True)
    urls = submit(api, "sunra").json()
    body = until(lambda: api.get(urls["status_url"], headers=KEY).json(), lambda row: row["status"] == status)
    assert body["success"] is False


def test_streams_can_break(api: httpx.Client, sandbox: Sandbox) -> None:
    """An early end without the terminal event, a broken event, a body that is no stream at all, an error page."""
    for kind in ("stream_early_end", "stream_malformed_event", "stream_not_sse", "stream_error"):
        sandbox.fault(kind)
    url = submit(api, "sunra").json()["status_url"] + "/stream"
    early, broken, plain, error = (api.get(url, headers=KEY) for _ in range(4))
    assert "COMPLETED" not in early.text
    assert "data: {broken" in broken.text
    assert (plain.status_code, plain.headers["content-type"]) == (200, "application/json")
    assert (error.status_code, error.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert '"COMPLETED"' in api.get(url, headers=KEY).text


def test_an_own_body_can_be_sent(api: httpx.Client, sandbox: Sandbox) -> None:
    """An object goes as JSON, a text as HTML, with the status asked for."""
    sandbox.fault("submit_error", http_status=409, body={"reason": "conflict"})
    sandbox.fault("submit_error", http_status=502, body="<h1>Bad <b>Gateway</b></h1>")
    first, second = submit(api), submit(api)
    assert (first.status_code, first.json()) == (409, {"reason": "conflict"})
    assert (second.status_code, second.text) == (502, "<h1>Bad <b>Gateway</b></h1>")
