"""`.export.json`: what an export is, for whoever finds it in ten years, and for the next run that finds it there."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from blocks.errors import BriefError
from blocks.provider import Frozen
from tasks.export.files import ExportedFile, facts_of
from tasks.export.select import Chosen
from tasks.export.terms import Terms
from tasks.provenance.identity import TOOL
from tasks.provenance.marking import ProvenanceMode

MANIFEST = ".export.json"
"""Hidden: programs that load a whole folder (`datasets`, pyarrow, pandas) take each file that is not for a picture."""

_NAMES = (MANIFEST, "export.json")
"""Exports used to say it in a file that was not hidden."""

FORMAT = 1

REMARKS: dict[ProvenanceMode, str] = {
    "none": "These pictures were made by AI. They leave the archive without any mark of ours that says so.",
    "keep": "These pictures were made by AI. They are as the providers sent them, with whatever marks those made.",
    "xmp": "Each picture is marked as made by AI: by our XMP, or by the signature that it came with.",
    "full": "Each picture is marked as made by AI, by XMP and by signed content credentials.",
}


class Order(Frozen):
    """What makes two exports the same."""

    archive: str = Field(description="Id of the archive.")
    terms: Terms
    contents_sha256: str = Field(description="SHA-256 of one line for each picture: its SHA-256 and its verdict.")
    signed_with: str | None = Field(default=None, description="SHA-256 of the certificates that signed it, as PEM.")

    @property
    def digest(self) -> str:
        """The order in one word."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Manifest(Frozen):
    """What `.export.json` says."""

    format: int = FORMAT
    tool: str = TOOL
    made_at: datetime
    order: Order
    remark: str
    pictures: int
    without_prompt: int = Field(default=0, description="Pictures that could not take the prompt that was wished for.")
    size_bytes: int = Field(description="Of all files but this one.")
    files: tuple[ExportedFile, ...]

    def text(self) -> bytes:
        """The file's content."""
        return f"{self.model_dump_json(indent=1)}\n".encode()


def contents_of(chosen: Iterable[Chosen]) -> str:
    """Names what an export holds, whatever its format."""
    lines = sorted(f"{each.record.sha256} {each.verdict}\n" for each in chosen)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def manifest_at(target: Path, order: Order) -> Manifest | None:
    """Looks whether this very export is there already, complete; None where nothing is.

    An export is never replaced: people keep things of their own beside its files.

    Raises:
        BriefError: Something else is there, or a file of this export is no more what it was.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    there = read_manifest(target)
    if there is None:
        raise BriefError(f"{target} is there already and is no export of ours: name a folder that does not exist yet.")
    if there.order != order:
        raise BriefError(
            f"{target} holds another export, of {there.pictures} pictures from {there.made_at:%Y-%m-%d %H:%M} UTC: "
            "name a folder that does not exist yet."
        )
    for file in there.files:
        if not _is_as_written(target, file):
            raise BriefError(
                f"{target} holds this very export, and {file.path} is no more as it was written: delete the folder to "
                "have it made again."
            )
    return there


def read_manifest(target: Path) -> Manifest | None:
    """Reads what the export in a folder is; None where none is."""
    for name in _NAMES:
        with suppress(OSError, ValidationError):  # there is none, or it is not of our making
            return Manifest.model_validate_json((target / name).read_bytes())
    return None


def _is_as_written(target: Path, file: ExportedFile) -> bool:
    try:
        return facts_of(target, file.path) == file
    except OSError:  # gone, or unreadable
        return False
