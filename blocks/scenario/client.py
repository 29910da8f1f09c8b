"""Scenario's HTTP API: one method per endpoint, in Scenario's words.

A client of one project. What buys is sent once (`run_model`, `spark`); reads are repeated by the transport. The
credentials go to the API host alone: URLs that answers name are used through a second client, which has none.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from blocks.errors import (
    InvalidRequest,
    OutcomeUnknown,
    ProviderUnavailable,
    RequestRejected,
    UnexpectedAnswer,
)
from blocks.http import download_picture, is_web_address, read, redact_url, send_once
from blocks.provider import DownloadedPicture, ProviderName
from blocks.scenario.verdicts import read_answer, read_estimate, read_receipt
from blocks.scenario.wire import (
    Estimate,
    Job,
    JobAnswer,
    JobsPage,
    JobsQuery,
    Model,
    ModelAnswer,
    RunModelAnswer,
    RunModelRequest,
    SparkAnswer,
    SparkRequest,
)
from blocks.scenario.wire_assets import (
    MAX_BULK_ASSETS,
    Asset,
    AssetAnswer,
    AssetRequest,
    AssetsAnswer,
    Upload,
    UploadAnswer,
    UploadPart,
    UploadRequest,
)
from blocks.scenario.wire_types import ScenarioAnswer

PROVIDER: ProviderName = "scenario"
MAX_PAGES = 100
"""Of a list of jobs: 10 000 jobs since one lost submit are not searched, but reported."""

_PART_ACCEPTED = (200, 201, 204)

Answer = TypeVar("Answer", bound=ScenarioAnswer)


class ScenarioClient:
    """An open client of one Scenario project. `async with` closes its connections.

    Args:
        api: Talks to the API host, with the credentials.
        files: Talks to the hosts that answers name, without credentials.
        project_id: Owner of what is made; needed only where a key sees several projects.
        deadline_seconds: For each whole call, with its repetitions.
    """

    def __init__(
        self,
        api: httpx.AsyncClient,
        files: httpx.AsyncClient,
        *,
        project_id: str | None = None,
        deadline_seconds: float = 300.0,
    ) -> None:
        self._api = api
        self._files = files
        self._project = {"projectId": project_id} if project_id else {}
        self._deadline_seconds = deadline_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._api.aclose()
        await self._files.aclose()

    # What buys

    async def run_model(self, model_id: str, request: RunModelRequest) -> RunModelAnswer:
        """Buys pictures: `POST /generate/custom/{modelId}`, once.

        Raises:
            NothingAccepted: Nothing was bought.
            OutcomeUnknown: It may have been bought.
        """
        path = f"/generate/custom/{_segment(model_id)}"
        return read_receipt(await self._post_once(path, request.as_json()), RunModelAnswer)

    async def spark(self, request: SparkRequest) -> SparkAnswer:
        """Has prompts written: `POST /generate/prompt`, once. It costs creative units; the prompts come at once.

        Raises:
            NothingAccepted: Nothing was bought.
            OutcomeUnknown: It may have been bought.
        """
        return read_receipt(await self._post_once("/generate/prompt", request.as_json()), SparkAnswer)

    # What costs nothing

    async def estimate(self, model_id: str, request: RunModelRequest) -> Estimate:
        """Asks what `run_model` would cost: the same call with `dryRun=true` in the query, where alone it counts.

        An estimate is no proof that the request is valid (observed by Scenario's Blender add-on).

        Raises:
            NothingAccepted: The request, the account or the rate was refused.
            ProviderUnavailable: No answer; ask again.
            OutcomeUnknown: The answer is not that of a dry run: something may have been bought.
        """
        path = f"/generate/custom/{_segment(model_id)}"
        try:
            response = await self._post_once(path, request.as_json(), dryRun="true")
        except OutcomeUnknown as error:
            raise ProviderUnavailable(
                "Scenario did not say what a request costs: its answer was lost. Nothing was to be bought; ask again.",
                provider=PROVIDER,
            ) from error
        return read_estimate(response)

    async def job(self, job_id: str) -> Job:
        """Shows a job: `GET /jobs/{jobId}`."""
        return (await self._get(f"/jobs/{_segment(job_id)}", JobAnswer)).job

    async def jobs(self, query: JobsQuery) -> JobsPage:
        """Lists one page of jobs: `GET /jobs`."""
        return await self._get("/jobs", JobsPage, **query.as_json())

    async def jobs_created_after(self, moment: datetime) -> tuple[Job, ...]:
        """Lists all jobs since a moment, page by page.

        An empty page is not the end: only a missing token is (official SDK, job_list_params; the SDK's own pagination
        stops at an empty page).

        Raises:
            UnexpectedAnswer: The list did not end within `MAX_PAGES` pages.
        """
        found: list[Job] = []
        token: str | None = None
        for _ in range(MAX_PAGES):
            page = await self.jobs(JobsQuery(created_after=moment, pagination_token=token))
            found += page.readable_jobs
            token = page.next_pagination_token
            if not token:
                return tuple(found)
        raise UnexpectedAnswer(f"Scenario's list of jobs did not end after {MAX_PAGES} pages.", provider=PROVIDER)

    async def cancel(self, job_id: str) -> Job:
        """Asks to cancel a job: `POST /jobs/{jobId}/action`. Scenario refuses it for jobs of custom models.

        Raises:
            RequestRejected: It cannot be cancelled.
        """
        path = f"/jobs/{_segment(job_id)}/action"
        return (await self._post(path, {"action": "cancel"}, JobAnswer)).job

    async def asset(self, asset_id: str) -> Asset:
        """Shows an asset with fresh URLs of its original bytes: `GET /assets/{assetId}?originalAssets=true`."""
        return (await self._get(f"/assets/{_segment(asset_id)}", AssetAnswer, originalAssets="true")).asset

    async def assets(self, asset_ids: Sequence[str]) -> tuple[Asset, ...]:
        """Shows up to 200 assets, in the order asked, without those that do not exist: `POST /assets/get-bulk`."""
        if len(asset_ids) > MAX_BULK_ASSETS:
            raise InvalidRequest(
                f"assetIds must be at most {MAX_BULK_ASSETS} items long (Scenario), got {len(asset_ids)}"
            )
        body = {"assetIds": list(asset_ids)}
        answer = await self._post("/assets/get-bulk", body, AssetsAnswer, originalAssets="true")
        return answer.in_order_of(asset_ids)

    async def create_asset(self, request: AssetRequest) -> Asset:
        """Gives Scenario a small picture, inline: `POST /assets`."""
        return (await self._post("/assets", request.as_json(), AssetAnswer)).asset

    async def create_upload(self, request: UploadRequest) -> Upload:
        """Announces a file that comes in parts: `POST /uploads`."""
        return (await self._post("/uploads", request.as_json(), UploadAnswer)).upload

    async def complete_upload(self, upload_id: str) -> Upload:
        """Says that all parts are there: `POST /uploads/{uploadId}/action`."""
        path = f"/uploads/{_segment(upload_id)}/action"
        return (await self._post(path, {"action": "complete"}, UploadAnswer)).upload

    async def upload(self, upload_id: str) -> Upload:
        """Shows an upload: `GET /uploads/{uploadId}`."""
        return (await self._get(f"/uploads/{_segment(upload_id)}", UploadAnswer)).upload

    async def model(self, model_id: str) -> Model:
        """Shows a model with its parameters and their limits: `GET /models/{modelId}`."""
        return (await self._get(f"/models/{_segment(model_id)}", ModelAnswer)).model

    # Other hosts, without credentials

    async def put_part(self, part: UploadPart, data: bytes, content_type: str) -> None:
        """Sends one part of a file to where the upload said.

        Raises:
            ProviderUnavailable: The part was not taken; begin the upload again.
            UnexpectedAnswer: The place is no web address.
        """
        if not is_web_address(part.url):
            raise UnexpectedAnswer(
                f"Scenario wants a part of a file sent to {redact_url(part.url)}.", provider=PROVIDER
            )
        headers = {"Content-Type": content_type}
        response = await read(
            PROVIDER,
            lambda: self._files.put(part.url, content=data, headers=headers),
            deadline_seconds=self._deadline_seconds,
        )
        if response.status_code not in _PART_ACCEPTED:
            raise ProviderUnavailable(
                f"{redact_url(part.url)} did not take part {part.number} (HTTP {response.status_code}).",
                provider=PROVIDER,
                status_code=response.status_code,
            )

    async def download(self, url: str, *, max_size_bytes: int) -> DownloadedPicture:
        """Fetches a picture from where its asset said.

        Raises:
            LinkExpired: Ask for the asset again.
            ProviderUnavailable: For now; repeat.
            BadPicture: Too large, cut, or no picture.
        """
        return await download_picture(
            self._files, PROVIDER, url, max_size_bytes=max_size_bytes, deadline_seconds=self._deadline_seconds
        )

    # How each call is sent

    async def _post_once(self, path: str, body: dict[str, Any], **query: str) -> httpx.Response:
        return await send_once(
            PROVIDER,
            lambda: self._api.post(path, json=body, params={**query, **self._project}),
            deadline_seconds=self._deadline_seconds,
        )

    async def _post(self, path: str, body: dict[str, Any], answer_type: type[Answer], **query: str) -> Answer:
        response = await read(
            PROVIDER,
            lambda: self._api.post(path, json=body, params={**query, **self._project}),
            deadline_seconds=self._deadline_seconds,
        )
        return read_answer(response, answer_type, refusal=RequestRejected)

    async def _get(self, path: str, answer_type: type[Answer], **query: Any) -> Answer:
        response = await read(
            PROVIDER,
            lambda: self._api.get(path, params={**query, **self._project}),
            deadline_seconds=self._deadline_seconds,
        )
        return read_answer(response, answer_type)


def _segment(identifier: str) -> str:
    """Makes an id one step of a path, whatever is in it."""
    if identifier in {"", ".", ".."}:
        raise InvalidRequest(f"{identifier!r} is no id that Scenario could have given")
    return quote(identifier, safe="")
