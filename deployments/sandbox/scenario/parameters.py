"""The parameters of Scenario's klein models: their table, their checks, and the words of each refusal."""

from dataclasses import dataclass
from typing import Any

from deployments.sandbox.world import World

DEFAULT_SIDE_PX = 1024
LARGEST_SEED = 2**31 - 1
_LORA_TYPES = "flux.2-klein-base-4b-lora, flux.2-klein-base-4b-edit-lora, flux.2-klein-4b-lora"


@dataclass(frozen=True, slots=True)
class Model:
    """One model that the sandbox serves."""

    model_id: str
    name: str
    default_steps: int
    default_guidance: float


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter, in the words of ``GET /models/{id}``."""

    name: str
    type: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    max_length: int | None = None
    required: bool = False
    whole: bool = False
    cost_impact: bool = False


MODELS = {
    model.model_id: model
    for model in (
        Model("model_bfl-flux-2-klein-4b-base", "Flux.2 [klein] 4B Base", 28, 4.0),
        Model("model_bfl-flux-2-klein-4b", "Flux.2 [klein] 4B", 4, 1.0),
    )
}
INPUTS = (
    Input("prompt", "string", max_length=2048, required=True),
    Input("modelId", "model"),
    Input("loras", "model_array", max_length=6),
    Input("lorasScale", "number_array", maximum=2, step=0.05),
    Input("referenceImages", "file_array", max_length=4, cost_impact=True),
    Input("numOutputs", "number", 1, 4, 1, whole=True, cost_impact=True),
    Input("numInferenceSteps", "number", 1, 100, 1, whole=True, cost_impact=True),
    Input("width", "number", 128, 2048, 16, whole=True, cost_impact=True),
    Input("height", "number", 128, 2048, 16, whole=True, cost_impact=True),
    Input("guidance", "number", 1, 10, 0.1),
    Input("seed", "number", 0, LARGEST_SEED, 1, whole=True),
)
_INPUT_NAMES = {given.name for given in INPUTS}
_IGNORED = frozenset({"dryRun"})  # in the body it is no parameter, and the run is a paid one


class RefusedInput(Exception):
    """A parameter that Scenario would refuse; the text is its own wording."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def checked(body: dict[str, Any], world: World, *, dry_run: bool) -> dict[str, Any]:
    """The parameters that count, checked; a bare value where a list belongs is silently dropped.

    A dry run prices without looking at everything: it wants no prompt and does not look up references.

    Raises:
        RefusedInput: Where the service would answer 400 or 404.
    """
    for name in body:
        if name not in _INPUT_NAMES | _IGNORED:
            raise RefusedInput(f"Input {name} is not allowed")
    accepted = {}
    for given in INPUTS:
        if given.name in body and not (given.type.endswith("_array") and not isinstance(body[given.name], list)):
            accepted[given.name] = _checked_value(given, body[given.name])
        elif given.required and not dry_run:
            raise RefusedInput(f"Input {given.name} is required")
    _check_models(accepted)
    if not dry_run:
        _check_references(accepted, world)
    return accepted


def _checked_value(given: Input, value: Any) -> Any:
    if given.type.endswith("_array"):
        return _checked_list(given, value)
    if given.type == "number":
        return _checked_number(given, value)
    if not isinstance(value, str):
        raise RefusedInput(f"Input {given.name} must be a string")
    if given.required and not value.strip():
        raise RefusedInput(f"Input {given.name} is required")
    if given.max_length is not None and len(value) > given.max_length:
        raise RefusedInput(f"Input {given.name} must be at most {given.max_length} characters long")
    return value


def _checked_list(given: Input, values: list[Any]) -> list[Any]:
    if given.max_length is not None and len(values) > given.max_length:
        raise RefusedInput(f"Input {given.name} must be at most {given.max_length} items long")
    if given.type == "number_array":
        return [_checked_number(given, value) for value in values]
    if not all(isinstance(value, str) for value in values):
        raise RefusedInput(f"Input {given.name} must be an array of strings")
    return values


def _checked_number(given: Input, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedInput(f"Input {given.name} must be a number")
    if given.whole and value != int(value):
        raise RefusedInput(f"Input {given.name} must be an integer")
    if given.minimum is not None and value < given.minimum:
        raise RefusedInput(f"Input {given.name} must be at least {given.minimum:g}")
    if given.maximum is not None and value > given.maximum:
        raise RefusedInput(f"Input {given.name} must be at most {int(given.maximum)}")
    if given.step == 16 and value % 16:
        raise RefusedInput(f"Input {given.name} must be a multiple of 16")
    return int(value) if given.whole else value


def _check_models(accepted: dict[str, Any]) -> None:
    for lora in lora_ids(accepted):
        if not lora.startswith("model_"):
            raise RefusedInput(f"Invalid model(s): {lora}.\nAllowed model types: {_LORA_TYPES}")


def _check_references(accepted: dict[str, Any], world: World) -> None:
    for asset_id in accepted.get("referenceImages", ()):
        if world.storage.find(asset_id) is None:
            raise RefusedInput(f"Asset {asset_id} not found", status=404)


def lora_ids(accepted: dict[str, Any]) -> list[str]:
    """The LoRAs of a request; ``modelId`` is merged into ``loras``."""
    merged: list[str] = list(accepted.get("loras", ()))
    if accepted.get("modelId") and accepted["modelId"] not in merged:
        merged.append(accepted["modelId"])
    return merged


def model_record(model: Model) -> dict[str, Any]:
    """The ``model`` of ``GET /models/{id}``, with its inputs."""
    defaults = {"numOutputs": 1, "numInferenceSteps": model.default_steps, "guidance": model.default_guidance}
    return {
        "id": model.model_id,
        "name": model.name,
        "type": "custom",
        "status": "trained",
        "privacy": "public",
        "capabilities": ["txt2img", "img2img"],
        "inputs": [_input_record(given, defaults.get(given.name)) for given in INPUTS],
        "accessRestrictions": 0,
    }


def _input_record(given: Input, default: float | None) -> dict[str, Any]:
    optional = {
        "default": default,
        "min": given.minimum,
        "max": given.maximum,
        "step": given.step,
        "maxLength": given.max_length,
        "costImpact": given.cost_impact or None,
    }
    record = {"name": given.name, "type": given.type, "required": {"always": given.required}}
    return record | {name: value for name, value in optional.items() if value is not None}
