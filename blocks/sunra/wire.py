"""Sunra's requests and answers, exactly as Sunra names them.

Requests are strict, because what is sent is bought. Answers are lenient, because what is bought must be collected:
fields we do not know are ignored, and a field that only informs reads as absent where it has an odd shape.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import from_json, to_json

PREDICTION_FAILED = "PREDICTION_FAILED"
"""Code of the result endpoint where the job itself failed; `details` then holds the prediction error (SUNRA-819)."""

UNKNOWN_ERROR_CODE = "unknown_error_code"
"""The vendor's own word for a failure that has no code."""


class Request(BaseModel):
    """What we send."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_body(self) -> dict[str, JsonValue]:
        """Gives the JSON body. What is not set is not sent: the schema allows no null, though its examples send it."""
        return self.model_dump(mode="json", exclude_none=True)


class LoRAWeight(Request):
    """LoRA weight specification (Sunra model page)."""

    path: str = Field(description="URL or HuggingFace repo ID (owner/repo) of the LoRA weights.")
    scale: float | None = None


class ImageToImageInput(Request):
    """Input of `black-forest-labs/flux-2-klein-4b/image-to-image` (Sunra model page)."""

    prompt: str
    image_urls: tuple[str, ...]
    aspect_ratio: Literal["auto", "1:1", "4:3", "3:4", "16:9", "9:16"] | None = None
    seed: int | None = None
    loras: tuple[LoRAWeight, ...] | None = None
    num_inference_steps: int | None = None
    output_format: Literal["jpeg", "png", "webp"] | None = None


class UploadInitiateInput(Request):
    """Input of `storage/upload/initiate`. A file name without extension is refused (Sunra's client tests)."""

    content_type: str
    file_name: str


def _or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Reads a field that only informs: an odd shape there must never cost a paid picture."""
    try:
        return validate(value)
    except ValidationError:
        return None


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


InformativeText = Annotated[str | None, WrapValidator(_or_none)]
InformativeCount = Annotated[int | None, Field(ge=0), WrapValidator(_or_none)]
NeededText = Annotated[str, AfterValidator(_not_empty)]


class Answer(BaseModel):
    """What Sunra sends."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SubmitAnswer(Answer):
    """Answer to a submit. Its URLs (`status_url`, …) are left unread on purpose: see `SunraClient`."""

    request_id: NeededText


class PredictionError(Answer):
    """Why a prediction failed (error contract v2, SUNRA-819). Codes and reasons are open sets.

    `retryable` says whether the same input, unchanged, could succeed; None means that Sunra does not say.
    """

    code: str = UNKNOWN_ERROR_CODE
    message: str = ""
    reason: InformativeText = None
    retryable: Annotated[bool | None, Field(strict=True), WrapValidator(_or_none)] = None

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """Takes what type-checks out of any shape of error: v2, the older one without reason, a plain text."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and value:
            return cls(message=value)
        if not isinstance(value, dict) or not value:
            return None
        known = {name: value[name] for name in ("code", "message") if value.get(name) and isinstance(value[name], str)}
        return cls.model_validate({**known, "reason": value.get("reason"), "retryable": value.get("retryable")})


def _lines(value: Any) -> tuple[str, ...]:
    """Reads logs: null, one text, or a list of texts or of `{message, level, source, timestamp}`."""
    if isinstance(value, str):
        return tuple(value.splitlines())
    if not isinstance(value, Iterable) or isinstance(value, dict | bytes):
        return ()
    texts = (entry.get("message") if isinstance(entry, dict) else entry for entry in value)
    return tuple(text for text in texts if isinstance(text, str))


def _missing_is_true(value: Any) -> Any:
    return True if value is None else value


class StatusAnswer(Answer):
    """Status of a request: the body of the status endpoint, and of each event of its stream."""

    status: NeededText
    queue_position: InformativeCount = None
    logs: Annotated[tuple[str, ...], BeforeValidator(_lines)] = ()
    success: Annotated[bool, BeforeValidator(_missing_is_true)] = True
    error: Annotated[PredictionError | None, BeforeValidator(PredictionError.read)] = None

    @property
    def is_terminal(self) -> bool:
        """True when Sunra will change nothing any more. A status that we do not know never counts as an end."""
        return self.status in {"COMPLETED", "FAILED", "CANCELED", "CANCELLED"}


class SunraFile(Answer):
    """A picture of a result. The page calls all four fields required; only the URL is needed to collect it."""

    url: NeededText = Field(repr=False)
    content_type: InformativeText = None
    file_name: InformativeText = None
    file_size: InformativeCount = None


class ImagesOutput(Answer):
    """The result of a request that succeeded."""

    images: tuple[SunraFile, ...]


class UploadInitiateAnswer(Answer):
    """Where to put an upload (a signed URL), and how to name it in `image_urls` afterwards."""

    upload_url: NeededText = Field(repr=False)
    file_url: NeededText = Field(repr=False)


class ErrorAnswer(Answer):
    """An answer that says no, in one of its three forms.

    Now `{"error": {"type", "code", "message", "details"}, …}`, before `{"detail", "code", "type", …}`, and from a proxy
    plain text or HTML.
    """

    message: str
    code: InformativeText = None
    type: InformativeText = None
    details: JsonValue = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Reads any bytes; never fails."""
        try:
            answer = from_json(body)
        except ValueError:
            text = body.decode("utf-8", errors="replace").strip()
            return cls(message="an HTML page" if text.startswith("<") else text)
        if not isinstance(answer, dict):
            return cls(message=_text(answer))
        error = answer.get("error")
        fields = error if isinstance(error, dict) else answer
        said = (fields.get("message"), fields.get("detail"), error, answer)
        return cls(
            message=_text(next(value for value in said if value is not None)),
            code=fields.get("code"),
            type=fields.get("type"),
            details=fields.get("details"),
        )

    @property
    def prediction_error(self) -> PredictionError | None:
        """Why the job failed, where this answer is the result of a job that failed."""
        if self.code != PREDICTION_FAILED:
            return None
        return PredictionError.read(self.details) or PredictionError(message=self.message)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else to_json(value).decode()
