"""What a child process is told to do, and what it tells when it is done. Both are JSON, since they change processes."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from blocks.provider import Frozen, Money, ProviderName

Place = Literal[
    "random instant",
    "after claim",
    "before POST",
    "POST sent",
    "answer read",
    "job recorded",
    "during download",
    "half written",
    "picture stored",
    "record stored",
    "catalogued",
    "after done",
]


class Death(Frozen):
    """Where a child is killed: at the n-th time that it gets to a place, of one provider or of either.

    `random instant` is no place in the code: whoever started the child kills it after `after_seconds`.
    """

    place: Place
    provider: ProviderName | None = None
    nth: int = 1
    after_seconds: float = 0.0

    @property
    def shown(self) -> str:
        """What a person reads in a table: `POST sent (sunra)`."""
        return self.place if self.provider is None else f"{self.place} ({self.provider})"


class Order(Frozen):
    """One run that a child is to make.

    Attributes:
        task: `campaign` runs the whole flow; `race` only buys, with many workers in one process and no Prefect.
        origin: Address of the sandbox.
        archive: Root of the archive.
        brief: The document of a brief (`campaign`).
        tag: Prefect's tag of the flow run, to find it again.
        catalogue_url: Database of the ledger; None for SQLite in the archive.
        in_flight: Jobs that each account may have at once; workers of a `race`.
        shots: How many shots a `race` is for.
        budget: Of a `race`.
        start_at: Epoch seconds; several children begin at the same moment.
        death: Where it is to be killed.
        result: File for what it tells at its end; a child that was killed tells nothing.
    """

    task: Literal["campaign", "race"] = "campaign"
    origin: str
    archive: Path
    brief: dict[str, Any] = Field(default_factory=dict)
    tag: str = ""
    catalogue_url: str | None = None
    in_flight: int = 3
    shots: int = 0
    budget: Money | None = None
    start_at: float = 0.0
    death: Death | None = None
    result: Path


class Told(Frozen):
    """What a child tells at its end.

    Attributes:
        images: SHA-256s, in the order of the plan.
        failures: Names of error classes, one for each shot that made no picture.
        error: The error that ended the run, where one did.
    """

    images: tuple[str, ...] = ()
    bought: int = 0
    reused: int = 0
    failures: tuple[str, ...] = ()
    error: str | None = None


PRICE_CU = Decimal("0.25")
"""What the sandbox charges for a picture of 128 x 128 pixels."""


def brief_of(prompts: int, *, name: str = "chaos", edits: int = 1, **changes: Any) -> dict[str, Any]:
    """The document of a brief for small pictures of Scenario, each edited by Sunra."""
    return {
        "name": name,
        "prompts": [f"a teapot, number {number}" for number in range(prompts)],
        "generate": {"provider": "scenario", "width_px": 128, "height_px": 128, "steps": 1},
        "edits": [{"instruction": f"Make it night, shade {number}.", "steps": 4} for number in range(edits)],
        "edit": "all",
        "job_timeout_seconds": 60,
        **changes,
    }
