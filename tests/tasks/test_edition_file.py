"""What an edition consists of, in a file beside the catalogue."""

import asyncio
from pathlib import Path

from blocks.archive.archive import open_archive
from blocks.archive.catalogue import VerdictRow
from tasks.edition_file import EditionFile, edition_files, put_verdicts

ROUNDS = 12


def rows(number: int) -> list[VerdictRow]:
    return [
        VerdictRow(campaign="cards", edition="1", sha256=f"{place:064x}", kind="keeper", reason=f"{number}", rule="r")
        for place in range(number)
    ]


async def test_of_two_runs_that_end_at_once_catalogue_and_file_say_the_same(tmp_path: Path) -> None:
    """The file is what is left when the database is lost: a run that was overtaken must not leave its own there."""
    async with open_archive(str(tmp_path)) as one, open_archive(str(tmp_path)) as other:
        for number in range(ROUNDS):
            await asyncio.gather(
                put_verdicts("cards", "1", rows(number), one),
                put_verdicts("cards", "1", rows(number + ROUNDS), other),
            )
            known = await one.catalogue.verdicts_of("cards", "1")
            [(_, file)] = [each async for each in edition_files(one.store)]
            assert isinstance(file, EditionFile)
            assert file.verdicts == known
