"""What Sunra says of a job over time: status bodies, logs, results, and failed predictions."""

from datetime import UTC, datetime
from typing import Any

from deployments.sandbox.jobs import Job

_RUNNING_FROM = 0.3
PREDICTION_FAILED_V1: dict[str, Any] = {
    "code": "service_provider_error",
    "message": "Predict failed. Please try again.",
}
INPUT_FETCH_FAILED: dict[str, Any] = {
    "code": "invalid_input",
    "message": "Could not fetch an input image.",
    "reason": "input_fetch_failed",
    "retryable": False,
}


def urls_of(job: Job, origin: str) -> dict[str, str]:
    """The three URLs of a request."""
    response = f"{origin}/v1/queue/requests/{job.job_id}"
    return {"response_url": response, "status_url": f"{response}/status", "cancel_url": f"{response}/cancel"}


def state_of(job: Job, now: float) -> str:
    """``IN_QUEUE``, ``IN_PROGRESS``, ``COMPLETED``, ``CANCELED``, or what a fault puts there."""
    if job.canceled is not None:
        return "CANCELED"
    progress = job.progress(now)
    fault = job.fault
    if fault is not None and fault.kind == "job_status" and fault.final == (progress >= 1):
        return fault.status or "PROCESSING"
    if progress >= 1:
        return "COMPLETED"
    return "IN_QUEUE" if progress < _RUNNING_FROM else "IN_PROGRESS"


def status_body(job: Job, now: float, origin: str, *, with_logs: bool) -> dict[str, Any]:
    """The body of a status answer, and of each event of a status stream."""
    state = state_of(job, now)
    body: dict[str, Any] = {
        "status": state,
        "request_id": job.job_id,
        "response_url": urls_of(job, origin)["response_url"],
    }
    if state == "IN_QUEUE":
        return body | {"metrics": {}}
    if with_logs:
        body["logs"] = job.fault.logs if job.fault is not None and job.fault.kind == "job_logs" else _logs(job, now)
    if state == "IN_PROGRESS":
        return body
    error = failure_of(job)
    return body | {
        "metrics": {"inference_time": round(job.duration_seconds * (1 - _RUNNING_FROM), 3)},
        "success": state == "COMPLETED" and error is None,
        "error": error,
    }


def failure_of(job: Job) -> dict[str, Any] | None:
    """The prediction error of a failed job, stamped with the time of the failure where it is of contract v2."""
    if job.error is None:
        return None
    error = dict(job.error)
    if "reason" in error or "retryable" in error:
        error.setdefault("timestamp", _iso(job.created + job.duration_seconds))
    return error


def _logs(job: Job, now: float) -> list[dict[str, str]]:
    moments = ((_RUNNING_FROM, "Loading the model"), (0.5, "Denoising"), (1.0, "Finished"))
    return [
        {
            "message": message,
            "level": "info",
            "source": "worker",
            "timestamp": _iso(job.created + begins * job.duration_seconds),
        }
        for begins, message in moments
        if begins <= job.progress(now)
    ]


def _iso(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
