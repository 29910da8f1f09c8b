"""What Scenario's klein can do and what it refuses, as facts to hold a request against before anything is sent."""

from collections.abc import Iterator

from blocks.provider import Capabilities, PictureRequest
from blocks.scenario.wire import KLEIN_BASE_MODEL_ID

CAPABILITIES = Capabilities(
    model=KLEIN_BASE_MODEL_ID,
    size_control="pixels",
    needs_reference=False,
    max_references=4,  # what klein takes natively (Black Forest Labs); Scenario's own limit is not published
    max_outputs=4,
    max_loras=6,  # Scenario's answer about the sibling flux-2-dev: "Input loras must be at most 6 items long"
    default_steps=28,
    default_guidance=4.0,
    output_formats=(),
    quotes_prices=True,
    finds_lost_jobs=True,
    cancels_jobs=False,
    renews_links=True,
)
"""Facts of the Scenario model page, where no other source is named."""

SIZE_RANGE_PX = (128, 2048)
SIZE_STEP_PX = 16
STEPS_RANGE = (1, 100)
GUIDANCE_RANGE = (1, 10)
LORA_SCALE_RANGE = (0, 2)


def problems_of(request: PictureRequest) -> Iterator[str]:
    """Names every limit that a request breaks, with the vendor's name of the field.

    The longest prompt is not published, so no prompt is refused for its length.
    """
    yield from _odd_size("width", request.width_px)
    yield from _odd_size("height", request.height_px)
    yield from _out_of_range("numInferenceSteps", request.steps, STEPS_RANGE)
    yield from _out_of_range("guidance", request.guidance, GUIDANCE_RANGE)
    yield from _out_of_range("numOutputs", request.outputs, (1, CAPABILITIES.max_outputs))
    yield from _too_many("loras", len(request.loras), CAPABILITIES.max_loras)
    for lora in request.loras:
        yield from _out_of_range("lorasScale", lora.scale, LORA_SCALE_RANGE)
    yield from _too_many("referenceImages", len(request.references), CAPABILITIES.max_references)
    if request.aspect_ratio is not None:
        yield f"aspect_ratio cannot be set, give width and height (Scenario), got {request.aspect_ratio}"
    if request.output_format is not None:
        yield f"output_format cannot be set (Scenario), got {request.output_format}"


def _odd_size(name: str, size_px: int | None) -> Iterator[str]:
    low, high = SIZE_RANGE_PX
    if size_px is not None and not (low <= size_px <= high and size_px % SIZE_STEP_PX == 0):
        yield f"{name} must be a multiple of {SIZE_STEP_PX} from {low} to {high} (Scenario), got {size_px}"


def _out_of_range(name: str, value: float | None, limits: tuple[float, float]) -> Iterator[str]:
    low, high = limits
    if value is not None and not low <= value <= high:
        yield f"{name} must be from {low} to {high} (Scenario), got {value}"


def _too_many(name: str, count: int, limit: int) -> Iterator[str]:
    if count > limit:
        yield f"{name} must be at most {limit} items long (Scenario), got {count}"
