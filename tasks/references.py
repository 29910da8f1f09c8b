"""Reference pictures: read from files or URLs, checked, kept in the archive, known by the SHA-256 of their bytes."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from blocks.archive.store import Store
from blocks.errors import BadPicture, BriefError, ProviderError
from blocks.http import build_downloader, download_picture, redact_url
from tasks.brief import ReferenceSource, RevisionBrief
from tasks.checks import decode_and_check
from tasks.models import ReferenceUse, sha256_of
from tasks.trash import keep_bytes

MAX_REFERENCE_SIZE_BYTES = 50 * 1024 * 1024
FETCH_TIMEOUT_SECONDS = 60.0

References = tuple[ReferenceUse, ...]


async def read_references(brief: RevisionBrief) -> tuple[tuple[ReferenceUse, bytes], ...]:
    """Reads and checks every reference of a brief that is used, before anything is spent.

    Raises:
        BriefError: A file is missing, a URL does not answer, or what is there is no picture.
    """
    used = {role for _, settings in brief.stages() for role in settings.references}
    wanted = [reference for reference in brief.references if reference.role in used]
    return tuple(await asyncio.gather(*(_read(reference) for reference in wanted)))


async def keep_references(read: Iterable[tuple[ReferenceUse, bytes]], store: Store) -> References:
    """Stores the bytes of references, so that a year later they are still what the pictures were made from."""
    kept = []
    for use, data in read:
        await keep_bytes(use.sha256, data, store)
        kept.append(use)
    return tuple(kept)


def in_roles(references: References, roles: Iterable[str]) -> References:
    """Picks references by role, in the order in which a prompt counts them."""
    by_role = {reference.role: reference for reference in references}
    return tuple(by_role[role] for role in roles)


async def _read(reference: ReferenceSource) -> tuple[ReferenceUse, bytes]:
    where = f"references.{reference.role}"
    if reference.is_url:
        shown_as, data = redact_url(reference.source), await _fetch(where, reference.source)
    else:
        shown_as, data = Path(reference.source).name, await _read_file(where, Path(reference.source))
    try:
        await asyncio.to_thread(decode_and_check, data, shown_as)
    except BadPicture as error:
        raise BriefError(f"{where}: {error}", where=where) from error
    return ReferenceUse(role=reference.role, sha256=sha256_of(data)), data


async def _read_file(where: str, path: Path) -> bytes:
    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_REFERENCE_SIZE_BYTES + 1)

    try:
        data = await asyncio.to_thread(read)
    except FileNotFoundError as error:
        raise BriefError(f"{where}: there is no file at {path}.", where=where) from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise BriefError(f"{where}: {str(path)!r} cannot be read: {error}.", where=where) from error
    if len(data) > MAX_REFERENCE_SIZE_BYTES:
        raise BriefError(f"{where}: {path} is larger than {MAX_REFERENCE_SIZE_BYTES} bytes.", where=where)
    return data


async def _fetch(where: str, url: str) -> bytes:
    try:
        async with build_downloader(timeout_seconds=FETCH_TIMEOUT_SECONDS, max_connections=1) as client:
            picture = await download_picture(
                client,
                "The brief",
                url,
                max_size_bytes=MAX_REFERENCE_SIZE_BYTES,
                deadline_seconds=FETCH_TIMEOUT_SECONDS,
            )
    except ProviderError as error:
        raise BriefError(f"{where}: {error}", where=where) from error
    return picture.data
