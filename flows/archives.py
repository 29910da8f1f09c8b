"""Which archive a flow or a command means. One rule for all of them.

What is named counts: a block, a folder, or a saved block as `image-archive/NAME`. Otherwise the archive that the brief
names; otherwise the saved block `image-archive/default`; otherwise the folder `archive`. Credentials that were handed
over, such as the sandbox's, never lead to the saved block: pictures of a trial do not belong there.
"""

from pathlib import Path

from blocks.archive.block import ImageArchive
from blocks.errors import SetupError
from flows.accounts import BLOCK_NAME
from tasks.brief import RevisionBrief

DEFAULT_ARCHIVE = "archive"

_SLUG = "image-archive/"


async def archive_for(
    named: ImageArchive | Path | str | None, brief: RevisionBrief | None = None, *, may_be_saved: bool = True
) -> ImageArchive:
    """Finds the archive that is meant.

    Args:
        named: What the caller named.
        brief: The brief, which may name one.
        may_be_saved: Whether the saved default may be meant where nothing is named.

    Raises:
        SetupError: A saved block is named that does not exist.
    """
    if isinstance(named, ImageArchive):
        return named
    name = named if named is not None else None if brief is None else brief.archive
    if name is not None:
        return await _named(name)
    return (may_be_saved and await _saved(BLOCK_NAME)) or ImageArchive(root=DEFAULT_ARCHIVE)


async def existing_archive(named: ImageArchive | Path | str | None, *, may_be_saved: bool = True) -> ImageArchive:
    """Finds an archive that has to be there already.

    Raises:
        SetupError: There is none.
    """
    block = await archive_for(named, may_be_saved=may_be_saved)
    if not await block.is_made():
        raise SetupError(f"There is no archive at {block.root}. Say where it is with --archive.")
    return block


async def archive_if_any(named: ImageArchive | Path | str | None, *, may_be_saved: bool = True) -> ImageArchive | None:
    """Finds the archive that upkeep is for; None where it is not made yet.

    A schedule may begin before the first campaign has made its archive. A place that somebody has typed is another
    matter: it has to exist.

    Raises:
        SetupError: There is none at the place that was named.
    """
    if isinstance(named, Path | str):
        return await existing_archive(named, may_be_saved=may_be_saved)
    block = await archive_for(named, may_be_saved=may_be_saved)
    return block if await block.is_made() else None


async def _named(name: Path | str) -> ImageArchive:
    slug = name if isinstance(name, str) else ""
    if not slug.startswith(_SLUG):
        return ImageArchive(root=str(name))
    saved = await _saved(slug.removeprefix(_SLUG))
    if saved is None:
        raise SetupError(f"There is no saved block {name!r}. A folder of that name is written ./{name}.")
    return saved


async def _saved(name: str) -> ImageArchive | None:
    try:
        return await ImageArchive.aload(name)
    except ValueError:  # what Prefect raises when there is no such block
        return None
