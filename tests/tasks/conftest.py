"""A real studio over the sandbox and an archive of this test's own, pictures in every format, and records of images."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blocks.archive.block import ImageArchive
from blocks.archive.layout import object_key
from blocks.provider import Money, PictureRequest, ProviderName
from flows.accounts import sandbox_credentials
from tasks import account, ingest, lost, purchase
from tasks.account import Credentials
from tasks.brief import Brief
from tasks.measured import Checks
from tasks.models import ImageRecord, Prompt, Shot, sha256_of
from tasks.studio import Studio, open_studio
from tests.conftest import Sandbox

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]


@pytest.fixture
def brief_of() -> Callable[..., Brief]:
    """Makes a brief as YAML would, of one prompt and two references, with the changes that a test is about."""

    def make(**changes: Any) -> Brief:
        references = {"cup": "cup.png", "style": "style.png"}
        return Brief.model_validate({"name": "cards", "prompts": ["a mug"], "references": references, **changes})

    return make


@pytest.fixture
def studio_with(sandbox: Sandbox, tmp_path: Path) -> OpenStudio:
    """Opens studios over one archive; its caps, fields of the credentials and all terms of a run can be chosen."""

    def open_one(
        *,
        edition: str = "1",
        campaign: str = "cards",
        budget: Money | None = None,
        caps: dict[str, Any] | None = None,
        scenario: dict[str, Any] | None = None,
        sunra: dict[str, Any] | None = None,
        resubmit_lost: bool = False,
        job_timeout_seconds: float = 30,
    ) -> AbstractAsyncContextManager[Studio]:
        at_scenario, at_sunra = sandbox_credentials(sandbox.origin)
        accounts: dict[ProviderName, Credentials] = {
            "scenario": at_scenario.model_copy(update=scenario or {}),
            "sunra": at_sunra.model_copy(update=sunra or {}),
        }
        return open_studio(
            ImageArchive(root=str(tmp_path / "archive"), **(caps or {})),
            accounts,
            campaign=campaign,
            edition=edition,
            budget=budget,
            resubmit_lost=resubmit_lost,
            job_timeout_seconds=job_timeout_seconds,
        )

    return open_one


@pytest.fixture
async def studio(studio_with: OpenStudio) -> AsyncIterator[Studio]:
    """An open studio in edition 1, without a budget."""
    async with studio_with() as opened:
        yield opened


@pytest.fixture
def make_picture() -> Callable[..., Image.Image]:
    """Draws a picture that is smooth and full of shapes, as photographs are; another number is another picture."""

    def draw(number: int = 0, size_px: tuple[int, int] = (320, 240)) -> Image.Image:
        ramp, disc = Image.linear_gradient("L"), Image.radial_gradient("L")
        bands = Image.merge("RGB", (ramp.rotate(37 * number), disc, ramp.rotate(90 + 11 * number)))
        return bands.resize(size_px)

    return draw


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Writes a picture in a format of Pillow's."""

    def write(picture: Image.Image, file_format: str, **options: Any) -> bytes:
        with io.BytesIO() as file:
            picture.save(file, file_format, **options)
            return file.getvalue()

    return write


@pytest.fixture
def image_of() -> Callable[..., ImageRecord]:
    """Makes the record of one generated image, with the changes that a test is about."""

    def make(**changes: Any) -> ImageRecord:
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
            cost=Money(amount=Decimal(5), unit="CU"),
            checks=Checks(media_type="image/png", width_px=320, height_px=240, size_bytes=100, fingerprint="0" * 48),
            made_at=datetime(2025, 11, 20, 10, 0, tzinfo=UTC),
        )
        return record.model_copy(update=changes)

    return make


@pytest.fixture
def shot_of() -> Callable[..., Shot]:
    """Makes a small generation of Scenario's, with the changes to its request that a test is about."""

    def make(prompt: str = "a mug", position: int = 0, **changes: Any) -> Shot:
        small = {"model": "model_bfl-flux-2-klein-4b-base", "seed": 1, "width_px": 128, "height_px": 128, "steps": 1}
        return Shot(
            provider="scenario",
            sandbox=True,
            request=PictureRequest.model_validate({**small, "prompt": prompt, **changes}),
            prompt=Prompt(text=prompt, template=prompt),
            position=position,
        )

    return make


@pytest.fixture
async def edit_of(
    studio_with: OpenStudio, make_picture: Callable[..., Image.Image], encode: Callable[..., bytes]
) -> Callable[..., Shot]:
    """Makes an edit of Sunra's, of a picture that the archive has."""
    data = encode(make_picture(size_px=(96, 64)), "PNG")
    async with studio_with() as opened:
        await opened.archive.store.put_if_absent(object_key(sha256_of(data)), data)

    def make(prompt: str = "make it night", **changes: Any) -> Shot:
        small = {"model": "black-forest-labs/flux-2-klein-4b", "seed": 1, "references": (sha256_of(data),)}
        return Shot(
            provider="sunra",
            sandbox=True,
            request=PictureRequest.model_validate({**small, "prompt": prompt, **changes}),
            prompt=Prompt(text=prompt, template=prompt),
            position=0,
            step=1,
            parent_sha256=sha256_of(data),
        )

    return make


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the pauses before a list is read again, a shot is watched again and a transfer is repeated be short."""
    monkeypatch.setattr(lost, "SEARCH_DELAYS_SECONDS", (0.0, 0.01, 0.01))
    monkeypatch.setattr(account, "FREE_DELAYS_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(purchase, "WATCH_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(ingest, "DOWNLOAD_PAUSE_SECONDS", 0.01)


class Instead:
    """An object with some of its methods replaced."""

    def __init__(self, original: Any, **methods: Any) -> None:
        self._original = original
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)
