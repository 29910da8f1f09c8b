"""The contract that both providers keep, and the small values that travel through it.

A provider is an open client of one account. What an API cannot do is a fact in its `Capabilities`, so that a plan can
refuse early with a clear sentence, instead of an exception from the depths in the middle of a paid run.

The life of one request:
`check` -> `price` -> `upload` (references) -> `submit` -> `status`, until final -> `pictures` -> `download`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

ProviderName = Literal["scenario", "sunra"]
PictureFormat = Literal["png", "jpeg", "webp"]
AspectRatio = Literal["auto", "1:1", "4:3", "3:4", "16:9", "9:16"]

MAX_SEED = 2_147_483_647
"""Largest seed that both model pages allow (2**31 - 1)."""


class Frozen(BaseModel):
    """A value: never changed after it is made, never silently given a field it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Money(Frozen):
    """An amount in one unit: a currency such as `USD`, or Scenario's creative units, `CU`."""

    amount: Decimal
    unit: str

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.unit}"


class LoraWeight(Frozen):
    """A LoRA and how strongly it is applied. Scenario knows it by model id, Sunra by URL or `owner/repo`."""

    id: str = Field(min_length=1)
    scale: float = 1.0


class PictureRequest(Frozen):
    """What one paid job is asked for, in our words; each client says it in its vendor's.

    `None` means that the parameter is not sent. References are known by the SHA-256 of their bytes, in the order in
    which the prompt counts them ("image 1", "image 2").
    """

    model: str
    prompt: str = Field(min_length=1)
    seed: int = Field(ge=0, le=MAX_SEED)
    outputs: int = 1
    width_px: int | None = None
    height_px: int | None = None
    aspect_ratio: AspectRatio | None = None
    steps: int | None = None
    guidance: float | None = None
    output_format: PictureFormat | None = None
    loras: tuple[LoraWeight, ...] = ()
    references: tuple[str, ...] = ()


class Capabilities(Frozen):
    """What a provider's API can do: facts, with the limits that a plan has to know."""

    model: str = Field(description="The klein model that this provider runs.")
    size_control: Literal["pixels", "aspect_ratio"]
    needs_reference: bool = Field(description="True where a picture cannot be made from text alone.")
    max_references: int
    max_outputs: int
    max_loras: int
    default_steps: int
    default_guidance: float | None = Field(description="None where the API has no guidance.")
    output_formats: tuple[PictureFormat, ...] = Field(description="Formats one can ask for; empty: the API decides.")
    quotes_prices: bool = Field(description="True where the API says what a request costs before it is bought.")
    finds_lost_jobs: bool = Field(description="True where a submit whose answer was lost can be found again.")
    cancels_jobs: bool
    renews_links: bool = Field(description="True where an expired picture URL can be had afresh.")


class JobState(StrEnum):
    """Where a job is, in our words. A status that we do not know counts as RUNNING: never as an end."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """True when nothing will change any more."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED}


class Ticket(Frozen):
    """The receipt of a submit: the provider's id of the job, which is all one needs to collect it."""

    provider: ProviderName
    job_id: str
    billed: Money | None = Field(default=None, description="What the answer says it cost; None where it says nothing.")


class JobFailure(Frozen):
    """Why a job failed. The texts are the vendor's, cleaned of control characters; the codes are open sets."""

    code: str
    message: str
    reason: str | None = None
    retryable: bool | None = Field(default=None, description="None: the vendor does not say.")


class RemotePicture(Frozen):
    """A picture that the provider holds for us. Its URL may be signed, so it never shows in a repr."""

    index: int = Field(ge=0, description="Position among the outputs of its job.")
    url: str = Field(repr=False)
    media_type: str | None = None
    size_bytes: int | None = None
    asset_id: str | None = None


class JobStatus(Frozen):
    """A job as the provider shows it now."""

    job_id: str
    state: JobState
    provider_status: str = Field(description="The vendor's own word.")
    progress: float | None = Field(default=None, description="0 to 1.")
    queue_position: int | None = None
    logs: tuple[str, ...] = ()
    billed: Money | None = Field(default=None, description="What the provider charges for it now, after refunds.")
    asset_ids: tuple[str, ...] = ()
    failure: JobFailure | None = None


class CancelOutcome(StrEnum):
    """What became of a wish to cancel. None of them proves that the job will not be billed: keep polling."""

    REQUESTED = "requested"
    REFUSED = "refused"


class DownloadedPicture(Frozen):
    """Bytes as they came, with what the server said about them."""

    data: bytes = Field(repr=False)
    media_type: str | None


class Provider(Protocol):
    """An open client of one account. `async with` closes its connections."""

    name: ProviderName
    capabilities: Capabilities

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    def check(self, request: PictureRequest) -> None:
        """Holds a request against the vendor's limits, without sending anything.

        Raises:
            InvalidRequest: With the vendor's field name, its limit, and the value.
        """
        ...

    async def price(self, request: PictureRequest, references: Sequence[str]) -> Money | None:
        """Says what a request costs, buying nothing; None where neither the API nor the block knows.

        Args:
            request: What would be bought.
            references: Handles from `upload`; empty to price without them.
        """
        ...

    async def upload(self, data: bytes, media_type: str, file_name: str) -> str:
        """Gives the provider a reference picture; returns the handle (asset id or URL) that `submit` takes."""
        ...

    async def wait_for_turn(self) -> None:
        """Waits until the vendor's rate allows another submit. Who waits has sent nothing: call it just before."""
        ...

    async def submit(self, request: PictureRequest, references: Sequence[str]) -> Ticket:
        """Buys. Sent once, never repeated here.

        Args:
            request: What to buy.
            references: Handles from `upload`, in the order of `request.references`.

        Raises:
            NothingAccepted: Nothing was bought.
            OutcomeUnknown: It may have been bought.
        """
        ...

    async def status(self, job_id: str) -> JobStatus:
        """Shows a job as it is now.

        Raises:
            ProviderUnavailable: For now; repeat.
            UnexpectedAnswer: The answer has another shape, or the job is unknown.
        """
        ...

    async def pictures(self, status: JobStatus) -> tuple[RemotePicture, ...]:
        """Lists the pictures of a job that has SUCCEEDED, in the order of its outputs, with URLs that work now."""
        ...

    async def download(self, picture: RemotePicture) -> DownloadedPicture:
        """Fetches a picture without credentials, within the block's limits of size and time.

        Raises:
            LinkExpired: Ask `pictures` again.
            ProviderUnavailable: For now; repeat.
            BadPicture: Too large.
        """
        ...

    async def find_lost(
        self, request: PictureRequest, references: Sequence[str], since: datetime
    ) -> tuple[Ticket, ...]:
        """Looks for the job of a submit whose answer was lost, among all jobs since then.

        Returns:
            The jobs that were asked for the very same, the oldest first. One of them may be another shot's, which the
            ledger knows. None where none is found, or where the provider has no list.
        """
        ...

    async def cancel(self, job_id: str) -> CancelOutcome:
        """Asks to cancel a job. Its outcome is a wish, not a fact: keep polling."""
        ...
