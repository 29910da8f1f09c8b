"""Scenario as a `Provider`: our words on one side, the vendor's on the other.

FLUX.2 [klein] 4B Base, from text or from up to four references. Prices can be asked, a lost submit can be found in the
list of jobs, and expired links can be had afresh; jobs cannot be cancelled.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Self

from blocks.errors import BadPicture, InvalidRequest, ProviderUnavailable, RequestRejected, UnexpectedAnswer
from blocks.http import clean_text
from blocks.provider import (
    CancelOutcome,
    DownloadedPicture,
    JobFailure,
    JobState,
    JobStatus,
    Money,
    PictureRequest,
    RemotePicture,
    Ticket,
)
from blocks.scenario.client import PROVIDER, ScenarioClient
from blocks.scenario.limits import CAPABILITIES, problems_of
from blocks.scenario.lost import is_job_of
from blocks.scenario.uploads import upload_asset
from blocks.scenario.wire import Job, RunModelRequest
from blocks.scenario.wire_assets import Asset

CREATIVE_UNIT = "CU"

CLOCK_SKEW = timedelta(minutes=5)
"""By how much our clock and Scenario's may differ when a lost submit is looked for."""

_STATES = {
    "pending": JobState.QUEUED,
    "queued": JobState.QUEUED,
    "warming-up": JobState.QUEUED,
    "in-progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "success": JobState.SUCCEEDED,
    "failure": JobState.FAILED,
    "canceled": JobState.CANCELED,
}


class ScenarioProvider:
    """Keeps the `Provider` contract over a `ScenarioClient`.

    Args:
        client: Open client; it is closed with the provider.
        max_picture_size_bytes: Larger pictures are not downloaded.
        upload_deadline_seconds: Until a large reference is imported.
    """

    name = PROVIDER
    capabilities = CAPABILITIES

    def __init__(
        self, client: ScenarioClient, *, max_picture_size_bytes: int, upload_deadline_seconds: float = 300.0
    ) -> None:
        self._client = client
        self._max_picture_size_bytes = max_picture_size_bytes
        self._upload_deadline_seconds = upload_deadline_seconds

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.__aexit__(*exc_info)

    def check(self, request: PictureRequest) -> None:
        """Holds a request against the vendor's limits, without sending anything.

        The longest prompt is not published, so no prompt is refused for its length.

        Raises:
            InvalidRequest: With every limit that it breaks.
        """
        if problems := "; ".join(problems_of(request)):
            raise InvalidRequest(problems)

    async def price(self, request: PictureRequest, references: Sequence[str]) -> Money | None:
        """Asks what a request costs, by a dry run; None where Scenario does not say.

        Raises:
            NothingAccepted: Scenario refuses the request, the account or the rate.
            ProviderUnavailable: For now; repeat.
            OutcomeUnknown: The dry run was none: something may have been bought.
        """
        self.check(request)
        return _creative_units(
            (await self._client.estimate(request.model, _as_wire(request, references))).creative_units_cost
        )

    async def upload(self, data: bytes, media_type: str, file_name: str) -> str:
        """Gives Scenario a reference; returns its asset id."""
        return await upload_asset(
            self._client, data, media_type, file_name, deadline_seconds=self._upload_deadline_seconds
        )

    async def wait_for_turn(self) -> None:
        """Waits for nothing: Scenario documents no rate; it answers 429 when it is too much."""

    async def submit(self, request: PictureRequest, references: Sequence[str]) -> Ticket:
        """Buys. Sent once, never repeated here.

        Raises:
            InvalidRequest: Nothing was sent.
            NothingAccepted: Nothing was bought.
            OutcomeUnknown: It may have been bought.
        """
        self.check(request)
        if len(references) != len(request.references):
            raise InvalidRequest(
                f"referenceImages must have {len(request.references)} asset ids, one for each reference (Scenario), "
                f"got {len(references)}"
            )
        answer = await self._client.run_model(request.model, _as_wire(request, references))
        return Ticket(provider=PROVIDER, job_id=answer.job.job_id, billed=_creative_units(answer.creative_units_cost))

    async def status(self, job_id: str) -> JobStatus:
        """Shows a job as it is now.

        Raises:
            ProviderUnavailable: For now; repeat.
            UnexpectedAnswer: The answer has another shape, or the job is unknown.
        """
        job = await self._client.job(job_id)
        if job.job_id != job_id:
            raise UnexpectedAnswer(f"Scenario was asked for job {job_id!r} and showed another.", provider=PROVIDER)
        return as_status(job)

    async def pictures(self, status: JobStatus) -> tuple[RemotePicture, ...]:
        """Lists the pictures of a job that has SUCCEEDED, in the order of its outputs, with URLs that work now.

        Raises:
            ProviderUnavailable: A picture is not ready yet, or not found; repeat.
            BadPicture: Scenario marks a picture as failed.
            UnexpectedAnswer: The job names no pictures, or a picture has no URL.
        """
        if not status.asset_ids:
            raise UnexpectedAnswer(
                f"Scenario's job {status.job_id!r} names no pictures.", provider=PROVIDER, job_id=status.job_id
            )
        assets = [await self._asset_of(status.job_id, asset_id) for asset_id in status.asset_ids]
        return tuple(_as_picture(index, asset, status.job_id) for index, asset in enumerate(assets))

    async def _asset_of(self, job_id: str, asset_id: str) -> Asset:
        """Shows an asset that a job names: it was paid for, so one that is not found is not given up."""
        try:
            return await self._client.asset(asset_id)
        except UnexpectedAnswer as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            raise ProviderUnavailable(
                f"Scenario does not find asset {asset_id!r}, which its job {job_id!r} names.",
                provider=PROVIDER,
                status_code=error.status_code,
                job_id=job_id,
            ) from error

    async def download(self, picture: RemotePicture) -> DownloadedPicture:
        """Fetches a picture without credentials, within the block's limits of size and time."""
        return await self._client.download(picture.url, max_size_bytes=self._max_picture_size_bytes)

    async def find_lost(
        self, request: PictureRequest, references: Sequence[str], since: datetime
    ) -> tuple[Ticket, ...]:
        """Looks for the job of a submit whose answer was lost, in the list of all jobs since then.

        Args:
            request: What was submitted.
            references: The asset ids that were submitted; empty where they are no longer known.
            since: When it was submitted, by our clock.
        """
        earliest = since - CLOCK_SKEW
        wanted = _as_wire(request, references)
        compares_references = bool(references) or not request.references
        matches = {
            job.job_id: job
            for job in await self._client.jobs_created_after(earliest)
            if is_job_of(job, wanted, earliest=earliest, compares_references=compares_references)
        }
        oldest_first = sorted(matches.values(), key=lambda job: (job.created_at or since, job.job_id))
        return tuple(Ticket(provider=PROVIDER, job_id=job.job_id, billed=_billed(job)) for job in oldest_first)

    async def cancel(self, job_id: str) -> CancelOutcome:
        """Asks to cancel a job. Scenario cancels only jobs of its older kind (official SDK), so expect REFUSED."""
        try:
            await self._client.cancel(job_id)
        except RequestRejected:
            return CancelOutcome.REFUSED
        return CancelOutcome.REQUESTED


