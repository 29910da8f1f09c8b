"""Takes out of an archive what nothing names."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from flows.archives import existing_archive
from flows.care.tables import publish_swept
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.care.sweep import GRACE, Swept, sweep
from tasks.steps import Steps

GRACE_DAYS = GRACE.days


@runnable(name="gc")
async def gc(
    yes: bool = False,
    grace_days: Annotated[int, Field(ge=0)] = GRACE_DAYS,
    archive: ArchiveInput = None,
) -> Swept:
    """Moves what nothing names into the trash; what has been there for long enough is deleted for good.

    Says only what it would do, unless it is told to do it. Refuses while a run is at work. Buys nothing.

    Args:
        yes: Do it.
        grace_days: How long pictures stay in the trash before they are deleted.
        archive: Where they are. If left out: the saved block named default, or the folder named archive.

    Raises:
        ArchiveError: Runs are at work, shots are under way, or a record cannot be read.
        SetupError: There is no archive.
    """
    block = await existing_archive(archive)
    async with block.open() as opened:
        swept = await sweep(opened, grace=timedelta(days=grace_days), is_dry=not yes, on_progress=Steps("read"))
    await publish_swept(swept)
    await keep_history()
    return swept
