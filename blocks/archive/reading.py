"""Stores that are only read: opening one tries nothing and makes nothing, and whoever would write is refused.

So a snapshot, a backup, a write-once copy or a full disk can be looked at, verified and exported from.
"""

from blocks.archive.folder_store import FolderStore
from blocks.archive.object_store import ObjectStore
from blocks.errors import ArchiveError


class _ReadOnly:
    """What a store does that is only read, where it would write."""

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Refuses to write.

        Raises:
            ArchiveError: Always.
        """
        raise _refusal("write", key)

    async def put(self, key: str, data: bytes) -> None:
        """Refuses to write.

        Raises:
            ArchiveError: Always.
        """
        raise _refusal("write", key)

    async def delete(self, key: str) -> None:
        """Refuses to remove.

        Raises:
            ArchiveError: Always.
        """
        raise _refusal("remove", key)

    async def probe(self) -> None:
        """Refuses to try what can only be tried by writing.

        Raises:
            ArchiveError: Always.
        """
        raise _refusal("write", "a trial object")


class ReadOnlyFolder(_ReadOnly, FolderStore):
    """A local folder that is only read. It is there to use as it is made: nothing has to be opened."""


class ReadOnlyBucket(_ReadOnly, ObjectStore):
    """A bucket that is only read. Connect to it with `ReadOnlyBucket.at(bucket, keys)`."""


def _refusal(action: str, what: str) -> ArchiveError:
    return ArchiveError(f"Could not {action} {what}: the archive was opened for reading only.")