def as_status(job: Job) -> JobStatus:
    """Says a job in our words."""
    state = _STATES.get(job.status, JobState.RUNNING)
    asset_ids = (job.metadata.asset_ids if job.metadata else None) or ()
    return JobStatus(
        job_id=job.job_id,
        state=state,
        provider_status=clean_text(job.status, limit=100),
        progress=job.progress,
        billed=_billed(job),
        asset_ids=asset_ids if state is JobState.SUCCEEDED else (),
        failure=_failure(job) if state in {JobState.FAILED, JobState.CANCELED} else None,
    )


def _as_wire(request: PictureRequest, references: Sequence[str]) -> RunModelRequest:
    return RunModelRequest(
        prompt=request.prompt,
        loras=tuple(lora.id for lora in request.loras) or None,
        loras_scale=tuple(lora.scale for lora in request.loras) or None,
        reference_images=tuple(references) or None,
        num_outputs=request.outputs,
        num_inference_steps=request.steps,
        width=request.width_px,
        height=request.height_px,
        guidance=request.guidance,
        seed=request.seed,
    )


def _failure(job: Job) -> JobFailure:
    error = job.metadata.error if job.metadata else None
    hint = job.metadata.hint if job.metadata else None
    return JobFailure(
        code=job.status,
        message=clean_text(error or "") or f"Scenario says {job.status}, and no reason.",
        reason=clean_text(hint) if hint else None,
    )


def _billed(job: Job) -> Money | None:
    """What a job costs now: nothing once it has failed, unless its model does not refund (official SDK)."""
    if job.billing is None:
        return None
    is_refunded = _STATES.get(job.status) in {JobState.FAILED, JobState.CANCELED} and not job.billing.disable_refund
    return _creative_units(Decimal(0) if is_refunded else job.billing.total)


def _creative_units(amount: Decimal | None) -> Money | None:
    return None if amount is None else Money(amount=amount, unit=CREATIVE_UNIT)


def _as_picture(index: int, asset: Asset, job_id: str) -> RemotePicture:
    if asset.status == "pending":
        raise ProviderUnavailable(f"Scenario's asset {asset.id!r} is not ready yet.", provider=PROVIDER, job_id=job_id)
    if asset.status == "error":
        raise BadPicture(f"Scenario marks asset {asset.id!r} as failed.", provider=PROVIDER, job_id=job_id)
    if not (url := asset.original_file_url or asset.url):
        raise UnexpectedAnswer(f"Scenario's asset {asset.id!r} has no URL.", provider=PROVIDER, job_id=job_id)
    is_original = asset.original_file_url is not None
    return RemotePicture(
        index=index,
        url=url,
        media_type=asset.original_mime_type if is_original else asset.mime_type,
        size_bytes=asset.properties.size if asset.properties and not is_original else None,
        asset_id=asset.id,
    )
