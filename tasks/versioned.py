"""Reads what people have decided: documents whose format number only grows, and is read before anything else."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from blocks.errors import ArchiveError

Document = TypeVar("Document", bound=BaseModel)


class _Header(BaseModel):
    """What a document of any format says. What a later one adds is passed over, so that its number can be read."""

    format: int


def read_versioned(kind: type[Document], newest: int, key: str, data: bytes) -> Document:
    """Reads a document of an archive.

    Args:
        kind: What it is.
        newest: The newest format that this version reads.
        key: Where it lies.
        data: Its bytes.

    Raises:
        ArchiveError: It is damaged, or was written by a newer version.
    """
    try:
        written = _Header.model_validate_json(data).format
        if written > newest:
            raise ArchiveError(
                f"{key} has format {written}; this version reads formats up to {newest}: update Kleinbild."
            )
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ArchiveError(f"{key} is damaged: bring it back from a backup, or remove it to forget it.") from error
