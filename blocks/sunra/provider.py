"""Sunra behind our contract: says our words in Sunra's, and Sunra's in ours."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Self

from blocks.errors import InvalidRequest, RequestRejected, UnexpectedAnswer
from blocks.http import clean_text
from blocks.provider import (
    MAX_SEED,
    CancelOutcome,
    Capabilities,
    DownloadedPicture,
    JobFailure,
    JobState,
    JobStatus,
    Money,
    PictureRequest,
    ProviderName,
    RemotePicture,
    Ticket,
)
from blocks.sunra.client import SunraClient
from blocks.sunra.wire import UNKNOWN_ERROR_CODE, ImageToImageInput, LoRAWeight, PredictionError, StatusAnswer

MODEL = "black-forest-labs/flux-2-klein-4b"
ENDPOINT = f"{MODEL}/image-to-image"
MIN_STEPS, MAX_STEPS = 4, 8
MAX_LORA_SCALE = 4.0

SUNRA_CAPABILITIES = Capabilities(
    model=MODEL,
    size_control="aspect_ratio",
    needs_reference=True,
    max_references=4,
    max_outputs=1,
    max_loras=3,
    default_steps=MIN_STEPS,
    default_guidance=None,
    output_formats=("jpeg", "png", "webp"),
    quotes_prices=False,
    finds_lost_jobs=False,
    cancels_jobs=True,
    renews_links=False,
)
"""All from the Sunra model page. The maxima of references and LoRAs stand in its descriptions only."""

_STATES = {
    "IN_QUEUE": JobState.QUEUED,
    "IN_PROGRESS": JobState.RUNNING,
    "COMPLETED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELED,
    "CANCELLED": JobState.CANCELED,
}


class SunraProvider:
    """An open client of one Sunra account that keeps the `Provider` contract.

    Args:
        client: Closed together with the provider.
        price_per_image: What one picture costs; Sunra's API does not say. None where nobody knows.
    """

    name: ProviderName = "sunra"
    capabilities = SUNRA_CAPABILITIES

    def __init__(self, client: SunraClient, *, price_per_image: Money | None = None) -> None:
        self._client = client
        self._price_per_image = price_per_image

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.__aexit__(*exc_info)

    def check(self, request: PictureRequest) -> None:
        """Holds a request against the limits of the Sunra model page; names all that is wrong at once.

        Raises:
            InvalidRequest: With the vendor's field name, its limit, and the value.
        """
        problems = "; ".join(_problems(request))
        if problems:
            raise InvalidRequest(problems)

    async def price(self, request: PictureRequest, references: Sequence[str]) -> Money | None:
        """Gives the price per image that the block names; Sunra's API has no quote and no cost field."""
        if self._price_per_image is None:
            return None
        amount = self._price_per_image.amount * Decimal(request.outputs)
        return Money(amount=amount, unit=self._price_per_image.unit)

    async def upload(self, data: bytes, media_type: str, file_name: str) -> str:
        """Uploads a reference picture; returns its URL. How long that URL lives is not documented."""
        return await self._client.upload(data, media_type, file_name)

    async def wait_for_turn(self) -> None:
        """Waits until Sunra's limits of submits per second and minute allow another one."""
        await self._client.wait_for_turn()

    async def submit(self, request: PictureRequest, references: Sequence[str]) -> Ticket:
        """Buys, with one POST.

        Raises:
            NothingAccepted: Nothing was bought; `RequestRejected` also where Sunra has no word for what is asked.
            OutcomeUnknown: It may have been bought, and Sunra has no list in which to look.
        """
        problems = [*_problems(request)]
        if len(references) != len(request.references):
            problems.append(f"{len(request.references)} references need as many handles, got {len(references)}")
        if problems:
            raise RequestRejected(f"Nothing was sent: {'; '.join(problems)}", provider=self.name)
        answer = await self._client.submit(ENDPOINT, _to_input(request, references))
        return Ticket(provider=self.name, job_id=answer.request_id)

    async def status(self, job_id: str) -> JobStatus:
        """Shows a job as it is now. A status that we do not know reads as running.

        Raises:
            ProviderUnavailable: For now; repeat.
            RateLimited: Sunra asks to wait.
            UnexpectedAnswer: The answer has another shape, or the job is unknown.
        """
        return to_job_status(job_id, await self._client.status(job_id))

    async def pictures(self, status: JobStatus) -> tuple[RemotePicture, ...]:
        """Lists the pictures of a job that has succeeded.

        Raises:
            JobFailed: Sunra says only now that it failed.
            UnexpectedAnswer: There is no picture in the result.
        """
        output = await self._client.result(status.job_id)
        if not output.images:
            raise UnexpectedAnswer(
                f"Sunra's job {status.job_id} has no picture in its result.", provider=self.name, job_id=status.job_id
            )
        return tuple(
            RemotePicture(index=index, url=image.url, media_type=image.content_type, size_bytes=image.file_size)
            for index, image in enumerate(output.images)
        )

    async def download(self, picture: RemotePicture) -> DownloadedPicture:
        """Fetches a picture, without the key."""
        return await self._client.download(picture.url)

    async def find_lost(
        self, request: PictureRequest, references: Sequence[str], since: datetime
    ) -> tuple[Ticket, ...]:
        """Finds nothing, always: Sunra has no list of requests."""
        return ()

    async def cancel(self, job_id: str) -> CancelOutcome:
        """Asks to cancel. What Sunra then does is not documented: keep polling."""
        try:
            await self._client.cancel(job_id)
        except UnexpectedAnswer as error:
            # A 4xx is Sunra's no, such as to a job that has ended; anything else is not about this job.
            if error.status_code is None or error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return CancelOutcome.REFUSED
        return CancelOutcome.REQUESTED


