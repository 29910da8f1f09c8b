"""What each kind of failure means for money: one table, which retries, the ledger and the run itself go by.

| after a failure | the money of the shot |
|---|---|
| before or at the submit, with proof that nothing was accepted | released, at once |
| the answer was lost, and the job is not found | held: `lost` |
| of the job | settled by what the provider charged: `failed` |
| of polling or downloading | stays with the running job, for a later run to collect |
"""

from typing import NamedTuple

from blocks.errors import (
    AccountRefused,
    ArchiveError,
    BadPicture,
    BudgetExhausted,
    ConnectFailed,
    IllegalTransition,
    JobTaken,
    KleinbildError,
    LinkExpired,
    ProviderUnavailable,
    RateLimited,
    SetupError,
    WrongPicture,
)


class Decision(NamedTuple):
    """What follows from a failure.

    Attributes:
        submits_again: The same submit may be sent again in this run: it is proven that nothing was accepted.
        collects_again: Polling and downloading may be repeated in this run; they buy nothing.
        ends_run: No further shot could escape it: buying stops, with one message.
    """

    submits_again: bool = False
    collects_again: bool = False
    ends_run: bool = False


DECISIONS: dict[type[KleinbildError], Decision] = {
    ConnectFailed: Decision(submits_again=True),
    RateLimited: Decision(submits_again=True, collects_again=True),
    ProviderUnavailable: Decision(collects_again=True),
    LinkExpired: Decision(collects_again=True),
    BadPicture: Decision(collects_again=True),
    WrongPicture: Decision(),
    AccountRefused: Decision(ends_run=True),
    BudgetExhausted: Decision(ends_run=True),
    SetupError: Decision(ends_run=True),
    ArchiveError: Decision(ends_run=True),
    # What the ledger says when another run was faster with a shot: that shot's trouble alone.
    IllegalTransition: Decision(),
    JobTaken: Decision(),
    # Everything else: that shot fails, and the others go on.
    KleinbildError: Decision(),
}


def decision_on(error: BaseException) -> Decision:
    """Looks a failure up by its class, or by the nearest class above; what is not ours is decided nowhere."""
    return next((DECISIONS[kind] for kind in type(error).__mro__ if kind in DECISIONS), Decision())
