"""A real studio over the sandbox and an archive of this test's own, pictures in every format, and records of images."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blocks.archive.archive import Archive, open_archive
from blocks.archive.block import ImageArchive
from blocks.archive.layout import object_key
from blocks.errors import BriefError
from blocks.provider import Money, PictureRequest, ProviderName
from flows.accounts import sandbox_credentials
from tasks import account, ingest, lost, purchase
from tasks.account import Credentials
from tasks.brief import Brief
from tasks.brief_reading import load_brief
from tasks.models import ImageRecord, Prompt, Shot, sha256_of
from tasks.studio import Studio, open_studio
from tests.conftest import Sandbox
from tests.images import image_record
from tests.money import cu

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]
MINIMAL = "name: cards\nprompts: [a mug]\n"
"""The shortest brief, to which a test adds what it is about."""


@pytest.fixture
def brief_of() -> Callable[..., Brief]:
    """Makes a brief as YAML would, of one prompt and two references, with the changes that a test is about."""

    def make(**changes: Any) -> Brief:
        references = {"cup": "cup.png", "style": "style.png"}
        return Brief.model_validate({"name": "cards", "prompts": ["a mug"], "references": references, **changes})

    return make


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Reads a file that has to be refused, and returns what a person is told, less the folder of this test."""

    def refuse(text: str | bytes) -> str:
        path = tmp_path / "cards.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(BriefError) as caught:
            load_brief(path)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return refuse


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
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    """An empty archive that no studio is over."""
    async with open_archive(str(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def thrifty(studio_with: OpenStudio) -> AsyncIterator[Studio]:
    """An open studio in edition 1, with a budget in creative units."""
    async with studio_with(budget=cu(10)) as opened:
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
    return image_record


@pytest.fixture
def shot_of() -> ShotOf:
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
) -> ShotOf:
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
