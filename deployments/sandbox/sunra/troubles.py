"""Sunra's own wording of injected faults."""

from typing import Any

from starlette.responses import JSONResponse, Response

from deployments.sandbox.faults import Fault
from deployments.sandbox.replies import fault_reply, own_body
from deployments.sandbox.sunra.access import rate_limited, refusal
from deployments.sandbox.world import World

_FOREIGN_ORIGIN = "https://elsewhere.invalid"


def submit_refusal(fault: Fault, model: str) -> Response:
    """The answer to a submit that was struck before it was accepted."""
    plain = fault_reply(fault)
    if plain is not None:
        return plain
    if fault.body is not None:
        return own_body(fault, fault.http_status or 403)
    if fault.what in ("rate_limited", "cooldown"):
        return rate_limited(fault.envelope, fault.headers)
    status, code, message, error_type, details = {
        "unauthorized": (401, "UNAUTHORIZED", "Invalid API key", "authentication_error", None),
        "forbidden": (403, "MODEL_ACCESS_DENIED", "Model access denied", "authorization_error", {"model": model}),
        "no_credit": (402, "INSUFFICIENT_CREDIT", "Insufficient credit", "business_logic_error", _NO_CREDIT),
    }[fault.what]
    return refusal(
        fault.http_status or status,
        code,
        message,
        error_type=error_type,
        details=details,
        envelope=fault.envelope,
        headers=fault.headers,
    )


_NO_CREDIT: dict[str, Any] = {
    "required": 0.01,
    "available": 0,
    "customerId": "sandbox-customer",
    "operation": "freeze_credit",
    "param": None,
}


def spoilt_acceptance(fault: Fault, answer: dict[str, Any], origin: str) -> Response:
    """The answer to a submit that was accepted and paid, spoilt on its way back."""
    plain = fault_reply(fault, default_status=504)
    if plain is not None:
        return plain
    if fault.what == "empty":
        return JSONResponse({})
    if fault.what == "foreign_urls":
        return JSONResponse({name: value.replace(origin, _FOREIGN_ORIGIN) for name, value in answer.items()})
    return JSONResponse(answer)  # slow: only late


async def read_trouble(world: World, moment: str, text: str) -> tuple[Fault | None, Response | None]:
    """The fault that strikes a reading request, and its whole answer where there is one."""
    fault, reply = await world.trouble(moment, "sunra", text)
    if fault is not None and fault.what == "rate_limited":
        return fault, rate_limited(fault.envelope, fault.headers)
    return fault, reply
