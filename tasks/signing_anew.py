"""Signs the pictures of an archive anew that have no signature, or one of another rule, batch by batch."""

import asyncio

from blocks.archive.archive import Archive
from blocks.archive.layout import object_key
from blocks.archive.signatures import Signature
from blocks.errors import ArchiveError, BadPicture
from blocks.provider import Frozen
from tasks.care.findings import Finding, FindingKind
from tasks.care.verify import DECODERS, Progress
from tasks.checks import decode_and_sign
from tasks.signature import SIGNATURE_RULE, is_comparable, packed

BATCH = 64
"""Pictures whose signatures are written together: so much work at most is lost with the machine."""


class SignedAnew(Frozen):
    """What came of signing."""

    signed: int
    unreadable: tuple[Finding, ...] = ()
    """Pictures whose bytes are gone or broken: they keep what they had."""


async def sign_anew(archive: Archive, *, on_progress: Progress = lambda done, due: None) -> SignedAnew:
    """Signs what today's rule has not signed. What is signed already is not read, so it may be stopped at any time.

    Raises:
        ArchiveError: The database cannot be read or written.
    """
    due = sorted(await archive.catalogue.sha256s() - await _signed(archive))
    decoders = asyncio.Semaphore(DECODERS)
    signed, unreadable = 0, list[Finding]()
    for start in range(0, len(due), BATCH):
        batch = due[start : start + BATCH]
        made = await asyncio.gather(*(_sign(sha256, archive, decoders) for sha256 in batch))
        signatures = [each for each in made if isinstance(each, Signature)]
        await archive.catalogue.put_signatures(signatures)
        signed += len(signatures)
        unreadable += [each for each in made if isinstance(each, Finding)]
        on_progress(start + len(batch), len(due))
    return SignedAnew(signed=signed, unreadable=tuple(unreadable))


async def _signed(archive: Archive) -> frozenset[str]:
    rows = await archive.catalogue.signatures()
    return frozenset(
        each.sha256 for each in rows if each.rule == SIGNATURE_RULE and is_comparable(each.rule, each.signature)
    )


async def _sign(sha256: str, archive: Archive, decoders: asyncio.Semaphore) -> Signature | Finding:
    key = object_key(sha256)
    async with decoders:
        try:
            data = await archive.store.get(key)
            made = await asyncio.to_thread(decode_and_sign, data, f"Picture {sha256[:12]}")
        except (ArchiveError, BadPicture) as error:
            return Finding(kind=FindingKind.UNREADABLE, key=key, detail=str(error))
    return Signature(sha256, made.rule, packed(made))
