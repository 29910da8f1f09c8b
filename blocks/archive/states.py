"""The states of a shot's money, and the one table of the steps between them.

::

    reserved ──> sending ──> running ──> done
       │           ├──> lost ──^  │
       v           v              └────> failed
    released <─────┘

A new attempt begins, in `reserved`, from `released`; from `failed` and `lost` only where somebody decided so; and
from a `reserved` whose owner is gone (nothing was sent then). What its owner left in `sending`, `running` or `lost` is
never sent again: another run takes charge of it, and finds out what became of it.
"""

from enum import StrEnum
from functools import cache
from types import MappingProxyType


class ShotState(StrEnum):
    """Where a shot's money is."""

    RESERVED = "reserved"
    """Counted in the budget; nothing was sent."""
    SENDING = "sending"
    """The submit is going out, or its answer was lost: it may be a paid job."""
    RUNNING = "running"
    """The provider has the job, and we have its id."""
    DONE = "done"
    """The pictures are in the store."""
    FAILED = "failed"
    """The provider had the job and made no picture."""
    LOST = "lost"
    """It may have been bought and could not be found again: its money stays counted."""
    RELEASED = "released"
    """Proof that nothing was bought: its money was given back."""


LEGAL_STEPS = MappingProxyType(
    {
        ShotState.RESERVED: frozenset({ShotState.SENDING, ShotState.RELEASED}),
        ShotState.SENDING: frozenset({ShotState.RUNNING, ShotState.LOST, ShotState.RELEASED}),
        ShotState.LOST: frozenset({ShotState.RUNNING}),
        ShotState.RUNNING: frozenset({ShotState.DONE, ShotState.FAILED}),
        ShotState.DONE: frozenset[ShotState](),
        ShotState.FAILED: frozenset[ShotState](),
        ShotState.RELEASED: frozenset[ShotState](),
    }
)
"""Within one attempt. There is no way back, so a row is known by its shot, attempt and state."""

OPEN_STATES = (ShotState.RESERVED, ShotState.SENDING, ShotState.RUNNING, ShotState.LOST)
"""Money is counted, and what became of it is not known yet."""

SENT_STATES = (ShotState.SENDING, ShotState.RUNNING, ShotState.LOST)
"""Open, and perhaps bought."""


@cache
def sources_of(state: ShotState) -> tuple[ShotState, ...]:
    """The states from which one step leads to this one."""
    return tuple(source for source, targets in LEGAL_STEPS.items() if state in targets)
