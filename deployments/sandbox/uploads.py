"""One multipart upload on its way into Scenario, and its state over time."""

from dataclasses import dataclass, field
from typing import Any

# The share of the import time at which each state begins, once the upload is complete.
_STATES = ((0.0, "complete"), (0.2, "validating"), (0.6, "validated"), (1.0, "imported"))


@dataclass(slots=True)
class Upload:
    """One upload on its way; ``completed`` and ``entity_id`` are filled by the complete action."""

    upload_id: str
    facts: dict[str, Any]
    parts_count: int
    created: float
    duration_seconds: float
    origin: str
    received: dict[int, bytes] = field(default_factory=dict)
    completed: float | None = None
    entity_id: str | None = None
    job_id: str | None = None
    error: str | None = None

    def status(self, now: float) -> str:
        """The upload's state at a moment (epoch seconds)."""
        if self.completed is None:
            return "pending"
        progress = 1.0 if self.duration_seconds <= 0 else (now - self.completed) / self.duration_seconds
        name = [name for begins, name in _STATES if begins <= progress][-1]
        return "failed" if self.error and name in ("validated", "imported") else name
