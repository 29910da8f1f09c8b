"""Files in all three formats with much in them, records of them, and certificates of two parties."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tasks.models import ImageRecord, sha256_of
from tasks.provenance.demo_certificates import DemoCertificates, make_demo_certificates
from tasks.provenance.splice import media_type_of

FORMATS = ("PNG", "JPEG", "WEBP")


@pytest.fixture
def file_of(make_picture: Callable[..., Image.Image], encode: Callable[..., bytes]) -> Callable[..., bytes]:
    """Writes a picture with a colour profile and Exif in it; another number is another picture."""

    def write(file_format: str, number: int = 0, **options: Any) -> bytes:
        if not options:
            return plain(file_format, number)
        return encoded(file_format, number, **options)

    @cache  # hypothesis asks for the same file again and again
    def plain(file_format: str, number: int) -> bytes:
        return encoded(file_format, number)

    def encoded(file_format: str, number: int, **options: Any) -> bytes:
        exif = Image.Exif()
        exif[0x010E] = "a description"
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        return encode(make_picture(number), file_format, **{"exif": exif, "icc_profile": profile, **options})

    return write


@pytest.fixture
def plain_png(make_picture: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    """A PNG with a text chunk of another tool."""
    texts = PngInfo()
    texts.add_text("parameters", "steps: 4")
    return encode(make_picture(), "PNG", pnginfo=texts)


@pytest.fixture
def record_for(image_of: Callable[..., ImageRecord]) -> Callable[..., ImageRecord]:
    """Makes the record of given bytes, with the changes that a test is about."""

    def make(data: bytes, prompt: str = "a mug", **changes: Any) -> ImageRecord:
        plain = image_of()
        return plain.model_copy(
            update={
                "sha256": sha256_of(data),
                "sandbox": False,
                "checks": plain.checks.model_copy(update={"media_type": media_type_of(data)}),
                "request": plain.request.model_copy(update={"prompt": prompt}),
                **changes,
            }
        )

    return make


@pytest.fixture(scope="session")
def certificates() -> DemoCertificates:
    """Ours."""
    return make_demo_certificates()


@pytest.fixture(scope="session")
def vendor_certificates() -> DemoCertificates:
    """Those of somebody who makes pictures."""
    return make_demo_certificates("A vendor")


@pytest.fixture
def exiftool(tmp_path: Path) -> Callable[[Sequence[bytes]], list[dict[str, Any]]]:
    """Reads all tags of files with exiftool, each under its group: `XMP-dc:Identifier`."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")

    def read(files: Sequence[bytes]) -> list[dict[str, Any]]:
        paths = [tmp_path / f"{index}.bin" for index in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        command = [program, "-j", "-n", "-G1", "-struct", "-api", "largefilesupport=1", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        tags: list[dict[str, Any]] = json.loads(done.stdout)
        return tags

    return read
