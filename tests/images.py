"""The record of one generated image, as the archive holds it."""

from datetime import UTC, datetime
from typing import Any

from blocks.provider import PictureRequest
from tasks.measured import Checks
from tasks.models import ImageRecord, Prompt
from tests.money import cu


def image_record(**changes: Any) -> ImageRecord:
    """Makes one, with the changes that a test is about."""
    record = ImageRecord(
        sha256="a" * 64,
        shot_key="b" * 64,
        provider="scenario",
        sandbox=True,
        job_id="job-1",
        output_index=0,
        request=PictureRequest(model="klein", prompt="a mug", seed=1),
        prompt=Prompt(text="a mug", template="a mug"),
        step=0,
        parent_sha256=None,
        references=(),
        campaign="cards",
        edition="1",
        position=0,
        cost=cu(5),
        checks=Checks(media_type="image/png", width_px=320, height_px=240, size_bytes=100, fingerprint="0" * 48),
        made_at=datetime(2025, 11, 20, 10, 0, tzinfo=UTC),
    )
    return record.model_copy(update=changes)
