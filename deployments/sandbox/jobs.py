"""The job book: every job accepted, and how far it is at a moment, computed from the clock alone."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from deployments.sandbox.faults import Fault

Provider = Literal["scenario", "sunra"]
PAID_KINDS = frozenset({"custom", "generate-prompt", "image-to-image"})


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted job.

    Attributes:
        kind: The provider's job type: ``custom``, ``generate-prompt``, ``upload`` or ``image-to-image``.
        body: The request as it was sent.
        accepted: What of it counts, as the provider's own records show it.
        cost: In ``cost_unit``. Sunra publishes no price; the sandbox counts a nominal one.
        created: Epoch seconds, as is ``canceled``.
        outputs: Asset ids, in order; shown to clients only when the job is finished.
        error: Set when the job is going to fail, in the provider's own shape.
        fault: The injected fault that bends this job, if any.
    """

    sequence: int
    provider: Provider
    job_id: str
    kind: str
    model: str
    body: dict[str, Any]
    prompt: str
    cost: float
    cost_unit: str
    created: float
    duration_seconds: float
    accepted: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    error: Any = None
    fault: Fault | None = None
    canceled: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def paid(self) -> bool:
        """Whether this is work that a provider sends a bill for."""
        return self.kind in PAID_KINDS

    def has_fault(self, kind: str) -> bool:
        """Whether the injected fault of this job is of that kind."""
        return self.fault is not None and self.fault.kind == kind

    def progress(self, now: float) -> float:
        """How far the job is, from 0 to 1 (finished)."""
        if self.has_fault("job_stuck"):
            return min(0.6, (now - self.created) / max(self.duration_seconds, 1e-9))
        if now >= self.created + self.duration_seconds:
            return 1.0
        return max(0.0, (now - self.created) / self.duration_seconds)

    def finished(self, now: float) -> bool:
        """Whether the job has come to its end, good or bad."""
        return self.canceled is not None or self.progress(now) >= 1.0


class JobBook:
    """All jobs since the start or the last reset, in the order of their acceptance."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._sequence = 0

    def open(self, provider: Provider, kind: str, *, prefix: str, duration_seconds: float, **facts: Any) -> Job:
        """Accept a job: from here on it is paid, whatever happens to the answer."""
        self._sequence += 1
        job = Job(
            sequence=self._sequence,
            provider=provider,
            job_id=prefix + secrets.token_urlsafe(18).replace("-", "x").replace("_", "y"),
            kind=kind,
            created=self._clock(),
            duration_seconds=duration_seconds,
            **facts,
        )
        self._jobs[job.job_id] = job
        return job

    def change(self, job: Job, **facts: Any) -> Job:
        """Replace some facts of a job and return the new record."""
        self._jobs[job.job_id] = replace(job, **facts)
        return self._jobs[job.job_id]

    def find(self, provider: Provider, job_id: str) -> Job | None:
        """The job of that provider with that id."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.provider == provider else None

    def newest_first(self, provider: Provider) -> Iterator[Job]:
        """The provider's jobs, the latest one first."""
        return (job for job in reversed(list(self._jobs.values())) if job.provider == provider)

    def paid(self) -> list[Job]:
        """Every paid job, in the order of acceptance."""
        return [job for job in self._jobs.values() if job.paid]

    def unfinished(self, provider: Provider) -> int:
        """How many paid jobs of the provider are still going."""
        now = self._clock()
        return sum(job.paid and job.provider == provider and not job.finished(now) for job in self._jobs.values())

    def clear(self) -> None:
        """Forget every job."""
        self._jobs.clear()
