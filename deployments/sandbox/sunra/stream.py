"""Sunra's status stream: server-sent events until the job's end."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from deployments.sandbox.faults import Fault
from deployments.sandbox.jobs import Job
from deployments.sandbox.sunra.queue import body_now, find_job, no_such_request
from deployments.sandbox.sunra.troubles import read_trouble
from deployments.sandbox.world import world_of

_STEPS_PER_JOB = 10


async def stream_status(request: Request) -> Response:
    """``GET /v1/queue/requests/{request_id}/status/stream``."""
    job = find_job(request)
    fault, reply = await read_trouble(world_of(request), "stream", job.prompt if job else "")
    if reply is not None:
        return reply
    if job is None:
        return no_such_request(request)
    if fault is not None and fault.what == "not_sse":
        return JSONResponse({"detail": "Stream is not available"})
    return StreamingResponse(_events(request, job, fault), media_type="text/event-stream")


async def _events(request: Request, job: Job, fault: Fault | None) -> AsyncIterator[str]:
    world = world_of(request)
    last_status = None
    while True:
        current = world.jobs.find("sunra", job.job_id) or job
        body = body_now(request, current)
        if body["status"] != last_status:
            last_status = body["status"]
            finished = current.finished(world.clock())
            if finished and fault is not None and fault.what == "early_end":
                return
            yield "data: {broken\n\n" if fault is not None and fault.what == "malformed_event" else _event(body)
            if finished:
                return
        await asyncio.sleep(max(0.005, job.duration_seconds / _STEPS_PER_JOB))


def _event(body: dict[str, object]) -> str:
    return f"data: {json.dumps(body)}\n\n"
