"""What a person can do about shots that made no picture, by the kind of failure."""

_AGAIN = "run the same edition again: what was bought is not bought twice."

_ADVICE = {
    "AccountRefused": f"Check the account's key, credit and plan, then {_AGAIN}",
    "ArchiveError": f"See to the archive's place and its free space, then {_AGAIN}",
    "BadPicture": f"The bytes are kept in quarantine; {_AGAIN}",
    "BudgetExhausted": f"Raise the budget, then {_AGAIN}",
    "ConnectFailed": f"Check the network, then {_AGAIN}",
    "InvalidRequest": "Change the brief: the provider's limits do not allow it.",
    "JobFailed": "Change the prompt if it was refused; otherwise run the same edition again to try anew.",
    "JobTimedOut": "It is paid and still at work: run the same edition again, or `reconcile`, to collect it.",
    "LinkExpired": f"Its job is known; {_AGAIN}",
    "NotStarted": f"Once what stopped the run is mended, {_AGAIN}",
    "OutcomeUnknown": "It may have been bought, and its money stays counted: `reconcile` looks for it.",
    "ProviderUnavailable": f"The provider has trouble; later, {_AGAIN}",
    "RateLimited": f"Lower the block's limits, or wait, then {_AGAIN}",
    "RequestRejected": "Change the prompt or the settings: the same request would be refused again.",
    "UnexpectedAnswer": f"The provider answers in a new way: look for an update, then {_AGAIN}",
    "WrongPicture": "It is in quarantine, with the reason: see whether the brief asked for another size or format.",
}


def advice_on(kind: str) -> str:
    """Says what to do about failures of one kind, in one sentence.

    Args:
        kind: Name of the error class, as in `Failure.kind`.
    """
    return _ADVICE.get(kind, f"You can {_AGAIN}")