def to_job_status(job_id: str, answer: StatusAnswer) -> JobStatus:
    """Says a status, polled or streamed, in our words. Failure is COMPLETED with `success: false` (sunra_client)."""
    state = _STATES.get(answer.status, JobState.RUNNING)
    if state is JobState.SUCCEEDED and not answer.success:
        state = JobState.FAILED
    failed = state in {JobState.FAILED, JobState.CANCELED}
    return JobStatus(
        job_id=job_id,
        state=state,
        provider_status=clean_text(answer.status),
        queue_position=answer.queue_position,
        logs=tuple(clean_text(line) for line in answer.logs),
        failure=_to_failure(answer) if failed else None,
    )


def _to_failure(answer: StatusAnswer) -> JobFailure:
    error = answer.error or PredictionError(message=f"Sunra says {answer.status} and no reason.")
    return JobFailure(
        code=clean_text(error.code) or UNKNOWN_ERROR_CODE,
        message=clean_text(error.message),
        reason=None if error.reason is None else clean_text(error.reason),
        retryable=error.retryable,
    )


def _to_input(request: PictureRequest, references: Sequence[str]) -> ImageToImageInput:
    loras = tuple(LoRAWeight(path=lora.id, scale=lora.scale) for lora in request.loras)
    return ImageToImageInput(
        prompt=request.prompt,
        image_urls=tuple(references),
        aspect_ratio=request.aspect_ratio,
        seed=request.seed,
        loras=loras or None,
        num_inference_steps=request.steps,
        output_format=request.output_format,
    )


def _problems(request: PictureRequest) -> Iterator[str]:
    limits = SUNRA_CAPABILITIES
    if request.model != limits.model:
        yield f"model must be {limits.model} (Sunra), got {clean_text(request.model)}"
    if not 1 <= len(request.references) <= limits.max_references:
        yield f"image_urls must have from 1 to {limits.max_references} items (Sunra), got {len(request.references)}"
    if not 0 <= request.seed <= MAX_SEED:
        yield f"seed must be from 0 to {MAX_SEED} (Sunra), got {request.seed}"
    if request.steps is not None and not MIN_STEPS <= request.steps <= MAX_STEPS:
        yield f"num_inference_steps must be from {MIN_STEPS} to {MAX_STEPS} (Sunra), got {request.steps}"
    yield from _missing_settings(request)
    yield from _lora_problems(request)


def _missing_settings(request: PictureRequest) -> Iterator[str]:
    if request.width_px is not None or request.height_px is not None:
        yield "Sunra takes aspect_ratio instead of width and height"
    if request.guidance is not None:
        yield f"Sunra has no guidance (its model is distilled): leave it out, got {request.guidance:g}"
    if request.outputs != 1:
        yield f"Sunra makes 1 picture per request: ask for more shots instead of outputs, got {request.outputs}"


def _lora_problems(request: PictureRequest) -> Iterator[str]:
    if len(request.loras) > SUNRA_CAPABILITIES.max_loras:
        yield f"loras must have at most {SUNRA_CAPABILITIES.max_loras} items (Sunra), got {len(request.loras)}"
    for index, lora in enumerate(request.loras):
        if not 0 <= lora.scale <= MAX_LORA_SCALE:
            yield f"loras.{index}.scale must be from 0 to {MAX_LORA_SCALE:g} (Sunra), got {lora.scale:g}"
        if "?" in lora.id or "@" in lora.id:
            yield f"loras.{index}.path must have no query and no password (Sunra): it is stored with every picture"
        if "/" not in lora.id:
            yield f"loras.{index}.path must be a URL or owner/repo (Sunra), got {clean_text(lora.id)}"
