"""Attempts at a shot: which one a run is at, and whether one that failed is worth another."""

from datetime import datetime

from blocks.archive.ledger import LedgerEntry, ShotState

PASSING_FAILURES = frozenset({"service_provider_error", "internal_server_error"})
"""Sunra's codes for trouble on their side, which they do not mark as retryable or not in older answers."""


def may_try_again(entry: LedgerEntry) -> bool:
    """Tells whether a shot that failed in an earlier run is worth another attempt.

    Yes where the provider says so, or charged nothing, or had trouble of its own for the first time. What was refused
    for its content, and paid, would only be paid again.
    """
    if entry.retryable is not None:
        return entry.retryable
    if entry.billed is not None and entry.billed.amount == 0:
        return True
    return entry.error_code in PASSING_FAILURES and entry.attempt == 1


def failed_since(entry: LedgerEntry | None, began_at: datetime | None) -> bool:
    """Tells whether a shot failed since a run began for the first time; None where nobody knows when that was.

    A run that begins again from its top, after a review or a crash, leaves such a shot to the next run: otherwise each
    resumption would be another attempt to pay for, and another picture in the middle of what was already reviewed.
    """
    return (
        entry is not None and began_at is not None and entry.state is ShotState.FAILED and entry.updated_at >= began_at
    )


def attempt_after(entry: LedgerEntry | None) -> int:
    """Numbers the attempt that a run begins or goes on with; 0 where the ledger does not know the shot.

    It is part of the key under which Prefect keeps a receipt: an attempt that failed leaves none to the next.
    """
    if entry is None:
        return 0
    return entry.attempt + (entry.state in {ShotState.FAILED, ShotState.LOST, ShotState.RELEASED})
