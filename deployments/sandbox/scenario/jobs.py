"""Scenario's job object over time, and the job routes: one job, the list, the refused cancel."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.jobs import Job
from deployments.sandbox.replies import json_body
from deployments.sandbox.scenario.access import iso_time, page_of, page_token, parse_time, refusal
from deployments.sandbox.scenario.troubles import read_trouble
from deployments.sandbox.world import World, world_of

# The share of a job's duration at which each state begins (the order is the SDK's; nobody documents the shares).
_STATES = ((0.0, "pending"), (0.05, "queued"), (0.2, "warming-up"), (0.4, "in-progress"), (0.85, "finalizing"))
_SORTED_BY_UPDATE = ("status", "type", "types", "workflowId")


def state_of(job: Job, now: float) -> str:
    """The job's state at a moment (epoch seconds)."""
    progress = job.progress(now)
    fault = job.fault
    if fault is not None and fault.kind == "job_status" and fault.final == (progress >= 1) and progress >= 0.2:
        return fault.status or "paused"
    if progress >= 1:
        return "success" if job.error is None else "failure"
    return [name for begins, name in _STATES if begins <= progress][-1]


def job_record(job: Job, now: float) -> dict[str, Any]:
    """The job object as Scenario shows it."""
    state = state_of(job, now)
    updated = min(now, job.created + job.duration_seconds)
    metadata: dict[str, Any] = {"input": job.accepted}
    if state == "success" and job.outputs:
        metadata["assetIds"] = list(job.outputs)
    if state == "success" and job.details:
        metadata["output"] = job.details
    if state == "failure":
        metadata["error"] = job.error
    billing: dict[str, Any] = {"cuCost": job.cost, "cuDiscount": 0}
    if job.fault is not None and not job.fault.refund:
        billing["disableRefund"] = True
    return {
        "jobId": job.job_id,
        "jobType": job.kind,
        "status": state,
        "progress": round(job.progress(now), 3),
        "createdAt": iso_time(job.created),
        "updatedAt": iso_time(updated),
        "statusHistory": _history(job, now, state),
        "metadata": metadata,
        "billing": billing,
        "authorId": "sandbox-author",
        "ownerId": "sandbox-project",
    }


def _history(job: Job, now: float, state: str) -> list[dict[str, str]]:
    progress = job.progress(now)
    passed = [
        {"date": iso_time(job.created + begins * job.duration_seconds), "status": name}
        for begins, name in _STATES
        if begins <= progress
    ]
    if passed[-1]["status"] != state:
        passed.append({"date": iso_time(min(now, job.created + job.duration_seconds)), "status": state})
    return passed


async def get_job(request: Request) -> Response:
    """``GET /v1/jobs/{job_id}``."""
    world = world_of(request)
    job = world.jobs.find("scenario", request.path_params["job_id"])
    fault, reply = await read_trouble(world, "poll", job.prompt if job else "")
    if reply is not None:
        return reply
    if job is None:
        return refusal(404, f"Job {request.path_params['job_id']} not found")
    status = 202 if fault is not None and fault.what == "accepted_202" else 200
    return JSONResponse({"job": job_record(job, world.clock())}, status_code=status)


async def list_jobs(request: Request) -> Response:
    """``GET /v1/jobs``, newest first."""
    world = world_of(request)
    fault, reply = await read_trouble(world, "list", "")
    if reply is not None:
        return reply
    wrong = _wrong_filters(request)
    if wrong:
        return refusal(400, wrong)
    rows = [job for job in world.jobs.newest_first("scenario") if _wanted(job, request, world)]
    if fault is not None and fault.what == "empty_page":
        # Legal, says the SDK: "a page can hold fewer jobs than pageSize, or none, while nextPaginationToken is set".
        token = request.query_params.get("paginationToken")
        return JSONResponse({"jobs": [], "nextPaginationToken": token or page_token(2**62)})
    page = page_of(rows, request)
    if page is None:
        return refusal(400, "Invalid pageSize or paginationToken")
    now = world.clock()
    answer: dict[str, Any] = {"jobs": [job_record(job, now) for job in page[0]]}
    if page[1] is not None:
        answer["nextPaginationToken"] = page[1]
    return JSONResponse(answer)


def _wrong_filters(request: Request) -> str | None:
    query = request.query_params
    by_update = any(name in query for name in _SORTED_BY_UPDATE)
    if "createdAfter" in query and by_update:
        return "createdAfter is only allowed without status, type, types and workflowId"
    if "updatedAfter" in query and not by_update:
        return "updatedAfter is only allowed with status, type, types or workflowId"
    for name in ("createdAfter", "updatedAfter"):
        if name in query and parse_time(query[name]) is None:
            return f"{name} must be an ISO-8601 date"
    return None


def _wanted(job: Job, request: Request, world: World) -> bool:
    query, now = request.query_params, world.clock()
    types = [name for name in (query.get("type", ""), *query.get("types", "").split(",")) if name]
    created_after = parse_time(query.get("createdAfter", "")) or 0.0
    updated_after = parse_time(query.get("updatedAfter", "")) or 0.0
    return (
        (not types or job.kind in types)
        and query.get("status", "") in ("", state_of(job, now))
        and "workflowId" not in query
        and job.created >= created_after
        and min(now, job.created + job.duration_seconds) >= updated_after
    )


async def act_on_job(request: Request) -> Response:
    """``POST /v1/jobs/{job_id}/action``: no job that the sandbox runs can be cancelled, as on the real service."""
    world = world_of(request)
    if world.jobs.find("scenario", request.path_params["job_id"]) is None:
        return refusal(404, f"Job {request.path_params['job_id']} not found")
    body = await json_body(request)
    if body is None or body.get("action") != "cancel":
        return refusal(400, "Invalid action")
    return refusal(400, "Cannot cancel this type of job. Action not permitted.")
