import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.sunra.wire import (
    ErrorAnswer,
    ImagesOutput,
    ImageToImageInput,
    LoRAWeight,
    PredictionError,
    StatusAnswer,
    SubmitAnswer,
    SunraFile,
    UploadInitiateAnswer,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_what_is_not_set_is_not_sent() -> None:
    """The schema allows no null, though the page's examples send `"seed": null` (Sunra model page)."""
    body = ImageToImageInput(prompt="a teapot", image_urls=("https://a.example/1.png",)).to_body()
    assert body == {"prompt": "a teapot", "image_urls": ["https://a.example/1.png"]}


def test_everything_that_is_set_is_sent_under_the_vendors_name() -> None:
    """Each parameter of the model page has its place."""
    request = ImageToImageInput(
        prompt="a teapot",
        image_urls=("u1", "u2"),
        aspect_ratio="16:9",
        seed=0,
        loras=(LoRAWeight(path="owner/repo"), LoRAWeight(path="owner/other", scale=0.5)),
        num_inference_steps=8,
        output_format="webp",
    )
    assert request.to_body() == {
        "prompt": "a teapot",
        "image_urls": ["u1", "u2"],
        "aspect_ratio": "16:9",
        "seed": 0,
        "loras": [{"path": "owner/repo"}, {"path": "owner/other", "scale": 0.5}],
        "num_inference_steps": 8,
        "output_format": "webp",
    }


def test_a_request_knows_no_other_field() -> None:
    """A typo in a field name is found here and not by the vendor, who may ignore it."""
    with pytest.raises(ValidationError, match="width"):
        ImageToImageInput.model_validate({"prompt": "p", "image_urls": [], "width": 512})


@pytest.mark.parametrize(
    ("logs", "lines"),
    [
        (None, ()),
        ("", ()),
        ("one\ntwo\r\nthree", ("one", "two", "three")),
        (["one", "two"], ("one", "two")),
        ([{"message": "one", "level": "INFO", "source": "x", "timestamp": "t"}], ("one",)),
        ([{"text": "?"}, 7, None, "two", {"message": 3}], ("two",)),
        ({"message": "odd"}, ()),
        (42, ()),
    ],
)
def test_logs_come_in_every_shape(logs: Any, lines: tuple[str, ...]) -> None:
    """The SDK types a text, the docs describe a list of objects, and a queued job has null."""
    assert StatusAnswer.model_validate_json(json.dumps({"status": "IN_PROGRESS", "logs": logs})).logs == lines


@pytest.mark.parametrize(
    ("fields", "success"),
    [({}, True), ({"success": None}, True), ({"success": True}, True), ({"success": False}, False)],
)
def test_a_missing_success_reads_as_true(fields: dict[str, Any], success: bool) -> None:
    """As in sunra_client; the result endpoint has the last word anyway."""
    assert StatusAnswer.model_validate({"status": "COMPLETED", **fields}).success is success


V2 = {
    "code": "invalid_input",
    "message": "no image at the URL",
    "reason": "input_fetch_failed",
    "retryable": False,
    "timestamp": "2026-08-01T00:00:00Z",
    "details": {"url": "x"},
}


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (None, None),
        ({}, None),
        ([], None),
        (7, None),
        ("", None),
        (
            V2,
            PredictionError(
                code="invalid_input", message="no image at the URL", reason="input_fetch_failed", retryable=False
            ),
        ),
        (
            {"code": "service_provider_error", "message": "Predict failed. Please try again."},
            PredictionError(code="service_provider_error", message="Predict failed. Please try again."),
        ),
        (
            {"code": "brand_new", "message": "m", "reason": "unheard_of", "retryable": True},
            PredictionError(code="brand_new", message="m", reason="unheard_of", retryable=True),
        ),
        (
            {"code": 7, "message": None, "reason": 42, "retryable": "yes"},
            PredictionError(code="unknown_error_code", message=""),
        ),
        ({"code": "", "message": "m"}, PredictionError(code="unknown_error_code", message="m")),
        ("out of memory", PredictionError(code="unknown_error_code", message="out of memory")),
    ],
)
def test_a_prediction_error_is_taken_as_far_as_it_type_checks(error: Any, read: PredictionError | None) -> None:
    """Contract v2, the older form without reason, and anything else; nothing is coerced, nothing invented."""
    answer = StatusAnswer.model_validate_json(json.dumps({"status": "COMPLETED", "success": False, "error": error}))
    assert answer.error == read


