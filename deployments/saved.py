"""What is saved on the Prefect server, and how a block that is saved anew keeps what a person has typed there."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from prefect.blocks.core import Block

from blocks.archive.archive import folder_of
from blocks.archive.block import ImageArchive
from blocks.archive.bucket import bucket_of
from blocks.errors import ArchiveError, SetupError
from blocks.scenario.credentials import ScenarioCredentials
from blocks.signing.block import SigningCertificate
from blocks.sunra.credentials import SunraCredentials
from deployments.limits import AccountCredentials
from flows.accounts import BLOCK_NAME, sandbox_credentials

AnyBlock = TypeVar("AnyBlock", bound=Block)

_ACCOUNTS: tuple[type[AccountCredentials], ...] = (ScenarioCredentials, SunraCredentials)
ATTENTION = "ATTENTION:"
"""Begins what somebody should look at."""

_CAPS = ("cap_per_day", "cap_per_month", "cap_unit")


async def saved_block(kind: type[AnyBlock]) -> AnyBlock | None:
    """Loads the block of this kind that flows use; None where none is saved."""
    try:
        block = await kind.aload(BLOCK_NAME)
    except ValueError:  # what Prefect raises when there is no such block
        return None
    return block if isinstance(block, kind) else None


async def accounts_without_keys(blocks: Sequence[Block] = ()) -> tuple[type[AccountCredentials], ...]:
    """Lists the accounts whose keys are neither among these blocks nor saved: the sandbox may stand in for them."""
    given = {type(block) for block in blocks}
    return tuple([kind for kind in _ACCOUNTS if kind not in given and not await _has_real_keys(kind)])


async def _has_real_keys(kind: type[AccountCredentials]) -> bool:
    saved = await saved_block(kind)
    return saved is not None and not saved.sandbox


def stand_ins(kinds: Collection[type[AccountCredentials]], url: str) -> list[Block]:
    """Makes credentials for the sandbox at this address, for these accounts alone."""
    return [block for block in sandbox_credentials(url) if type(block) in kinds]


async def completed(block: AnyBlock) -> AnyBlock:
    """Takes what was not said from what is saved: caps, limits, prices and deadlines that a person set are not lost."""
    saved = await saved_block(type(block))
    if saved is None:
        return block
    unsaid = set(_lasting_fields(saved, block)) - block.model_fields_set
    return block.model_copy(update={name: getattr(saved, name) for name in unsaid})


def _lasting_fields(saved: Block, given: Block) -> Iterable[str]:
    """Names the fields that mean the same for what is saved and for what is given."""
    everything = type(given).model_fields
    match (saved, given):
        case (ImageArchive(), ImageArchive()):  # a cap outlives its archive: dropped in silence, it would cost money
            return everything if _is_same_place(saved.root, given.root) else _CAPS
        case (ScenarioCredentials() | SunraCredentials(), ScenarioCredentials() | SunraCredentials()):
            return everything if saved.sandbox == given.sandbox else ()
        case (SigningCertificate(), SigningCertificate()):  # the algorithm fits one key
            return everything if saved.private_key == given.private_key else ()
    return ()


def kept_caps(given: ImageArchive, archive: ImageArchive) -> str:
    """Says which caps an archive has that it was not given; nothing where there are none."""
    caps = {"day": archive.cap_per_day, "month": archive.cap_per_month}
    kept = [
        f"{cap} {archive.cap_unit} per {period}"
        for period, cap in caps.items()
        if cap is not None and f"cap_per_{period}" not in given.model_fields_set
    ]
    return f"kept caps on spending: {', '.join(kept)}" if kept else ""


async def with_id(archive: ImageArchive) -> tuple[ImageArchive, str]:
    """Fills in the id of an archive that is there, so that another one, or none, will not be taken for it.

    An id that is saved stays: which of two archives is meant, a person says.

    Returns:
        The block, and what is to be said; nothing where all is as it was, or nothing is there yet.
    """
    try:
        if archive.archive_id is not None:
            await archive.is_made()
            return archive, ""
        there = await archive.id_there()
    except (SetupError, ArchiveError) as error:  # not there, or keys that are not here, a bucket that does not answer
        return archive, f"{ATTENTION} {error}"
    if there is None:
        return archive, ""
    known = archive.model_copy(update={"archive_id": there})
    return known, f"knows the archive at {archive.place} by its id, {there}"


def one_root(root: str) -> str:
    """Writes the root of an archive in the one way that means the same in every folder.

    Raises:
        SetupError: It names nothing that an archive can be in.
    """
    bucket = bucket_of(root)
    return str(folder_of(root)) if bucket is None else bucket.root


def _is_same_place(saved: str, given: str) -> bool:
    try:
        return _place(saved) == _place(given)
    except SetupError:  # something that never worked was typed into the UI
        return False


def _place(root: str) -> Path | str:
    bucket = bucket_of(root)
    return folder_of(root).resolve() if bucket is None else bucket.root
