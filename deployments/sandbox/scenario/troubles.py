"""Scenario's own wording of injected faults."""

from typing import Any

from starlette.responses import JSONResponse, Response

from deployments.sandbox.faults import Fault
from deployments.sandbox.replies import fault_reply, own_body
from deployments.sandbox.world import World

_CONCURRENCY: dict[str, Any] = {
    "message": "Too many requests",
    "details": {"actionName": "parallelCustomJobs", "actionLimit": 4},
}


def too_many_jobs(limit: int = 4, headers: dict[str, str] | None = None) -> Response:
    """429: as many jobs as the plan allows are running; nothing was accepted."""
    details = _CONCURRENCY["details"] | {"actionLimit": limit}
    return JSONResponse(_CONCURRENCY | {"details": details}, status_code=429, headers=headers)


def submit_refusal(fault: Fault, model_id: str) -> Response:
    """The answer to a submit that was struck before it was accepted."""
    plain = fault_reply(fault)
    if plain is not None:
        return plain
    status, body = {
        "unauthorized": (401, {"message": "Unauthorized"}),
        "forbidden": (403, {"name": "ModelAccessRestrictedError", "modelId": model_id, "requiredPlan": "cu-pro"}),
        "rate_limited": (429, _CONCURRENCY),
        "cooldown": (429, {"reason": "cooldown", "remainingSeconds": 30 if fault.seconds is None else fault.seconds}),
        "no_credit": (402, {"reason": "Not enough creative units"}),
    }[fault.what]
    if fault.body is not None:
        return own_body(fault, fault.http_status or status)
    return JSONResponse(body, status_code=fault.http_status or status, headers=fault.headers)


def spoilt_acceptance(fault: Fault, answer: dict[str, Any]) -> Response:
    """The answer to a submit that was accepted and paid, spoilt on its way back."""
    plain = fault_reply(fault, default_status=504)
    if plain is not None:
        return plain
    if fault.what == "empty":
        return JSONResponse({name: value for name, value in answer.items() if name != "job"})
    return JSONResponse(answer)  # slow: only late; the others are Sunra's


async def read_trouble(world: World, moment: str, text: str) -> tuple[Fault | None, Response | None]:
    """The fault that strikes a reading request, and its whole answer where there is one."""
    fault, reply = await world.trouble(moment, "scenario", text)
    if fault is not None and fault.what == "rate_limited":
        return fault, JSONResponse({"message": "Too many requests"}, status_code=429, headers=fault.headers)
    return fault, reply
