"""Recognises the job of a lost submit among others.

Scenario has no idempotency keys. What tells jobs apart is what they were asked for, which a job repeats in
`metadata.input`; how much of it is repeated is not documented. So seed and prompt have to be there and agree, and
whatever else is there has to agree, too: a sweep has many jobs with one seed and one prompt.
"""

import math
from datetime import datetime
from typing import Any

from blocks.scenario.wire import Job, JobInput, RunModelRequest

JOB_TYPE = "custom"
"""The type of jobs of `POST /generate/custom` (official SDK)."""


def is_job_of(job: Job, request: RunModelRequest, *, earliest: datetime, compares_references: bool = True) -> bool:
    """Tells whether a job can be the one that this request started.

    Args:
        job: A job of the list.
        request: What was sent.
        earliest: Jobs from before are others.
        compares_references: False where the asset ids that were sent are no longer known.
    """
    if job.job_type != JOB_TYPE or (job.created_at is not None and job.created_at < earliest):
        return False
    asked = job.metadata.input if job.metadata else None
    if asked is None or asked.seed is None or asked.prompt is None:
        return False
    fields = JobInput.model_fields.keys() - (set() if compares_references else {"reference_images"})
    return all(_agree(getattr(asked, field), getattr(request, field)) for field in fields)


def _agree(theirs: Any, ours: Any) -> bool:
    """Holds a value that a job repeats against what was sent. One that it does not repeat says nothing."""
    if theirs is None:
        return True
    if ours is None:
        # Not sent: a number is the vendor's default, but LoRAs or references are another request's.
        return not isinstance(theirs, tuple) or not theirs
    if isinstance(ours, float):
        return math.isclose(theirs, ours, abs_tol=1e-6)
    return bool(theirs == ours)
