"""The input of Sunra's klein image-to-image endpoint, checked."""

from typing import Any

MODEL_PATH = "black-forest-labs/flux-2-klein-4b/image-to-image"
ASPECT_RATIOS = {"auto": None, "1:1": 1.0, "4:3": 4 / 3, "3:4": 3 / 4, "16:9": 16 / 9, "9:16": 9 / 16}
OUTPUT_FORMATS = ("jpeg", "png", "webp")
_LARGEST_SEED = 2**31 - 1
_LONGEST_DATA_URI = 30_000_000
_LONGEST_URL = 2083
_NAMES = (
    "prompt",
    "image_urls",
    "aspect_ratio",
    "seed",
    "loras",
    "num_inference_steps",
    "output_format",
)


def wrong_input(body: dict[str, Any]) -> str | None:
    """What is wrong with the input, in words, or ``None``. A seed of ``null`` counts as none given."""
    unknown = [name for name in body if name not in _NAMES]
    if unknown:
        return f"{unknown[0]}: unknown field"
    return (
        _wrong_prompt(body)
        or _wrong_images(body)
        or _wrong_number(body, "seed", 0, _LARGEST_SEED)
        or _wrong_number(body, "num_inference_steps", 4, 8)
        or _wrong_choice(body, "aspect_ratio", tuple(ASPECT_RATIOS))
        or _wrong_choice(body, "output_format", OUTPUT_FORMATS)
        or _wrong_loras(body.get("loras", []))
    )


def _wrong_prompt(body: dict[str, Any]) -> str | None:
    if "prompt" not in body:
        return "prompt: field required"
    return None if isinstance(body["prompt"], str) and body["prompt"].strip() else "prompt: must be a non-empty string"


def _wrong_images(body: dict[str, Any]) -> str | None:
    urls = body.get("image_urls")
    if urls is None:
        return "image_urls: field required"
    if not isinstance(urls, list) or not all(isinstance(url, str) and url for url in urls):
        return "image_urls: must be a list of strings"
    if not 1 <= len(urls) <= 4:
        return "image_urls: must have 1 to 4 items"
    too_long = any(len(url) > (_LONGEST_DATA_URI if url.startswith("data:") else _LONGEST_URL) for url in urls)
    return "image_urls: a URL has at most 2083 characters" if too_long else None


def _wrong_number(body: dict[str, Any], name: str, lowest: int, highest: int) -> str | None:
    value = body.get(name)
    if value is None and (name == "seed" or name not in body):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        return f"{name}: must be an integer from {lowest} to {highest}"
    return None


def _wrong_choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    return None if body.get(name, choices[0]) in choices else f"{name}: must be one of {', '.join(choices)}"


def _wrong_loras(loras: Any) -> str | None:
    if not isinstance(loras, list) or len(loras) > 3:
        return "loras: must be a list of at most 3 items"
    for lora in loras:
        if not isinstance(lora, dict) or not isinstance(lora.get("path"), str) or not lora["path"]:
            return "loras.path: field required"
        scale = lora.get("scale", 1)
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale <= 4:
            return "loras.scale: must be from 0 to 4"
    return None
