"""What the sandbox answers about itself: which jobs were bought, and which faults are live."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.faults import FaultList
from deployments.sandbox.jobs import Job
from deployments.sandbox.scenario.access import iso_time
from deployments.sandbox.scenario.jobs import state_of as scenario_state
from deployments.sandbox.sunra.statuses import state_of as sunra_state
from deployments.sandbox.world import world_of


async def list_paid_jobs(request: Request) -> Response:
    """``GET /sandbox/jobs``: every paid job accepted, in order."""
    world = world_of(request)
    return JSONResponse([_paid_job(job, world.clock()) for job in world.jobs.paid()])


def _paid_job(job: Job, now: float) -> dict[str, Any]:
    refunds = job.fault is None or job.fault.refund
    refunded = job.finished(now) and job.error is not None and refunds
    return {
        "provider": job.provider,
        "job_id": job.job_id,
        "kind": job.kind,
        "model": job.model,
        "request": job.body,
        "state": scenario_state(job, now) if job.provider == "scenario" else sunra_state(job, now),
        "created_at": iso_time(job.created),
        "cost": job.cost,
        "cost_unit": job.cost_unit,
        "charged": 0.0 if refunded else job.cost,
    }


async def show_faults(request: Request) -> Response:
    """``GET /sandbox/faults``: the faults since the last clear, and how often each one struck."""
    return JSONResponse({"faults": world_of(request).faults.report()})


async def add_faults(request: Request) -> Response:
    """``POST /sandbox/faults``: make faults live, from now on."""
    try:
        faults = FaultList.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, status_code=400)
    world_of(request).faults.add(faults)
    return await show_faults(request)


async def clear_faults(request: Request) -> Response:
    """``DELETE /sandbox/faults``."""
    world_of(request).faults.clear()
    return await show_faults(request)


async def reset(request: Request) -> Response:
    """``POST /sandbox/reset``: forget jobs, pictures and faults."""
    world_of(request).reset()
    return JSONResponse({"reset": True})


async def health(request: Request) -> Response:
    """``GET /sandbox/health``: for whoever waits until the sandbox is up."""
    return JSONResponse({"ready": True, "jobs": len(world_of(request).jobs.paid())})


ROUTES = [
    Route("/sandbox/jobs", list_paid_jobs),
    Route("/sandbox/faults", show_faults),
    Route("/sandbox/faults", add_faults, methods=["POST"]),
    Route("/sandbox/faults", clear_faults, methods=["DELETE"]),
    Route("/sandbox/reset", reset, methods=["POST"]),
    Route("/sandbox/health", health),
]
