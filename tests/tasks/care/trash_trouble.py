"""A store that fails now and then, for tests of the trash and of repair."""

from collections.abc import Callable

import pytest

from blocks.archive.archive import Archive
from blocks.errors import ArchiveError


def failing(patch: pytest.MonkeyPatch, archive: Archive, method: str, fails: Callable[[str], bool]) -> None:
    """Lets a method of the archive's store fail for some keys."""
    real = getattr(type(archive.store), method)

    async def flaky(store: object, key: str, *rest: bytes) -> object:
        if fails(key):
            raise ArchiveError(f"No answer for {key}.")
        return await real(store, key, *rest)

    patch.setattr(type(archive.store), method, flaky)
