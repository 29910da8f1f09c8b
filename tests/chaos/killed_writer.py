"""A process that puts objects until it is killed, and says of each when it is kept."""

import asyncio
import hashlib
import os
import random
from multiprocessing.connection import Connection
from pathlib import Path

from blocks.archive.folder_store import FolderStore
from blocks.archive.layout import object_key

SHEET_KEY = "sheets/index.html"
SHEET_LINES = 200
MAX_OBJECT_BYTES = 60_000


def write_until_killed(root: Path, says: Connection, seed: int) -> None:
    """Puts objects and replaces a sheet, for ever.

    Args:
        root: The store.
        says: For the key of each object that is kept.
        seed: Of the objects; two writers of one seed meet at the same keys.
    """
    asyncio.run(_write(root, says, random.Random(seed)))


async def _write(root: Path, says: Connection, source: random.Random) -> None:
    store = await FolderStore.open(root)
    while True:
        data = source.randbytes(source.randint(1, MAX_OBJECT_BYTES))
        key = object_key(hashlib.sha256(data).hexdigest())
        await store.put_if_absent(key, data)
        says.send_bytes(key.encode())
        await store.put(SHEET_KEY, f"{os.getpid()}\n".encode() * SHEET_LINES)
