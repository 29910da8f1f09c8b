"""Faults on demand: what the real services do on a bad day, at a chosen moment, a chosen number of times.

``POST /sandbox/faults`` (or ``--faults FILE.json``) takes ``{"faults": [FAULT, ...]}`` and adds them to the live ones;
``DELETE /sandbox/faults`` clears them. A fault is a JSON object:

=================  ==========================================================================================
``kind``           one of the names below; the first word is the moment at which it strikes
``provider``       ``"scenario"`` or ``"sunra"``; left out: either
``times``          how often it strikes, default 1; ``null``: for ever
``after``          how many matching requests pass unharmed first, default 0
``match``          only where this text is in the prompt of the job concerned (for uploads: in the file name)
``http_status``    for the ``*_error`` kinds; default 503, for ``submit_accepted_error`` and ``file_error`` 504 and 403
``seconds``        length of ``*_slow``; cooldown of ``submit_cooldown``
``status``         for ``job_status``: the state the job shows instead (any text)
``final``          for ``job_status``: true shows it once the job is over, false (default) while it is running
``error``          for ``job_fails``: the error as the provider words it (Scenario: text; Sunra: object or null)
``refund``         for ``job_fails`` on Scenario: false keeps the bill (``billing.disableRefund``)
``logs``           for ``job_logs``: the value of ``logs`` in Sunra's status (text, list or null)
``envelope``       for Sunra's refusals: ``"v2"`` (default) or ``"legacy"``
``body``           an answer's body of your own: an object is sent as JSON, a text as HTML
``headers``        headers to add to the answer, for example ``{"Retry-After": "1"}``
=================  ==========================================================================================

The kinds:

- Before acceptance; nothing is bought: ``submit_error`` ``submit_dropped`` ``submit_unauthorized``
  ``submit_forbidden`` (Scenario: plan; Sunra: MODEL_ACCESS_DENIED) ``submit_rate_limited`` (Scenario: 429 concurrency;
  Sunra: 403) ``submit_cooldown`` (Scenario) ``submit_no_credit``.
- After acceptance; the job is bought and runs: ``submit_accepted_reply_dropped`` ``submit_accepted_error``
  ``submit_accepted_malformed_json`` ``submit_accepted_html`` ``submit_accepted_empty`` ``submit_accepted_slow``
  ``submit_accepted_foreign_urls`` (Sunra: the answer names another host).
- On the job itself: ``job_fails`` ``job_slow`` ``job_stuck`` ``job_status`` ``job_logs``; on edits also
  ``job_unchanged`` (gives back what it was given, under grain of its own) and ``job_replaced`` (a picture without
  any likeness to it).
- On reading: ``poll_*`` (a job), ``result_*`` (Sunra's result), ``list_*``, ``asset_*``, ``upload_*`` and ``file_*``
  (picture bytes), each with ``error`` ``dropped`` ``html`` ``malformed_json`` ``slow`` ``rate_limited``.
- Special ones: ``poll_accepted_202`` ``list_empty_page`` ``asset_pending`` ``asset_missing`` ``import_fails``
  ``file_cut`` (fewer bytes than announced) ``file_truncated`` (announced as whole, the picture is not)
  ``file_wrong_type`` (a text served as a picture) ``stream_early_end`` ``stream_not_sse`` ``stream_malformed_event``.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deployments.sandbox.pictures.recipe import Edits

_ON_READING = ("error", "dropped", "html", "malformed_json", "slow", "rate_limited")
_KINDS_BY_MOMENT: dict[str, tuple[str, ...]] = {
    "submit": ("error", "dropped", "unauthorized", "forbidden", "rate_limited", "cooldown", "no_credit"),
    "submit_accepted": ("reply_dropped", "error", "malformed_json", "html", "empty", "slow", "foreign_urls"),
    "job": ("fails", "slow", "stuck", "status", "logs", "unchanged", "replaced"),
    "poll": (*_ON_READING, "accepted_202"),
    "result": _ON_READING,
    "list": (*_ON_READING, "empty_page"),
    "asset": (*_ON_READING, "pending", "missing"),
    "upload": _ON_READING,
    "import": ("fails",),
    "file": (*_ON_READING, "cut", "truncated", "wrong_type"),
    "stream": ("error", "early_end", "not_sse", "malformed_event"),
}
MOMENT_OF_KIND = {f"{moment}_{what}": moment for moment, whats in _KINDS_BY_MOMENT.items() for what in whats}


class Fault(BaseModel):
    """One fault as a person asks for it; the module docstring says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    provider: Literal["scenario", "sunra"] | None = None
    times: int | None = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    match: str = ""
    http_status: int | None = Field(default=None, ge=200, le=599)
    seconds: float | None = Field(default=None, ge=0)
    status: str | None = None
    final: bool = False
    error: Any = None
    refund: bool = True
    logs: Any = None
    envelope: Literal["v2", "legacy"] = "v2"
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in MOMENT_OF_KIND:
            raise ValueError(f"no fault is called {kind!r}; the kinds are {', '.join(sorted(MOMENT_OF_KIND))}")
        return kind

    @property
    def moment(self) -> str:
        """The moment at which this fault strikes."""
        return MOMENT_OF_KIND[self.kind]

    @property
    def what(self) -> str:
        """The kind without its moment: ``error`` of ``poll_error``."""
        return self.kind.removeprefix(self.moment + "_")


def edits_under(fault: Fault | None) -> Edits:
    """What an edit does under the fault that bends its job."""
    kinds: dict[str, Edits] = {"job_unchanged": "nothing", "job_replaced": "everything"}
    return "as_asked" if fault is None else kinds.get(fault.kind, "as_asked")


class FaultList(BaseModel):
    """The body of ``POST /sandbox/faults`` and the content of a faults file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faults: tuple[Fault, ...]


@dataclass(slots=True)
class _LiveFault:
    fault: Fault
    to_pass: int
    strikes_left: float
    struck: int = 0


class FaultBox:
    """The live faults, and the one place that decides whether one strikes now."""

    def __init__(self) -> None:
        self._live: list[_LiveFault] = []

    def add(self, faults: FaultList) -> None:
        """Make these faults live, behind those that already are."""
        for fault in faults.faults:
            times = float("inf") if fault.times is None else fault.times
            self._live.append(_LiveFault(fault, fault.after, times))

    def clear(self) -> None:
        """Make no fault live."""
        self._live.clear()

    def take(self, moment: str, provider: str, text: str) -> Fault | None:
        """The fault that strikes at this moment, counted as used, or ``None``.

        Args:
            moment: As in the first word of a kind.
            provider: Whose API was asked.
            text: The prompt of the job concerned, or the file name.
        """
        for live in self._live:
            if not _fits(live, moment, provider, text):
                continue
            if live.to_pass > 0:
                live.to_pass -= 1
                continue
            live.strikes_left -= 1
            live.struck += 1
            return live.fault
        return None

    def report(self) -> list[dict[str, Any]]:
        """Every fault since the last clear, with how often it struck."""
        return [live.fault.model_dump(exclude_defaults=True) | {"struck": live.struck} for live in self._live]


def _fits(live: _LiveFault, moment: str, provider: str, text: str) -> bool:
    fault = live.fault
    return (
        live.strikes_left > 0 and fault.moment == moment and fault.provider in (None, provider) and fault.match in text
    )
