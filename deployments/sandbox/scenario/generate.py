"""The paid routes of Scenario: generation with a model, and prompt spark."""

import random
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.faults import edits_under
from deployments.sandbox.jobs import Job
from deployments.sandbox.pictures.recipe import Edits, Recipe
from deployments.sandbox.pictures.sizes import fitted_size
from deployments.sandbox.replies import json_body
from deployments.sandbox.scenario import prices
from deployments.sandbox.scenario.access import refusal
from deployments.sandbox.scenario.jobs import job_record
from deployments.sandbox.scenario.parameters import (
    DEFAULT_SIDE_PX,
    LARGEST_SEED,
    MODELS,
    Model,
    RefusedInput,
    checked,
    lora_ids,
)
from deployments.sandbox.scenario.troubles import spoilt_acceptance, submit_refusal, too_many_jobs
from deployments.sandbox.world import World, world_of

_DRY_RUN_STATUS = 269
_DEFAULT_ERROR = "Generation failed. Please try again."
_SPARK_MODES = ("completion", "contextual", "contextual-v2", "image-editing", "inventive", "structured")
_SPARK_TAILS = (
    "in soft window light, muted palette, fine film grain",
    "seen from above, long shadows, generous empty space",
    "at dusk, deep blue and warm amber, quiet mood",
    "close-up, shallow depth of field, textured background",
    "flat graphic shapes, bold contrast, poster composition",
)


async def run_model(request: Request) -> Response:
    """``POST /v1/generate/custom/{model_id}``."""
    world = world_of(request)
    model_id = request.path_params["model_id"]
    body = await json_body(request)
    if body is None:
        return refusal(400, "Invalid request body")
    dry_run = request.query_params.get("dryRun") in ("true", "api")
    prompt = str(body.get("prompt", ""))
    if not dry_run:
        fault = world.faults.take("submit", "scenario", prompt)
        if fault is not None:
            return submit_refusal(fault, model_id)
    model = MODELS.get(model_id)
    if model is None:
        return refusal(404, f"Model {model_id} not found")
    try:
        accepted = checked(body, world, dry_run=dry_run)
    except RefusedInput as error:
        return refusal(error.status, error.reason)
    cost = prices.generation_cu(model, accepted, _size_px(world, accepted))
    if dry_run:
        return JSONResponse(prices.cost_fields(cost), status_code=_DRY_RUN_STATUS)
    if world.crowded("scenario"):
        return too_many_jobs(world.settings.max_parallel or 0)
    job = _open_job(world, model, body, accepted, cost)
    return await _answer(world, job, {"job": job_record(job, world.clock())} | prices.cost_fields(cost))


async def _answer(world: World, job: Job, answer: dict[str, Any]) -> Response:
    fault, _ = await world.trouble("submit_accepted", "scenario", job.prompt)
    return JSONResponse(answer) if fault is None else spoilt_acceptance(fault, answer)


def _open_job(world: World, model: Model, body: dict[str, Any], accepted: dict[str, Any], cost: float) -> Job:
    fault = world.faults.take("job", "scenario", accepted["prompt"])
    job = world.jobs.open(
        "scenario",
        "custom",
        prefix="job_",
        duration_seconds=world.duration_seconds(fault),
        model=model.model_id,
        body=body,
        accepted=accepted,
        prompt=accepted["prompt"],
        cost=cost,
        cost_unit="CU",
        error=(fault.error or _DEFAULT_ERROR) if fault is not None and fault.kind == "job_fails" else None,
        fault=fault,
    )
    outputs = [_add_output(world, job, recipe) for recipe in _recipes(world, model, accepted, edits_under(fault))]
    return world.jobs.change(job, outputs=tuple(outputs))


def _add_output(world: World, job: Job, recipe: Recipe) -> str:
    asset = world.storage.add(
        owner="scenario",
        name="",
        mime_type="image/png",
        width_px=recipe.width_px,
        height_px=recipe.height_px,
        recipe=recipe,
        job_id=job.job_id,
        facts={"modelId": job.model},
    )
    return asset.asset_id


def _recipes(world: World, model: Model, accepted: dict[str, Any], edits: Edits) -> list[Recipe]:
    first_seed = accepted.get("seed", secrets.randbelow(LARGEST_SEED + 1))
    width_px, height_px = _size_px(world, accepted)
    loras = lora_ids(accepted)
    scales = [*accepted.get("lorasScale", ()), *[1.0] * len(loras)]
    return [
        Recipe(
            prompt=accepted["prompt"],
            seed=(first_seed + index) % (LARGEST_SEED + 1),
            width_px=width_px,
            height_px=height_px,
            steps=accepted.get("numInferenceSteps", model.default_steps),
            guidance=accepted.get("guidance", model.default_guidance),
            loras=tuple(zip(loras, scales, strict=False)),
            references=tuple(accepted.get("referenceImages", ())),
            repeat_rate=world.settings.repeat_rate,
            edits=edits,
        )
        for index in range(accepted.get("numOutputs", 1))
    ]


def _size_px(world: World, accepted: dict[str, Any]) -> tuple[int, int]:
    """The size asked for; without one, that of the first reference, or a square."""
    references = [world.storage.find(asset_id) for asset_id in accepted.get("referenceImages", ())]
    width_px, height_px = DEFAULT_SIDE_PX, DEFAULT_SIDE_PX
    if references and references[0] is not None:
        width_px, height_px = fitted_size(references[0].width_px / references[0].height_px)
    return accepted.get("width", width_px), accepted.get("height", height_px)


async def spark_prompts(request: Request) -> Response:
    """``POST /v1/generate/prompt``: prompts in the answer itself, from a handful of phrases."""
    world = world_of(request)
    body = await json_body(request)
    if body is None:
        return refusal(400, "Invalid request body")
    mode, count = body.get("mode", "contextual"), body.get("numResults", 1)
    if mode not in _SPARK_MODES:
        return refusal(400, f"Input mode must be one of: {', '.join(_SPARK_MODES)}")
    if not isinstance(count, int) or not 1 <= count <= 5:
        return refusal(400, "Input numResults must be at most 5")
    cost = prices.PROMPT_SPARK_CU + prices.EXTRA_PROMPT_CU * (count - 1)
    if request.query_params.get("dryRun") in ("true", "api"):
        return JSONResponse(prices.cost_fields(cost, "prompt"), status_code=_DRY_RUN_STATUS)
    prompt = str(body.get("prompt", ""))
    fault = world.faults.take("submit", "scenario", prompt)
    if fault is not None:
        return submit_refusal(fault, str(body.get("modelId", "")))
    tails = random.Random(f"{prompt}|{body.get('seed')}").sample(_SPARK_TAILS, count)  # noqa: S311 - not a secret
    prompts = [f"{prompt.strip() or 'A quiet still life'}, {tail}" for tail in tails]
    job = world.jobs.open(
        "scenario",
        "generate-prompt",
        prefix="job_",
        duration_seconds=0.0,
        model="prompt-spark",
        body=body,
        accepted=body,
        prompt=prompt,
        cost=cost,
        cost_unit="CU",
        details={"prompts": prompts},
    )
    answer = {"prompts": prompts, "mode": mode, "job": job_record(job, world.clock())}
    return await _answer(world, job, answer | prices.cost_fields(cost, "prompt"))