@pytest.mark.parametrize(
    ("status", "terminal"),
    [
        ("IN_QUEUE", False),
        ("IN_PROGRESS", False),
        ("PROCESSING", False),
        ("completed", False),
        ("CANCELLATION_REQUESTED", False),
        ("COMPLETED", True),
        ("FAILED", True),
        ("CANCELED", True),
        ("CANCELLED", True),
    ],
)
def test_a_status_that_is_not_known_is_never_an_end(status: str, terminal: bool) -> None:
    """Ending too early would lose a paid picture; waiting too long has a deadline."""
    assert StatusAnswer(status=status).is_terminal is terminal


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":{"type":"authorization_error","code":"MODEL_ACCESS_DENIED","message":"no","details":{"model":"m"}}}',
            ErrorAnswer(message="no", code="MODEL_ACCESS_DENIED", type="authorization_error", details={"model": "m"}),
        ),
        (
            b'{"detail":"old","code":"C","type":"t","details":[1]}',
            ErrorAnswer(message="old", code="C", type="t", details=[1]),
        ),
        (b'{"detail":[{"loc":["x"],"msg":"bad"}]}', ErrorAnswer(message='[{"loc":["x"],"msg":"bad"}]')),
        (b'{"error":"just text"}', ErrorAnswer(message="just text")),
        (b'{"message":"Forbidden"}', ErrorAnswer(message="Forbidden")),
        (b'{"error":{}}', ErrorAnswer(message="{}")),
        (b'{"error":{"code":7,"message":null,"type":[]}}', ErrorAnswer(message='{"code":7,"message":null,"type":[]}')),
        (b'"text"', ErrorAnswer(message="text")),
        (b"[1,2]", ErrorAnswer(message="[1,2]")),
        (b"null", ErrorAnswer(message="null")),
        (b"Bad Gateway", ErrorAnswer(message="Bad Gateway")),
        (b" <html><h1>502</h1>", ErrorAnswer(message="an HTML page")),
        (b"", ErrorAnswer(message="")),
        (b"\xff\xfe", ErrorAnswer(message="\ufffd\ufffd")),
    ],
)
def test_an_error_is_read_in_each_of_its_forms(body: bytes, expected: ErrorAnswer) -> None:
    """The envelope of today, the one before, and what proxies write."""
    assert ErrorAnswer.read(body) == expected


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 10_000, b'{"error":' * 5000, b'{"message":1e999}'])
def test_an_error_that_is_made_to_break_a_parser_is_read(body: bytes) -> None:
    """Deep nesting and huge numbers are texts like any other."""
    assert isinstance(ErrorAnswer.read(body).message, str)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_reading_an_error_never_fails(body: bytes) -> None:
    """Whatever came, there is something to say about it."""
    answer = ErrorAnswer.read(body)
    assert isinstance(answer.message, str)
    assert answer.prediction_error is None or answer.code == "PREDICTION_FAILED"


@given(json_values)
def test_a_failed_prediction_is_one_whatever_its_details(details: Any) -> None:
    """The code alone says that the job failed; details only say more."""
    body = json.dumps({"error": {"code": "PREDICTION_FAILED", "message": "m", "details": details}}).encode()
    error = ErrorAnswer.read(body).prediction_error
    assert error is not None
    assert error.code


@given(st.sampled_from([SubmitAnswer, StatusAnswer, ImagesOutput, UploadInitiateAnswer]), st.binary() | json_values)
def test_an_answer_is_understood_or_refused_as_a_whole(shape: type[Any], value: Any) -> None:
    """Nothing but a ValidationError comes out of any bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        answer = shape.model_validate_json(body)
    except ValidationError:
        return
    assert isinstance(answer, shape)


@pytest.mark.parametrize(
    "file",
    [
        {"url": "https://a.example/1.png"},
        {"url": "https://a.example/1.png", "content_type": 7, "file_name": None, "file_size": "many", "new": 1},
        {"url": "https://a.example/1.png", "file_size": -1},
    ],
)
def test_an_odd_field_that_only_informs_costs_no_picture(file: dict[str, Any]) -> None:
    """The page calls four fields required; the URL alone is needed to collect what was paid for."""
    assert ImagesOutput.model_validate({"images": [file], "timings": {}}).images == (
        SunraFile(url="https://a.example/1.png"),
    )


@pytest.mark.parametrize(
    "answer", [{}, {"request_id": ""}, {"request_id": " "}, {"request_id": None}, {"request_id": 7}]
)
def test_a_submit_without_an_id_is_no_receipt(answer: dict[str, Any]) -> None:
    """Without an id nothing can be collected: the caller must learn that at once."""
    with pytest.raises(ValidationError):
        SubmitAnswer.model_validate(answer)


def test_urls_that_may_be_signed_are_not_shown() -> None:
    """A repr ends up in logs; a signed URL is a key."""
    upload = UploadInitiateAnswer(upload_url="https://s.example/?sig=SECRET", file_url="https://f.example/?sig=SECRET")
    assert "SECRET" not in repr(upload)
    assert "SECRET" not in repr(SunraFile(url="https://f.example/?sig=SECRET"))
