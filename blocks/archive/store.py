"""Bytes under keys: the contract of a store. A local folder keeps it (`folder_store`), a bucket too (`object_store`).

What matters is put once and never changed; only derived things (contact sheets) are replaced.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from blocks.provider import Frozen


class StoredObject(Frozen):
    """What a store knows of an object without reading it."""

    key: str
    size_bytes: int


class Store(Protocol):
    """Bytes under keys. A put that has returned survives a power cut."""

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Writes an object unless the key is taken; True where this call wrote it."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Writes an object, or replaces it at once as a whole: for derived things only."""
        ...

    async def get(self, key: str) -> bytes:
        """Reads an object.

        Raises:
            ArchiveError: There is none, or it cannot be read.
        """
        ...

    async def head(self, key: str) -> StoredObject | None:
        """Says whether an object is there, and its size."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """Lists the keys that start with `prefix`, each once."""
        ...

    async def delete(self, key: str) -> None:
        """Removes an object, if it is there."""
        ...

    async def probe(self) -> None:
        """Tries what the archive builds on, and leaves nothing behind.

        A second put of a key is refused, and what was written is at once there to read, in part too, and to list.

        Raises:
            SetupError: The store cannot do it, or says that it has done what it has not.
        """
        ...
