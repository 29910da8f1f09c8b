"""Copies of pictures with their marks: read from the archive, held against their SHA-256, marked."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from pathlib import Path

from blocks.archive.archive import Archive
from blocks.archive.folder_store import FolderStore
from blocks.archive.layout import object_key
from blocks.errors import ArchiveError
from tasks.export.copied import Copy
from tasks.export.family import Family, inputs_of
from tasks.export.rows import SUFFIXES, Facts
from tasks.export.select import Chosen
from tasks.export.terms import Terms
from tasks.models import ImageRecord, sha256_of
from tasks.provenance.marking import NO_INPUTS, mark
from tasks.provenance.signing import Signer

AT_ONCE = 4
"""Pictures that are read and marked while one is written."""


class Copier:
    """Makes the copies of one export.

    Args:
        archive: Where the pictures are.
        terms: Which marks they get.
        family: Where they come from.
        signer: For provenance `full`.
        aside: A folder for signed copies of pictures that others were made from.
    """

    def __init__(self, archive: Archive, terms: Terms, family: Family, signer: Signer | None, aside: Path) -> None:
        self._store = archive.store
        self._terms = terms
        self._family = family
        self._signer = signer
        self._aside = aside
        self._signed: set[str] = set()
        self.without_prompt = 0
        """Copies that the prompt was wished for in and is not: their providers signed them."""

    async def sign_sources(self, on_each: Callable[[], None]) -> None:
        """For `full`: signs what others were made from, step by step, so that each copy holds its whole chain.

        These may be pictures that do not go out themselves. One whose bytes are gone is named without its credentials.
        """
        for record in self._family.sources if self._terms.provenance == "full" else ():
            if await self._store.head(object_key(record.sha256)) is not None:
                data, _ = await self._marked(record)
                await asyncio.to_thread((self._aside / record.sha256).write_bytes, data)
                self._signed.add(record.sha256)
            on_each()

    async def copies(self, chosen: Iterable[Chosen]) -> AsyncGenerator[Copy, None]:
        """Makes the copies in the order given, some of them ahead.

        Raises:
            ArchiveError: A picture is missing, is not what was received, or cannot be marked.
        """
        waiting: list[asyncio.Task[Copy]] = []
        try:
            for each in chosen:
                waiting.append(asyncio.create_task(self._copy(each)))
                if len(waiting) > AT_ONCE:
                    yield await waiting.pop(0)
            while waiting:
                yield await waiting.pop(0)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _copy(self, chosen: Chosen) -> Copy:
        record = chosen.record
        if record.sha256 in self._signed:
            data, file_sha256 = await asyncio.to_thread(self._from_aside, record)
        else:
            data, file_sha256 = await self._marked(record)
        if self._terms.with_prompt and file_sha256 == record.sha256:
            self.without_prompt += 1
        return Copy(
            row=Facts(chosen, self._family, self._terms).row(file_sha256),
            suffix=SUFFIXES[record.checks.media_type],
            data=data,
            original=self._file_of(record) if file_sha256 == record.sha256 else None,
        )

    def _from_aside(self, record: ImageRecord) -> tuple[bytes, str]:
        data = (self._aside / record.sha256).read_bytes()
        return data, sha256_of(data)

    async def _marked(self, record: ImageRecord) -> tuple[bytes, str]:
        received = await self._received(record.sha256)
        inputs = await self._inputs(record) if self._terms.provenance == "full" else NO_INPUTS
        return await asyncio.to_thread(self._mark, received, record, inputs)

    def _mark(self, received: bytes, record: ImageRecord, inputs: Mapping[str, bytes]) -> tuple[bytes, str]:
        """Makes a copy, and its SHA-256: that of the received bytes where it is these."""
        copy = mark(
            received,
            record,
            self._terms.provenance,
            lineage=self._family.lineage_of(record),
            inputs=inputs,
            signer=self._signer,
            with_prompt=self._terms.with_prompt,
        )
        return copy, record.sha256 if copy is received else sha256_of(copy)

    async def _inputs(self, record: ImageRecord) -> dict[str, bytes]:
        """What went into a picture: signed copies where we have made them, otherwise the bytes as received."""
        found: dict[str, bytes] = {}
        for sha256 in inputs_of(record):
            if sha256 in self._signed:
                found[sha256] = await asyncio.to_thread((self._aside / sha256).read_bytes)
            elif await self._store.head(object_key(sha256)) is not None:
                found[sha256] = await self._received(sha256)
        return found

    async def _received(self, sha256: str) -> bytes:
        """Reads a picture, and holds it against its name: what goes out, or is signed for, is what came."""
        data = await self._store.get(object_key(sha256))
        if await asyncio.to_thread(sha256_of, data) != sha256:
            raise ArchiveError(
                f"{object_key(sha256)} is no more what was received: its bytes have another SHA-256. Nothing "
                "was exported; verify the archive, which also says what can be repaired."
            )
        return data

    def _file_of(self, record: ImageRecord) -> Path | None:
        store = self._store
        return store.path_of(object_key(record.sha256)) if isinstance(store, FolderStore) else None
