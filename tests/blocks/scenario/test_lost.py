from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.scenario.lost import is_job_of
from blocks.scenario.wire import Job, RunModelRequest

EARLIEST = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SENT = RunModelRequest(
    prompt="a teapot",
    seed=7,
    num_outputs=1,
    width=1024,
    height=768,
    num_inference_steps=28,
    guidance=4.1,
    loras=("model_a",),
    loras_scale=(0.8,),
    reference_images=("asset_1", "asset_2"),
)


def _job(**changes: Any) -> Job:
    job = {"jobId": "job_1", "jobType": "custom", "status": "success", "metadata": {"input": SENT.as_json()}}
    return Job.model_validate(job | changes)


def _asked(**changes: Any) -> Job:
    asked = {name: value for name, value in (SENT.as_json() | changes).items() if value is not ...}
    return _job(metadata={"input": asked})


def test_the_whole_request_repeated_is_recognised() -> None:
    """A job that repeats all that was sent is ours, whatever became of it."""
    for status in ("queued", "in-progress", "success", "failure", "canceled", "dreaming"):
        assert is_job_of(_job(status=status), SENT, earliest=EARLIEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "7"},
        {"guidance": "4.1"},
        {"width": 1024.0},
        {"width": ..., "height": ..., "numOutputs": ..., "loras": ..., "lorasScale": ..., "referenceImages": ...},
        {"strength": 0.5, "modelId": "model_klein"},
    ],
)
def test_other_spellings_and_omissions_are_allowed(changes: dict[str, Any]) -> None:
    """How a job repeats its input is not documented: numbers may be strings, and fields may be missing."""
    assert is_job_of(_asked(**changes), SENT, earliest=EARLIEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 8},
        {"seed": ...},
        {"seed": None},
        {"prompt": "a teapot "},
        {"prompt": ...},
        {"width": 1040},
        {"height": 1024},
        {"numOutputs": 2},
        {"numInferenceSteps": 29},
        {"guidance": 4.2},
        {"loras": ["model_b"]},
        {"loras": []},
        {"lorasScale": [0.9]},
        {"referenceImages": ["asset_2", "asset_1"]},
        {"referenceImages": ["asset_1"]},
    ],
)
def test_one_difference_makes_it_another_job(changes: dict[str, Any]) -> None:
    """A sweep has many jobs with one seed and one prompt; each value that is repeated has to agree."""
    assert not is_job_of(_asked(**changes), SENT, earliest=EARLIEST)


def test_what_was_not_sent_may_be_a_default_but_no_reference() -> None:
    """The vendor fills in numbers; it does not fill in somebody's pictures or LoRAs."""
    bare = RunModelRequest(prompt="a teapot", seed=7)
    defaults: dict[str, list[str]] = {"loras": [], "lorasScale": [], "referenceImages": []}
    assert is_job_of(_asked(**defaults), bare, earliest=EARLIEST)
    assert not is_job_of(_asked(**{**defaults, "referenceImages": ["asset_1"]}), bare, earliest=EARLIEST)
    assert not is_job_of(_asked(**{**defaults, "loras": ["model_a"]}), bare, earliest=EARLIEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"jobType": "upload"},
        {"jobType": None},
        {"metadata": None},
        {"metadata": {}},
        {"createdAt": "2026-11-20T11:59:59.999Z"},
    ],
)
def test_jobs_of_other_kinds_and_times_are_others(changes: dict[str, Any]) -> None:
    """Only jobs of `POST /generate/custom` since the submit can be its outcome."""
    assert not is_job_of(_job(**changes), SENT, earliest=EARLIEST)


def test_references_are_left_out_where_they_are_unknown() -> None:
    """Their asset ids may be lost with the answer; everything else still has to agree."""
    unknown = SENT.model_copy(update={"reference_images": None})
    assert is_job_of(_job(), unknown, earliest=EARLIEST, compares_references=False)
    assert not is_job_of(_asked(seed=8), unknown, earliest=EARLIEST, compares_references=False)
