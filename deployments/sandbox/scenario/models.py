"""Scenario's model records."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.scenario.access import refusal
from deployments.sandbox.scenario.parameters import MODELS, model_record


async def get_model(request: Request) -> Response:
    """``GET /v1/models/{model_id}``, with the inputs that the model takes."""
    model = MODELS.get(request.path_params["model_id"])
    if model is None:
        return refusal(404, f"Model {request.path_params['model_id']} not found")
    return JSONResponse({"model": model_record(model)})


async def list_models(request: Request) -> Response:
    """``GET /v1/models``: rows without inputs, as on the real service; the list is private unless public is asked."""
    rows = [model_record(model) for model in MODELS.values()] if request.query_params.get("privacy") == "public" else []
    for row in rows:
        del row["inputs"]
    return JSONResponse({"models": rows})
