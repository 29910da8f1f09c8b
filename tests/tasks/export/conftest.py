"""An archive with pictures in every format, with edits and verdicts, and other programs that read what we write."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blocks.archive.archive import Archive, open_archive
from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import object_key
from tasks.models import ImageRecord, Prompt, ReferenceUse, sha256_of
from tasks.provenance.demo_certificates import DemoCertificates, make_demo_certificates
from tasks.provenance.splice import media_type_of
from tasks.records import catalogue_entry

READER = Path(__file__).with_name("reader.py")


def left_in(folder: Path) -> set[str]:
    """Names in a folder, beside the archive's."""
    return {path.name for path in folder.iterdir()} - {"archive"}


@dataclass
class Shelf:
    """Puts pictures into an archive, as campaigns would."""

    archive: Archive
    _draw: Callable[..., Image.Image]
    _encode: Callable[..., bytes]
    _image_of: Callable[..., ImageRecord]
    _verdicts: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _number: int = 0

    async def add(
        self,
        prompt: str = "a mug",
        *,
        file_format: str = "PNG",
        verdict: str | None = "keeper",
        data: bytes | None = None,
        references: tuple[str, ...] = (),
        **changes: Any,
    ) -> ImageRecord:
        """Adds a new picture; returns its record."""
        self._number += 1
        drawn = self._draw(self._number, (48, 32)) if data is None else None
        bytes_ = data or self._encode(drawn, file_format)
        plain = self._image_of()
        record = plain.model_copy(
            update={
                "sha256": sha256_of(bytes_),
                "shot_key": sha256_of(f"shot {self._number}".encode()),
                "request": plain.request.model_copy(update={"prompt": prompt}),
                "prompt": Prompt(text=prompt, template=prompt),
                "checks": plain.checks.model_copy(
                    update={"media_type": media_type_of(bytes_), "width_px": 48, "height_px": 32}
                ),
                "references": tuple(ReferenceUse(role="cup", sha256=sha256) for sha256 in references),
                **changes,
            }
        )
        await self.archive.store.put_if_absent(object_key(record.sha256), bytes_)
        await self.archive.catalogue.add([catalogue_entry(record)])
        if verdict is not None:
            await self.judge(record, verdict)
        return record

    async def edit(self, parent: ImageRecord, instruction: str, **changes: Any) -> ImageRecord:
        """Adds a picture that is an edit of another."""
        return await self.add(instruction, parent_sha256=parent.sha256, step=parent.step + 1, **changes)

    async def judge(self, record: ImageRecord, verdict: str, **changes: str) -> None:
        """Says something of a picture, in its own edition or in another."""
        campaign, edition = changes.get("campaign", record.campaign), changes.get("edition", record.edition)
        given = self._verdicts.setdefault((campaign, edition), {})
        given[record.sha256] = verdict
        rows = [
            VerdictRow(campaign=campaign, edition=edition, sha256=sha256, kind=kind, reason="", rule="v1")
            for sha256, kind in given.items()
        ]
        await self.archive.catalogue.put_verdicts(campaign, edition, rows)

    async def original(self, record: ImageRecord) -> bytes:
        """The bytes of a picture as the archive has them."""
        return await self.archive.store.get(object_key(record.sha256))


@pytest.fixture
async def shelf(
    tmp_path: Path,
    make_picture: Callable[..., Image.Image],
    encode: Callable[..., bytes],
    image_of: Callable[..., ImageRecord],
) -> AsyncIterator[Shelf]:
    """An empty archive in a folder."""
    async with open_archive(str(tmp_path / "archive")) as archive:
        yield Shelf(archive, make_picture, encode, image_of)


@pytest.fixture
async def mixed(shelf: Shelf) -> list[ImageRecord]:
    """Keepers in all formats, one of them an edit, sorted as an export has them."""
    first = await shelf.add("a mug, “blue” & <b>é 😀</b>\nsecond line")
    records = [first, await shelf.edit(first, "Make it night", file_format="JPEG")]
    records += [await shelf.add(f"a teapot {number}", file_format="WEBP", seed=number) for number in range(2)]
    return sorted(records, key=lambda record: record.sha256)


@pytest.fixture(scope="session")
def certificates() -> DemoCertificates:
    """A key to sign with."""
    return make_demo_certificates()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Has another program load a dataset, in a process of its own that reaches nothing outside."""

    def read(library: str, *arguments: str) -> list[dict[str, Any]]:
        home = tmp_path / "loader"
        apart = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HOME": str(home)}
        done = subprocess.run(
            [sys.executable, str(READER), library, *arguments],
            env={"PATH": os.environ["PATH"], **apart},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return sorted(rows, key=lambda row: row["image_sha256"])

    return read


@pytest.fixture
def exiftool() -> Callable[[Path], dict[str, Any]]:
    """Reads the tags of a file, each under its group."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")

    def read(path: Path) -> dict[str, Any]:
        done = subprocess.run([program, "-j", "-n", "-G1", str(path)], capture_output=True, timeout=60, check=True)
        tags: dict[str, Any] = json.loads(done.stdout)[0]
        return tags

    return read
