"""Rebuilds an archive's catalogue from its records."""

from flows.archives import existing_archive
from flows.care.tables import publish_rebuilt
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.care.rebuild import Rebuilt
from tasks.care.rebuild import rebuild as make_rows
from tasks.steps import Steps


@runnable(name="rebuild")
async def rebuild(archive: ArchiveInput = None) -> Rebuilt:
    """Makes the database anew from what lies in the archive: images, editions, verdicts, finished shots. Buys nothing.

    What the database knows of editions, verdicts and money stays. What a lost one knew of shots that had failed, were
    lost or under way cannot be known again. Safe while campaigns run.

    Args:
        archive: Where the records are. If left out: the saved block named default, or the folder named archive.

    Raises:
        SetupError: There is no archive.
    """
    block = await existing_archive(archive)
    async with block.open() as opened:
        rebuilt = await make_rows(opened, on_progress=Steps("rebuilt"))
    await publish_rebuilt(rebuilt)
    await keep_history()
    return rebuilt
