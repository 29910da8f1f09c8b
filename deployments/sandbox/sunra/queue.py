"""Sunra's queue: submit, status, result and cancel."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.faults import edits_under
from deployments.sandbox.jobs import Job
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.sizes import LARGEST_PIXELS, fitted_size
from deployments.sandbox.replies import json_body
from deployments.sandbox.storage import Asset
from deployments.sandbox.sunra.access import rate_limited, refusal
from deployments.sandbox.sunra.parameters import ASPECT_RATIOS, MODEL_PATH, wrong_input
from deployments.sandbox.sunra.statuses import (
    INPUT_FETCH_FAILED,
    PREDICTION_FAILED_V1,
    failure_of,
    state_of,
    status_body,
    urls_of,
)
from deployments.sandbox.sunra.troubles import read_trouble, spoilt_acceptance, submit_refusal
from deployments.sandbox.world import World, world_of

_NOMINAL_PRICE_USD = 0.01  # Sunra's price is on its website only


async def submit(request: Request) -> Response:
    """``POST /v1/queue/{owner}/{model}/{endpoint}``."""
    world = world_of(request)
    model = request.path_params["model"].strip("/")
    body = await json_body(request)
    if model.count("/") < 2:
        return refusal(400, "BAD_REQUEST", "Model endpoint is required")
    if body is None:
        return refusal(400, "BAD_REQUEST", "Bad Request")
    fault = world.faults.take("submit", "sunra", str(body.get("prompt", "")))
    if fault is not None:
        return submit_refusal(fault, model)
    if model != MODEL_PATH:
        return refusal(404, "MODEL_NOT_FOUND", f"Model {model} not found", error_type="not_found_error")
    wrong = wrong_input(body)
    if wrong:
        return refusal(400, "INVALID_INPUT", wrong, details={"field": wrong.partition(":")[0]})
    if world.crowded("sunra"):
        return rate_limited()
    origin = world.origin(request)
    job = _open_job(world, body, origin, with_logs=request.query_params.get("logs") == "1")
    answer = {"request_id": job.job_id} | urls_of(job, origin)
    fault, _ = await world.trouble("submit_accepted", "sunra", job.prompt)
    return JSONResponse(answer) if fault is None else spoilt_acceptance(fault, answer, origin)


def _open_job(world: World, body: dict[str, Any], origin: str, *, with_logs: bool) -> Job:
    fault = world.faults.take("job", "sunra", body["prompt"])
    sources = [world.asset_behind(url, origin) for url in body["image_urls"]]
    found = [asset for asset in sources if asset is not None]
    error: dict[str, Any] | None = INPUT_FETCH_FAILED if len(found) < len(sources) else None
    if fault is not None and fault.kind == "job_fails":
        error = fault.error or PREDICTION_FAILED_V1
    job = world.jobs.open(
        "sunra",
        "image-to-image",
        prefix="pd_",
        duration_seconds=world.duration_seconds(fault),
        model=MODEL_PATH,
        body=body,
        prompt=body["prompt"],
        cost=_NOMINAL_PRICE_USD,
        cost_unit="USD",
        error=error,
        fault=fault,
        details={"with_logs": with_logs},
    )
    return job if error else world.jobs.change(job, outputs=(_add_output(world, job, found),))


def _add_output(world: World, job: Job, sources: list[Asset]) -> str:
    body = job.body
    width_px, height_px = _size_px(body.get("aspect_ratio", "auto"), sources[0])
    seed = body.get("seed")
    output_format = body.get("output_format", "png")
    recipe = Recipe(
        prompt=body["prompt"],
        seed=secrets.randbelow(2**31) if seed is None else seed,
        width_px=width_px,
        height_px=height_px,
        output_format=output_format,
        steps=body.get("num_inference_steps", 4),
        guidance=1.0,
        loras=tuple((lora["path"], float(lora.get("scale", 1))) for lora in body.get("loras", ())),
        references=tuple(asset.asset_id for asset in sources),
        repeat_rate=world.settings.repeat_rate,
        edits=edits_under(job.fault),
    )
    asset = world.storage.add(
        owner="sunra",
        name="",
        mime_type=f"image/{output_format}",
        width_px=width_px,
        height_px=height_px,
        recipe=recipe,
        job_id=job.job_id,
    )
    return asset.asset_id


def _size_px(aspect_ratio: str, source: Asset) -> tuple[int, int]:
    """``auto`` keeps the size of image 1, up to about a megapixel; other ratios have that many pixels too."""
    ratio = ASPECT_RATIOS[aspect_ratio] or source.width_px / source.height_px
    return fitted_size(ratio, min(LARGEST_PIXELS, source.width_px * source.height_px))


def find_job(request: Request) -> Job | None:
    """The job that the path names."""
    return world_of(request).jobs.find("sunra", request.path_params["request_id"])


def no_such_request(request: Request) -> Response:
    """404 for an unknown request id."""
    return refusal(404, "NOT_FOUND", f"Request {request.path_params['request_id']} not found")


def body_now(request: Request, job: Job) -> dict[str, Any]:
    """The status body of a job at this moment."""
    world = world_of(request)
    now = world.clock()
    with_logs = request.query_params.get("logs") == "1" or bool(job.details["with_logs"])
    body = status_body(job, now, world.origin(request), with_logs=with_logs)
    if body["status"] == "IN_QUEUE":
        others = world.jobs.newest_first("sunra")
        body["queue_position"] = sum(other.sequence < job.sequence and not other.finished(now) for other in others)
    return body


async def get_status(request: Request) -> Response:
    """``GET /v1/queue/requests/{request_id}/status``."""
    job = find_job(request)
    fault, reply = await read_trouble(world_of(request), "poll", job.prompt if job else "")
    if reply is not None:
        return reply
    if job is None:
        return no_such_request(request)
    accepted = fault is not None and fault.what == "accepted_202"
    return JSONResponse(body_now(request, job), status_code=202 if accepted else 200)


async def get_result(request: Request) -> Response:
    """``GET /v1/queue/requests/{request_id}``."""
    world = world_of(request)
    job = find_job(request)
    _, reply = await read_trouble(world, "result", job.prompt if job else "")
    if reply is not None:
        return reply
    if job is None:
        return no_such_request(request)
    state = state_of(job, world.clock())
    if state in ("IN_QUEUE", "IN_PROGRESS"):
        return refusal(400, "REQUEST_IN_PROGRESS", "Request is still in progress")
    if state != "COMPLETED" or job.error is not None:
        error = failure_of(job) or {"code": "internal_server_error", "message": f"Request is {state}"}
        return refusal(400, "PREDICTION_FAILED", error["message"], details=error)
    outputs = [world.storage.find(asset_id) for asset_id in job.outputs]
    origin = world.origin(request)
    return JSONResponse({"images": [await _image(world, asset, origin) for asset in outputs if asset is not None]})


async def _image(world: World, asset: Asset, origin: str) -> dict[str, Any]:
    payload = await world.studio.bytes_of(asset)
    return {
        "content_type": asset.mime_type,
        "file_name": asset.file_name,
        "file_size": len(payload),
        "url": f"{origin}/sunra/files/{asset.asset_id}/{asset.file_name}",
    }


async def cancel(request: Request) -> Response:
    """``PUT /v1/queue/requests/{request_id}/cancel``: only a job that has not begun is stopped."""
    world = world_of(request)
    job = find_job(request)
    if job is None:
        return no_such_request(request)
    now = world.clock()
    if job.finished(now):
        return JSONResponse({"status": "ALREADY_COMPLETED"}, status_code=400)
    if state_of(job, now) == "IN_QUEUE":
        world.jobs.change(job, canceled=now)
    return JSONResponse({"status": "CANCELLATION_REQUESTED"}, status_code=202)
