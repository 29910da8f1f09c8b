"""Scenario's requests and answers about models, jobs and prompts, exactly as Scenario names them.

Assets and uploads are in `wire_assets`; what all of them have in common is in `wire_types`.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, PlainSerializer, model_validator

from blocks.scenario.wire_types import (
    Cost,
    CreativeUnits,
    Ids,
    Number,
    ScenarioAnswer,
    ScenarioRequest,
    Text,
    Tolerant,
    VendorId,
    VendorTime,
    WholeNumber,
)

KLEIN_BASE_MODEL_ID = "model_bfl-flux-2-klein-4b-base"
"""FLUX.2 [klein] 4B Base (Scenario model page)."""

MAX_PAGE_SIZE = 100
"""Jobs in one page of `GET /jobs` (official SDK, job_list_params)."""


# Requests


class RunModelRequest(ScenarioRequest):
    """Body of `POST /generate/custom/{modelId}` for the klein models (Scenario model page).

    Arrays are always arrays: a bare value where one is expected is silently dropped (Scenario's skill texts).
    """

    prompt: str
    loras: tuple[VendorId, ...] | None = Field(default=None, description="Ids of LoRA models.")
    loras_scale: tuple[float, ...] | None = Field(default=None, description="Parallel to `loras`.")
    reference_images: tuple[VendorId, ...] | None = Field(default=None, description="Asset ids, not URLs.")
    num_outputs: int | None = None
    num_inference_steps: int | None = None
    width: int | None = None
    height: int | None = None
    guidance: float | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _scales_are_parallel(self) -> Self:
        if self.loras_scale is not None and len(self.loras_scale) != len(self.loras or ()):
            raise ValueError("lorasScale must have one number for each of loras")
        return self


class JobsQuery(ScenarioRequest):
    """Query of `GET /jobs`.

    `createdAfter` is allowed only without `status`, `types` and `workflowId`, `updatedAfter` only with one of them
    (official SDK, job_list_params).
    """

    created_after: VendorTime | None = None
    updated_after: VendorTime | None = None
    status: str | None = None
    types: Annotated[tuple[str, ...], PlainSerializer(",".join)] | None = None
    workflow_id: VendorId | None = None
    page_size: int = Field(default=MAX_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    pagination_token: str | None = None

    @model_validator(mode="after")
    def _dates_suit_the_order(self) -> Self:
        by_update = any(value is not None for value in (self.status, self.types, self.workflow_id))
        if self.created_after is not None and by_update:
            raise ValueError("createdAfter is not allowed with status, types or workflowId: use updatedAfter")
        if self.updated_after is not None and not by_update:
            raise ValueError("updatedAfter is only allowed with status, types or workflowId: use createdAfter")
        return self


class SparkRequest(ScenarioRequest):
    """Body of `POST /generate/prompt`, Scenario's prompt writer ("prompt spark"); it costs creative units."""

    mode: Literal["completion", "contextual", "contextual-v2", "image-editing", "inventive", "structured"]
    prompt: str | None = None
    num_results: int | None = Field(default=None, ge=1, le=5)
    model_id: VendorId | None = None
    images: tuple[str, ...] | None = Field(default=None, description="Asset ids or data URLs.")
    asset_ids: tuple[VendorId, ...] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None


# Answers


class JobInput(ScenarioAnswer):
    """What a job says it was asked for; only as far as is needed to recognise a job of ours."""

    prompt: Text = None
    seed: WholeNumber = Field(default=None, description="Comes as a number or as a string.")
    width: WholeNumber = None
    height: WholeNumber = None
    num_outputs: WholeNumber = None
    num_inference_steps: WholeNumber = None
    guidance: Number = None
    loras: Ids = None
    loras_scale: Annotated[tuple[float, ...] | None, Tolerant] = None
    reference_images: Ids = None


class JobOutput(ScenarioAnswer):
    """What a job made beside assets; an upload's job names the asset here."""

    entity_id: Annotated[VendorId | None, Tolerant] = None


class JobMetadata(ScenarioAnswer):
    """Details of a job. `assetIds` is to be trusted only when the job's status is `success`."""

    asset_ids: Ids = None
    error: Text = None
    hint: Text = None
    input: Annotated[JobInput | None, Tolerant] = None
    output: Annotated[JobOutput | None, Tolerant] = None


class JobBilling(ScenarioAnswer):
    """What a job costs: `cuCost` for the main action, and add-ons such as `quality-gate` on top (official SDK)."""

    cu_cost: CreativeUnits
    cu_cost_details: Annotated[dict[str, CreativeUnits | None] | None, Tolerant] = None
    disable_refund: Annotated[bool | None, Tolerant] = None

    @property
    def total(self) -> Decimal:
        """The main action and its add-ons."""
        return self.cu_cost + sum((cost for cost in (self.cu_cost_details or {}).values() if cost), Decimal(0))


class Job(ScenarioAnswer):
    """A job. Its status: `pending queued warming-up in-progress finalizing success failure canceled`, or another."""

    job_id: VendorId
    status: str
    job_type: Text = None
    progress: Annotated[float | None, Field(ge=0, le=1), Tolerant] = Field(default=None, description="0 to 1.")
    created_at: Annotated[AwareDatetime | None, Tolerant] = None
    metadata: Annotated[JobMetadata | None, Tolerant] = None
    billing: Annotated[JobBilling | None, Tolerant] = None


class JobAnswer(ScenarioAnswer):
    """Answer of `GET /jobs/{jobId}` and `POST /jobs/{jobId}/action`."""

    job: Job


class JobsPage(ScenarioAnswer):
    """Answer of `GET /jobs`. A page may hold no jobs and still have a token: there are more pages."""

    jobs: tuple[Annotated[Job | None, Tolerant], ...]
    next_pagination_token: str | None = None

    @property
    def readable_jobs(self) -> tuple[Job, ...]:
        """The jobs whose shape we know; a stranger among the others hides none of them."""
        return tuple(job for job in self.jobs if job is not None)


class JobReceipt(ScenarioAnswer):
    """The one fact of a submit that must not be lost."""

    job_id: VendorId


class RunModelAnswer(ScenarioAnswer):
    """Answer of `POST /generate/custom/{modelId}`: bought."""

    job: JobReceipt
    creative_units_cost: Cost = None


class Estimate(ScenarioAnswer):
    """Answer of a dry run (HTTP 269): what a request would cost. It has no `job`; one that has was no dry run."""

    creative_units_cost: Cost = None
    creative_units_discount: Cost = None
    job: Any = Field(default=None, repr=False)

    @property
    def has_job(self) -> bool:
        """True when the answer names a job: something was bought."""
        return "job" in self.model_fields_set


class SparkAnswer(ScenarioAnswer):
    """Answer of `POST /generate/prompt`: the prompts come at once, with what they cost."""

    prompts: tuple[str, ...]
    creative_units_cost: Cost = None


class ModelInput(ScenarioAnswer):
    """One parameter of a model, with the vendor's own limits. For arrays, the lengths count items."""

    name: str
    type: Text = None
    default: Annotated[str | float | bool | None, Tolerant] = None
    min: Number = None
    max: Number = None
    step: Number = None
    min_length: Number = None
    max_length: Number = None


class Model(ScenarioAnswer):
    """A model and its parameters."""

    id: VendorId
    name: Text = None
    inputs: tuple[ModelInput, ...] = ()


class ModelAnswer(ScenarioAnswer):
    """Answer of `GET /models/{modelId}`."""

    model: Model


class ErrorBody(ScenarioAnswer):
    """What Scenario, or the gateway before it, says in an error. Which of the texts is there varies."""

    reason: Text = None
    message: Text = None
    name: Text = None
    required_plan: Text = None
    remaining_seconds: Annotated[float | None, Field(ge=0, allow_inf_nan=False), Tolerant] = None
    trace_id: Text = None
