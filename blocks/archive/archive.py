"""Opens an archive: its store of bytes, its catalogue and its ledger, behind one id.

Knows no Prefect; `block.py` is the configuration of it.
"""

import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError
from sqlalchemy import URL

from blocks.archive.bucket import Bucket, bucket_of
from blocks.archive.catalogue import Catalogue
from blocks.archive.database import open_database, parse_url
from blocks.archive.folder_store import FolderStore
from blocks.archive.layout import CATALOGUE_FILE, MANIFEST_KEY
from blocks.archive.ledger import Ledger
from blocks.archive.object_store import ObjectStore
from blocks.archive.reading import ReadOnlyBucket, ReadOnlyFolder
from blocks.archive.store import Store
from blocks.archive.store_keys import StoreKeys
from blocks.errors import ArchiveError, SetupError

FORMAT_VERSION = 1


class Manifest(BaseModel):
    """What `archive.json` says. Fields that a later version adds are passed over, so that its number can be read."""

    format_version: int
    id: str
    catalogue: str | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive.

    Args:
        id: Made with the archive, the same wherever it is moved.
        root: The folder, as an absolute path, or the bucket, as `s3://BUCKET/PREFIX`.
        store: Bytes.
        ledger: Money.
        catalogue: Records.
    """

    id: str
    root: str
    store: Store
    ledger: Ledger
    catalogue: Catalogue


@asynccontextmanager
async def open_archive(
    root: str, catalogue_url: str | None = None, keys: StoreKeys | None = None, *, for_reading: bool = False
) -> AsyncIterator[Archive]:
    """Opens an archive, and makes it where there is none yet, unless it is only to be read.

    Args:
        root: A folder's path, its `file://` URL, or a bucket as `s3://BUCKET/PREFIX` (`gs://` and `az://` likewise).
        catalogue_url: Database of catalogue and ledger; None for a SQLite file in the folder.
        keys: Keys to the bucket; None for what the environment gives.
        for_reading: Whether to write nothing at all: then a read-only medium or a full disk will do, and every attempt
            to write through the archive is refused with an `ArchiveError`.

    Raises:
        SetupError: The root or the database cannot be used; or there is no archive to read.
        ArchiveError: The archive was made by a newer Kleinbild, or its `archive.json` is damaged; or it is to be read,
            and its catalogue is missing, was made by an older one, or lies in part where it cannot be read.
    """
    place = _place_of(root)
    url, shown = _catalogue_of(place, catalogue_url)
    store = await _open_store(place, keys, for_reading=for_reading)
    if for_reading:
        await _require_manifest(store, str(store.root))
    else:
        await _make_manifest(store, shown)
    manifest = await _manifest_of(store, str(store.root))
    if manifest.catalogue not in {None, shown}:
        raise SetupError(
            f"The archive at {store.root} keeps its records and its ledger in {manifest.catalogue}, not in {shown}. "
            "With another ledger everything would be bought again: open it by its archive block."
        )
    async with open_database(url, for_reading=for_reading) as database:
        yield Archive(
            id=manifest.id,
            root=str(store.root),
            store=store,
            ledger=Ledger(database),
            catalogue=Catalogue(database),
        )


async def is_made(root: str, keys: StoreKeys | None = None) -> bool:
    """Tells whether an archive is there. Makes nothing.

    Raises:
        SetupError: The root names nothing, or the keys are not complete.
        ArchiveError: The place cannot be looked at.
    """
    return await (await _open_store(_place_of(root), keys, for_reading=True)).head(MANIFEST_KEY) is not None


async def id_of(root: str, keys: StoreKeys | None = None) -> str | None:
    """The id of the archive that is there; None where there is none. Makes nothing.

    Raises:
        SetupError: The root names nothing, or the keys are not complete.
        ArchiveError: The place cannot be looked at, or `archive.json` is damaged or of a newer Kleinbild.
    """
    store = await _open_store(_place_of(root), keys, for_reading=True)
    if await store.head(MANIFEST_KEY) is None:
        return None
    return (await _manifest_of(store, str(store.root))).id


def folder_of(root: str) -> Path:
    """The folder that a root names.

    Raises:
        SetupError: It names something else.
    """
    scheme, separator, _ = root.partition("://")
    if not separator:
        if not root.strip():
            raise SetupError("The archive's root is empty: name a folder.")
        return Path(root).expanduser().absolute()
    if scheme.lower() != "file":
        raise SetupError(
            f"An archive cannot be opened at {scheme}://: use a folder's path, its file:// URL, or a bucket as "
            "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX."
        )
    address = urlsplit(root)
    if address.netloc not in {"", "localhost"} or not address.path:
        raise SetupError(f"{root!r} names no folder of this machine: write file:///folder.")
    return Path(unquote(address.path)).absolute()


def _place_of(root: str) -> Path | Bucket:
    return bucket_of(root) or folder_of(root)


async def _open_store(place: Path | Bucket, keys: StoreKeys | None, *, for_reading: bool) -> FolderStore | ObjectStore:
    if isinstance(place, Path):
        return ReadOnlyFolder(place) if for_reading else await FolderStore.open(place)
    return ReadOnlyBucket.at(place, keys) if for_reading else await ObjectStore.open(place, keys)


def _catalogue_of(place: Path | Bucket, url: str | None) -> tuple[URL, str]:
    """The URL of the database, and its name without user and password.

    A SQLite file of an archive in a bucket is named with its machine: on another one, the same path is another ledger.
    """
    if url is None:
        if isinstance(place, Bucket):
            raise SetupError(
                f"The archive at {place.root} needs a database for its records and its ledger, which a bucket cannot "
                "hold: set the archive block's catalogue URL to postgresql://user:password@host/name for many "
                "machines, or to sqlite:////folder/catalogue.sqlite for this machine alone."
            )
        return URL.create("sqlite", database=str(place / CATALOGUE_FILE)), CATALOGUE_FILE
    parts = parse_url(url)
    is_here_only = isinstance(place, Bucket) and parts.get_backend_name() == "sqlite"
    host = socket.gethostname() if is_here_only else parts.host or ""
    return parts, f"{parts.get_backend_name()}://{host}{f':{parts.port}' if parts.port else ''}/{parts.database or ''}"


async def _make_manifest(store: Store, catalogue: str) -> None:
    """Writes `archive.json` where there is none; of many that open a new archive at once, one does."""
    fresh = Manifest(format_version=FORMAT_VERSION, id=uuid.uuid4().hex, catalogue=catalogue)
    await store.put_if_absent(MANIFEST_KEY, f"{fresh.model_dump_json(indent=2)}\n".encode())


async def _require_manifest(store: Store, root: str) -> None:
    if await store.head(MANIFEST_KEY) is None:
        raise SetupError(f"There is no archive at {root} to be read: {MANIFEST_KEY} is missing.")


async def _manifest_of(store: Store, root: str) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(await store.get(MANIFEST_KEY))
    except ValidationError as error:
        raise ArchiveError(
            f"{MANIFEST_KEY} in {root} is damaged: bring it back from a backup. The rest of the archive is as it was."
        ) from error
    if manifest.format_version > FORMAT_VERSION:
        raise ArchiveError(
            f"The archive in {root} has format {manifest.format_version}, made by a newer Kleinbild; "
            f"this one knows formats up to {FORMAT_VERSION}: update Kleinbild."
        )
    return manifest
