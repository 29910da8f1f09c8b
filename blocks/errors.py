"""Every error of ours, in one tree.

KleinbildError
├── BriefError                  what was asked for is wrong; nothing was bought
│   └── InvalidRequest          a request breaks a provider's limit (vendor's field name and limit in the message)
├── SetupError                  a block, an archive or a setting is missing or wrong; nothing was bought
├── BudgetExhausted             the next shot would pass the budget
├── NotStarted                  a shot was left out because the run had to stop; nothing was bought
├── ArchiveError                the archive cannot do what it promises
│   ├── IllegalTransition       the ledger was asked for a step its state machine does not have
│   └── JobTaken                a job that another shot has already cannot be adopted
└── ProviderError               a provider said no, or said nothing
    ├── NothingAccepted         PROOF that nothing was bought: may be retried or released
    │   ├── ConnectFailed       no connection was made (DNS, TCP, TLS)
    │   ├── RateLimited         429, or Sunra's 403 that is a rate limit; knows how long to wait
    │   ├── RequestRejected     4xx: validation, unknown model, moderation of the prompt
    │   └── AccountRefused      401, 402, 403: key, credit or plan; ends the campaign with one message
    ├── OutcomeUnknown          the request went out and no usable answer came back: it may be a paid job
    ├── ProviderUnavailable     a read (poll, list, download) failed for now: repeat it
    ├── UnexpectedAnswer        the answer's shape is not the one in the vendor's documents
    ├── JobFailed               the provider accepted the job and could not make the picture
    ├── JobTimedOut             the job did not end before our deadline; it is still known by its id
    ├── LinkExpired             a picture's URL no longer works: ask the provider for a fresh one
    └── BadPicture              the bytes that came are not the picture that was bought
        └── WrongPicture        a whole picture, and another than was asked for: asking again brings the same

Two branches are worth catching: `NothingAccepted` (no money moved) and `OutcomeUnknown` (money may have moved).

All errors survive pickling, because every fact beside the message is a keyword with a default: `Exception.__reduce__`
calls the class with `args`, which is the message alone, and restores the facts from `__dict__`.
"""


class KleinbildError(Exception):
    """Base of all errors that Kleinbild raises on purpose."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)


class BriefError(KleinbildError):
    """What was asked for is wrong; nothing was bought.

    Args:
        message: What is wrong, where, and how to mend it.
        where: Place in the brief, such as `edits.0.references`.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where


class InvalidRequest(BriefError):
    """A request breaks a limit of the provider; found before anything was sent."""


class SetupError(KleinbildError):
    """A block, an archive or a setting is missing or wrong; nothing was bought."""

    exit_code = 3


class BudgetExhausted(KleinbildError):
    """The next shot would pass a budget; it was not bought."""

    exit_code = 4


class NotStarted(KleinbildError):
    """A shot was left out because the run had to stop; nothing was bought."""


class ArchiveError(KleinbildError):
    """The archive cannot do what it promises: unreadable, altered, or out of space."""

    exit_code = 5


class IllegalTransition(ArchiveError):
    """The ledger was asked for a step that its state machine does not have.

    Args:
        message: Which shot, from which state to which.
        shot_key: The shot.
    """

    def __init__(self, message: str, *, shot_key: str | None = None) -> None:
        super().__init__(message)
        self.shot_key = shot_key


class JobTaken(ArchiveError):
    """A job belongs to one attempt at one shot, and this one belongs to another already; nothing was changed.

    Args:
        message: Which job, and which shot wanted it.
        shot_key: The shot that wanted it.
        job_id: The job.
    """

    def __init__(self, message: str, *, shot_key: str | None = None, job_id: str | None = None) -> None:
        super().__init__(message)
        self.shot_key = shot_key
        self.job_id = job_id


class ProviderError(KleinbildError):
    """A provider said no, or said nothing.

    Args:
        message: What happened and what the person can do. Never a key, never the query of a signed URL.
        provider: Name of the provider, such as `scenario`.
        status_code: HTTP status, where there was an answer.
        code: The vendor's own code, such as `INSUFFICIENT_CREDIT`.
        request_id: The vendor's id of the request, for their support.
        job_id: The job, where one exists.
    """

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        job_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.job_id = job_id


class NothingAccepted(ProviderError):
    """Proof that the provider accepted nothing: the shot may be retried or its money released."""


class ConnectFailed(NothingAccepted):
    """No connection was made: name not resolved, refused, or TLS failed."""


class RateLimited(NothingAccepted):
    """The provider asks to wait: HTTP 429, or Sunra's 403 that is a rate limit.

    Args:
        message: What was said.
        retry_after_seconds: How long to wait, where the provider says so.
        facts: As in `ProviderError`.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, **facts: str | int | None) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ProviderError, checked there
        self.retry_after_seconds = retry_after_seconds


class RequestRejected(NothingAccepted):
    """The provider refused this request (4xx): the same request will be refused again."""


class AccountRefused(NothingAccepted):
    """The provider refuses this account: key, credit or plan. Every further shot would be refused too."""


class OutcomeUnknown(ProviderError):
    """A submit went out and no usable answer came back: it may be a paid job, so it is never sent again blindly."""


class ProviderUnavailable(ProviderError):
    """A read failed for now (5xx, time-out, cut connection): the same read may be repeated."""


class UnexpectedAnswer(ProviderError):
    """The answer does not have the shape of the vendor's documents."""


class JobFailed(ProviderError):
    """The provider accepted the job and could not make the picture.

    Args:
        message: The provider's reason.
        retryable: Whether the same input could succeed, where the provider says so.
        facts: As in `ProviderError`.
    """

    def __init__(self, message: str, *, retryable: bool | None = None, **facts: str | int | None) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ProviderError, checked there
        self.retryable = retryable


class JobTimedOut(ProviderError):
    """The job did not end before our deadline. It is known by its id: a later run collects it."""


class LinkExpired(ProviderError):
    """A picture's URL no longer works (403 or 404): ask the provider for a fresh one."""


class BadPicture(ProviderError):
    """The bytes that came are not the picture that was bought: cut, too large, or no picture at all.

    Args:
        message: What is wrong with them.
        reason: The kind of flaw in a word for programs, such as `cut_short`, where the gate has found it.
        facts: As in `ProviderError`.
    """

    def __init__(self, message: str, *, reason: str | None = None, **facts: str | int | None) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ProviderError, checked there
        self.reason = reason


class WrongPicture(BadPicture):
    """A whole picture came, of another size, format or type than was asked for: another download brings the same."""
