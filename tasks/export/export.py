"""Archive -> dataset: picks pictures, copies them with their marks, and writes them in the format asked for."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from blocks.archive.archive import Archive
from blocks.errors import BriefError, SetupError
from blocks.provider import Frozen
from blocks.signing.key import SigningKey
from tasks.export.copies import Copier
from tasks.export.draft import Draft, drafted
from tasks.export.family import Family
from tasks.export.files import ExportedFile, write_file
from tasks.export.manifest import MANIFEST, REMARKS, Manifest, Order, contents_of, manifest_at
from tasks.export.place import place_for
from tasks.export.select import Chosen, select
from tasks.export.terms import Terms, check
from tasks.export.writer import open_writer
from tasks.provenance.signing import Signer, open_signer

OnProgress = Callable[[int, int], None]
"""Told how many pictures are done, and how many there are."""


class Exported(Frozen):
    """An export that is there, whole."""

    folder: str
    terms: Terms
    pictures: int
    files: int
    size_bytes: int
    without_prompt: int = 0
    """Pictures that could not take the prompt that was wished for: their providers signed them."""
    is_new: bool
    """False where it was there already, and nothing was done."""

    @property
    def left_out(self) -> str:
        """Says what was wished for and is not there, and what helps; empty where all is."""
        if not self.without_prompt:
            return ""
        return (
            f"The prompt is not in {self.without_prompt} of {self.pictures} pictures: their providers signed them, and "
            "XMP would break that. `--provenance full` writes it, and keeps what was received as an ingredient."
        )


async def export_pictures(
    archive: Archive,
    terms: Terms,
    target: Path | None = None,
    *,
    key: SigningKey | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Exported:
    """Exports pictures.

    Args:
        archive: Where they are.
        terms: Which ones, and how.
        target: A folder that does not exist yet, or is empty, or holds this very export. If left out, one in the
            archive's folder `exports` is named after what is in it.
        key: For provenance `full`.
        on_progress: Called after each picture.

    Raises:
        BriefError: No picture is meant, something else is in the folder, or the folder is in another export.
        SetupError: A library or a certificate is missing, the folder cannot be written, or none is named where the
            archive is a bucket.
        ArchiveError: A picture is damaged or cannot be marked as wished; nothing was exported.
    """
    check(terms)
    signing_key = _key_for(terms, key)
    chosen = await select(archive.catalogue, terms.filter)
    if not chosen:
        raise BriefError(f"Nothing in the archive {archive.root} matches: {terms.filter}.")
    order = Order(
        archive=archive.id,
        terms=terms,
        contents_sha256=contents_of(chosen),
        signed_with=signing_key and hashlib.sha256(signing_key.certificate_chain.encode()).hexdigest(),
    )
    place = await asyncio.to_thread(place_for, archive, order, target)
    if there := await asyncio.to_thread(manifest_at, place, order):
        return _exported(place, there, is_new=False)
    family = await Family.of((each.record for each in chosen), archive.catalogue)
    async with drafted(place) as draft:
        with _signing(signing_key) as signer:
            copier = Copier(archive, terms, family, signer, draft.aside)
            files = await _written(copier, chosen, family, terms, draft, on_progress)
        manifest = _manifest(order, chosen, files, copier.without_prompt)
        await asyncio.to_thread(_publish, draft, manifest)
    return _exported(place, manifest, is_new=True)


def _key_for(terms: Terms, key: SigningKey | None) -> SigningKey | None:
    """The key, where it is needed and nowhere else."""
    if terms.provenance != "full":
        return None
    if key is None:
        raise SetupError(
            "Provenance `full` signs each picture, and no certificate is saved: set KLEINBILD_SIGNING_KEY_FILE and "
            "KLEINBILD_SIGNING_CERTIFICATES_FILE, then run `python -m deployments.register`; or choose `xmp`."
        )
    return key


@contextmanager
def _signing(key: SigningKey | None) -> Iterator[Signer | None]:
    if key is None:
        yield None
        return
    with open_signer(key) as signer:
        yield signer


async def _written(
    copier: Copier,
    chosen: tuple[Chosen, ...],
    family: Family,
    terms: Terms,
    draft: Draft,
    on_progress: OnProgress,
) -> tuple[ExportedFile, ...]:
    """Writes all pictures, each in its turn, in a thread beside those that read and mark the next ones."""
    count = _Count(len(chosen) + (len(family.sources) if terms.provenance == "full" else 0), on_progress)
    await copier.sign_sources(count.one_more)
    writer = await asyncio.to_thread(open_writer, terms.format, draft.content, with_caption=terms.captions != "none")
    with ExitStack() as stack:
        stack.callback(writer.close)  # also after an error, and when the thread has come to rest
        thread = stack.enter_context(ThreadPoolExecutor(1, "export"))
        loop = asyncio.get_running_loop()
        async with aclosing(copier.copies(chosen)) as copies:
            async for copy in copies:
                await loop.run_in_executor(thread, writer.add, copy)
                count.one_more()
        return await loop.run_in_executor(thread, writer.close)


class _Count:
    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress

    def one_more(self) -> None:
        self._done += 1
        self._on_progress(self._done, self._total)


def _manifest(
    order: Order, chosen: tuple[Chosen, ...], files: tuple[ExportedFile, ...], without_prompt: int
) -> Manifest:
    return Manifest(
        made_at=datetime.now(UTC),
        order=order,
        remark=REMARKS[order.terms.provenance],
        pictures=len(chosen),
        without_prompt=without_prompt,
        size_bytes=sum(file.size_bytes for file in files),
        files=files,
    )


def _publish(draft: Draft, manifest: Manifest) -> None:
    write_file(draft.content, MANIFEST, manifest.text())
    draft.publish()


def _exported(place: Path, manifest: Manifest, *, is_new: bool) -> Exported:
    return Exported(
        folder=str(place),
        terms=manifest.order.terms,
        pictures=manifest.pictures,
        without_prompt=manifest.without_prompt,
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        is_new=is_new,
    )
