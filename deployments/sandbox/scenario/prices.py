"""What a Scenario job costs in creative units (CU). The vendor publishes no price; only the shape is theirs."""

import math
from typing import Any

from deployments.sandbox.scenario.parameters import Model

_CU_PER_STEP_MEGAPIXEL = 4.0 / 28
_CU_PER_REFERENCE = 0.5
_SMALLEST_STEP_CU = 0.25
PROMPT_SPARK_CU = 0.75
EXTRA_PROMPT_CU = 0.125


def generation_cu(model: Model, accepted: dict[str, Any], size_px: tuple[int, int]) -> float:
    """The price of all outputs: by pixels and steps, and by references, each output rounded up to a quarter."""
    steps = accepted.get("numInferenceSteps", model.default_steps)
    megapixels = size_px[0] * size_px[1] / 2**20
    references = len(accepted.get("referenceImages", ()))
    one = _CU_PER_STEP_MEGAPIXEL * steps * megapixels + _CU_PER_REFERENCE * references
    return float(accepted.get("numOutputs", 1) * math.ceil(one / _SMALLEST_STEP_CU - 1e-9) * _SMALLEST_STEP_CU)


def cost_fields(cu: float, action: str = "custom-generation") -> dict[str, Any]:
    """The cost part of an answer: the details sum to the whole."""
    return {"creativeUnitsCost": cu, "creativeUnitsDiscount": 0, "costDetails": {action: cu}}
