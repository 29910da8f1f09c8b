"""Opens an archive: its store of bytes, its catalogue and its ledger, behind one id.

Knows no Prefect; `block.py` is the configuration of it.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError

from blocks.archive.catalogue import Catalogue
from blocks.archive.database import open_database, parse_url
from blocks.archive.layout import CATALOGUE_FILE, MANIFEST_KEY
from blocks.archive.ledger import Ledger
from blocks.archive.store import FolderStore
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
        root: The folder, as an absolute path.
        store: Bytes.
        ledger: Money.
        catalogue: Records.
    """

    id: str
    root: str
    store: FolderStore
    ledger: Ledger
    catalogue: Catalogue


@asynccontextmanager
async def open_archive(root: str, catalogue_url: str | None = None) -> AsyncIterator[Archive]:
    """Opens an archive, and makes it where there is none yet.

    Args:
        root: A folder's path, or its `file://` URL.
        catalogue_url: Database of catalogue and ledger; None for a SQLite file in the root.

    Raises:
        SetupError: The root or the database cannot be used.
        ArchiveError: The archive was made by a newer Kleinbild, or its `archive.json` is damaged.
    """
    folder = folder_of(root)
    store = await FolderStore.open(folder)
    catalogue = _shown_catalogue(catalogue_url)
    manifest = await _manifest_of(store, catalogue)
    if manifest.catalogue not in {None, catalogue}:
        raise SetupError(
            f"The archive at {folder} keeps its records and its ledger in {manifest.catalogue}, not in {catalogue}. "
            "With another ledger everything would be bought again: open it by its archive block."
        )
    async with open_database(catalogue_url or f"sqlite:///{folder / CATALOGUE_FILE}") as database:
        yield Archive(
            id=manifest.id,
            root=str(folder),
            store=store,
            ledger=Ledger(database),
            catalogue=Catalogue(database),
        )


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
            f"An archive cannot be opened at {scheme}:// yet: use a folder's path or its file:// URL. "
            "A mounted bucket is a folder too, where its mount keeps hard links or renames."
        )
    address = urlsplit(root)
    if address.netloc not in {"", "localhost"} or not address.path:
        raise SetupError(f"{root!r} names no folder of this machine: write file:///folder.")
    return Path(unquote(address.path)).absolute()


def _shown_catalogue(url: str | None) -> str:
    """Names a catalogue's database without its user and password."""
    if url is None:
        return CATALOGUE_FILE
    parts = parse_url(url)
    place = f"{parts.host or ''}{f':{parts.port}' if parts.port else ''}"
    return f"{parts.get_backend_name()}://{place}/{parts.database or ''}"


async def _manifest_of(store: FolderStore, catalogue: str) -> Manifest:
    """Reads `archive.json`; of many that open a new archive at once, one writes it and all read the same."""
    fresh = Manifest(format_version=FORMAT_VERSION, id=uuid.uuid4().hex, catalogue=catalogue)
    await store.put_if_absent(MANIFEST_KEY, f"{fresh.model_dump_json(indent=2)}\n".encode())
    try:
        manifest = Manifest.model_validate_json(await store.get(MANIFEST_KEY))
    except ValidationError as error:
        raise ArchiveError(
            f"{MANIFEST_KEY} in {store.root} is damaged: bring it back from a backup. "
            "The rest of the archive is as it was."
        ) from error
    if manifest.format_version > FORMAT_VERSION:
        raise ArchiveError(
            f"The archive in {store.root} has format {manifest.format_version}, made by a newer Kleinbild; "
            f"this one knows formats up to {FORMAT_VERSION}: update Kleinbild."
        )
    return manifest
