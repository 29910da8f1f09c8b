"""A picture on its way into an export."""

from dataclasses import dataclass
from pathlib import Path

from tasks.export.rows import Row


@dataclass(frozen=True, slots=True)
class Copy:
    """One picture, as every format takes it.

    Args:
        row: What is said of it.
        suffix: Of its file: `png`, `jpg` or `webp`.
        data: Its bytes.
        original: A file of the archive that holds these very bytes, if one lies on a disk of this machine.
    """

    row: Row
    suffix: str
    data: bytes
    original: Path | None = None

    @property
    def stem(self) -> str:
        """Its name without the suffix: a SHA-256, and nothing that anybody has written."""
        return self.row.image_sha256

    @property
    def name(self) -> str:
        """Its name as a file."""
        return f"{self.stem}.{self.suffix}"
