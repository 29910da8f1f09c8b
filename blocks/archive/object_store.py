"""The store that is a bucket of S3, Google Cloud Storage or Azure Blob Storage, through obstore.

A put that must not overwrite is never repeated by the library: where the first answer was lost, the second one says
"already there" of what we wrote ourselves. So we repeat it, and then compare.
"""

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Self

import obstore
from obstore.exceptions import BaseError

from blocks.archive.bucket import Bucket, Clients, Patience, connect
from blocks.archive.layout import TEMP_FOLDER, check_key
from blocks.archive.probe import FIRST, PART, SECOND, STRAY_AFTER_SECONDS, Seen, judge
from blocks.archive.store import StoredObject
from blocks.archive.store_keys import StoreKeys
from blocks.archive.trouble import Trouble
from blocks.errors import ArchiveError, SetupError

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta
    from obstore.store import ObjectStore as Client

LIST_CHUNK = 1000
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}

_PROBE = f"{TEMP_FOLDER}/probe-"


class ObjectStore:
    """A store that is a bucket, or the part of one below a prefix. Open it with `await ObjectStore.open(bucket)`."""

    def __init__(self, bucket: Bucket, clients: Clients, patience: Patience) -> None:
        self.root = bucket.root
        self._bucket = bucket
        self._clients = clients
        self._patience = patience

    @classmethod
    def at(cls, bucket: Bucket, keys: StoreKeys | None = None, patience: Patience | None = None) -> Self:
        """Connects to a bucket, without a request: to look at what may not be there.

        Args:
            bucket: Which one.
            keys: Keys to it; None for what the environment gives.
            patience: How long to wait for it.

        Raises:
            SetupError: The keys are for another kind of store, or not complete.
        """
        patience = patience or Patience()
        return cls(bucket, connect(bucket, keys, patience), patience)

    @classmethod
    async def open(cls, bucket: Bucket, keys: StoreKeys | None = None, patience: Patience | None = None) -> Self:
        """Connects to a bucket that exists, and tries what it promises. Arguments as in `at`.

        Raises:
            SetupError: The bucket cannot be reached or written, or breaks a promise.
        """
        store = cls.at(bucket, keys, patience)
        await store.probe()
        return store

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Writes an object unless the key is taken; True where this call wrote it."""
        check_key(key)
        with self._told("write", key):
            return await self._create(key, data)

    async def put(self, key: str, data: bytes) -> None:
        """Writes an object, or replaces it at once as a whole."""
        check_key(key)
        with self._told("write", key):
            await self._send(self._clients.patient, key, data, "overwrite")

    async def get(self, key: str) -> bytes:
        """Reads an object."""
        check_key(key)
        with self._told("read", key):
            data = await self._read(key)
        if data is None:
            raise ArchiveError(f"{key} is missing in {self.root}: verify the archive to see what else is.")
        return data

    async def head(self, key: str) -> StoredObject | None:
        """Says whether an object is there, and its size."""
        check_key(key)
        with self._told("look at", key):
            try:
                facts = await obstore.head_async(self._clients.patient, key)
            except FileNotFoundError:
                return None
        return StoredObject(key=key, size_bytes=facts["size"])

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Lists the keys that start with `prefix`, without the probes of others."""
        with self._told("list", prefix or "the archive"):
            async for facts in self._facts(prefix):
                if not facts["path"].startswith(f"{TEMP_FOLDER}/"):
                    yield facts["path"]

    async def delete(self, key: str) -> None:
        """Removes an object, if it is there."""
        check_key(key)
        with self._told("remove", key):
            await self._remove(key)

    async def probe(self) -> None:
        """Tries what the archive builds on, with an object of its own that is gone afterwards.

        Raises:
            SetupError: The bucket cannot be reached or written, or breaks a promise.
        """
        key = f"{_PROBE}{uuid.uuid4().hex}"
        try:
            with self._told("write", "a trial object"):
                seen = await self._try_out(key)
        except ArchiveError as error:
            raise SetupError(str(error)) from error.__cause__
        judge(self.root, seen)

    async def _try_out(self, key: str) -> Seen:
        first_won = await self._create(key, FIRST)
        try:
            second_won = await self._create(key, SECOND)
            return Seen(
                first_won=first_won,
                second_won=second_won,
                read=await self._read(key),
                part=await self._read_part(key),
                is_listed=key in await self._probes(),
            )
        finally:
            await self._remove(key)

    async def _probes(self) -> set[str]:
        """Keys of all probes; removes what killed ones left."""
        limit = datetime.now(UTC) - timedelta(seconds=STRAY_AFTER_SECONDS)
        found = {facts["path"]: facts["last_modified"] async for facts in self._facts(_PROBE)}
        for key, modified_at in found.items():
            if modified_at < limit:
                await self._remove(key)
        return set(found)

    async def _create(self, key: str, data: bytes) -> bool:
        """Puts with the condition that there is none yet; again where that may help."""
        may_have_written = False
        for attempt in itertools.count():
            try:
                await self._send(self._clients.once, key, data, "create")
            except BaseError as error:
                trouble = Trouble.of(error)
                if trouble.is_taken:
                    return may_have_written and await self._read(key) == data
                if not trouble.may_pass or attempt >= self._patience.retries:
                    raise
                may_have_written |= trouble.leaves_open
                await asyncio.sleep(_pause_seconds(attempt))
            else:
                break
        return True

    async def _send(self, client: "Client", key: str, data: bytes, mode: Literal["create", "overwrite"]) -> None:
        """Puts at once as a whole, with the type that lets a browser show a page from the bucket."""
        media_type = MEDIA_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
        attributes: Attributes = {"Content-Type": media_type}
        await obstore.put_async(client, key, data, mode=mode, attributes=attributes, use_multipart=False)

    async def _read(self, key: str) -> bytes | None:
        try:
            result = await obstore.get_async(self._clients.patient, key)
            return bytes(await result.bytes_async())
        except FileNotFoundError:
            return None

    async def _read_part(self, key: str) -> bytes | None:
        try:
            return bytes(await obstore.get_range_async(self._clients.patient, key, start=PART.start, end=PART.stop))
        except (BaseError, FileNotFoundError):  # among them: all of it came where a part was asked for
            return None

    async def _remove(self, key: str) -> None:
        try:
            await obstore.delete_async(self._clients.patient, key)
        except FileNotFoundError:
            return

    async def _facts(self, prefix: str) -> "AsyncIterator[ObjectMeta]":
        """What is known of the objects whose keys start with a prefix; the library knows only whole folders."""
        folder = prefix.rpartition("/")[0]
        async for chunk in obstore.list(self._clients.patient, folder or None, chunk_size=LIST_CHUNK):
            for facts in chunk:
                if facts["path"].startswith(prefix):
                    yield facts

    @contextmanager
    def _told(self, action: str, key: str) -> Iterator[None]:
        """Says of an error of the store what it means for the archive.

        Never with the library's own words: they may hold addresses with signatures, and what the store answered.
        """
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            reason = Trouble.of(error).shown(self._bucket)
            raise ArchiveError(f"Could not {action} {key} in {self.root}: {reason}") from None


def _pause_seconds(attempt: int) -> float:
    longest = min(FIRST_PAUSE_SECONDS * 2.0**attempt, LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
