"""What an edition of a campaign consists of and what was said of its pictures, as one file beside the catalogue.

The catalogue is asked; the file is for the day when its database is lost. Records tell what was made, but neither
which pictures repeat others nor that a campaign shares shots that another one bought.
"""

from collections.abc import AsyncIterator, Iterable

from blocks.archive.archive import Archive
from blocks.archive.catalogue import Member, VerdictRow
from blocks.archive.layout import edition_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.models import sha256_of
from tasks.versioned import read_versioned

EDITION_FORMAT = 1
"""Version of these files. It only grows."""

_DIGITS = 20


class EditionFile(Frozen):
    """An edition of a campaign: its shots, and the verdicts on its pictures."""

    format: int = EDITION_FORMAT
    campaign: str
    edition: str
    members: tuple[Member, ...]
    verdicts: tuple[VerdictRow, ...]


async def put_verdicts(campaign: str, edition: str, given: Iterable[VerdictRow], archive: Archive) -> None:
    """Replaces all verdicts of an edition of a campaign: in the catalogue, and in the edition's file.

    Of two runs that do so at once, the catalogue has what the later one says; the file says the same in the end.

    Raises:
        ArchiveError: A verdict belongs to another edition, or the archive cannot be written.
    """
    await archive.catalogue.put_verdicts(campaign, edition, given)
    written, known = None, await _known(campaign, edition, archive)
    while written != known:  # somebody else wrote between the question and the answer
        await archive.store.put(file_key(campaign, edition), f"{known.model_dump_json(indent=1)}\n".encode())
        written, known = known, await _known(campaign, edition, archive)


async def _known(campaign: str, edition: str, archive: Archive) -> EditionFile:
    members = await archive.catalogue.members_of(campaign, edition)
    verdicts = await archive.catalogue.verdicts_of(campaign, edition)
    return EditionFile(campaign=campaign, edition=edition, members=members, verdicts=verdicts)


def file_key(campaign: str, edition: str) -> str:
    """Key of the file of an edition."""
    return edition_key(sha256_of(f"{campaign}\n{edition}".encode())[:_DIGITS])


async def edition_files(store: Store) -> AsyncIterator[tuple[str, EditionFile | str]]:
    """Reads the files of all editions, each with its key; for one that cannot be read, why.

    Raises:
        ArchiveError: The store cannot be listed.
    """
    async for key in store.list("editions/"):
        try:
            yield key, read_versioned(EditionFile, EDITION_FORMAT, key, await store.get(key))
        except ArchiveError as error:
            yield key, str(error)
