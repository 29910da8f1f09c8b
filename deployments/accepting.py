"""Keeps a copy of each brief that a run is started for, so that the run reads what was there when it was accepted."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import yaml

from blocks.errors import BriefError
from tasks.documents import read_yaml

FOLDER = "accepted"
"""Beside the briefs; below it one folder for each content."""


def accept(path: Path, content: bytes, sha256: str) -> Path:
    """Writes the copy, once, under the brief's own name: messages about the brief show it.

    Args:
        path: Where the brief lies; its relative references are meant from there.
        content: What was read of it.
        sha256: Of the content.

    Raises:
        OSError: It cannot be written.
    """
    copy = path.parent / FOLDER / sha256 / path.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f".{uuid4()}")  # it becomes the copy when it is whole, or never
        try:
            _write(partial, content)
            if moved := _with_absolute_references(partial, path.parent):
                _write(partial, moved)
            partial.replace(copy)
        finally:
            partial.unlink(missing_ok=True)
    return copy


def _with_absolute_references(brief: Path, folder: Path) -> bytes | None:
    """Gives the brief as it reads from another folder; None where it reads the same, or is none."""
    try:
        document = read_yaml(brief)
    except BriefError:  # its run says so, where people look
        return None
    before = document.get("references")
    after = _mapped(before, lambda source: _absolute(source, folder))
    if after == before:
        return None
    try:
        return yaml.safe_dump({**document, "references": after}, sort_keys=False).encode("ascii")
    except (RecursionError, ValueError):  # nested too deep, a number too large to print: no brief, as its run will say
        return None


def _mapped(references: object, change: Callable[[object], object]) -> object:
    """Changes each source, in both ways to write references; what is neither is left to the reader of briefs."""
    if isinstance(references, dict):
        return {role: change(source) for role, source in references.items()}
    if isinstance(references, list):
        return [
            {**each, "source": change(each["source"])} if isinstance(each, dict) and "source" in each else each
            for each in references
        ]
    return references


def _absolute(source: object, folder: Path) -> object:
    if not isinstance(source, str) or not source or source.lower().startswith(("http://", "https://", "~")):
        return source
    return str(folder / source)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
