"""A process that brings one picture home as a run does, and freezes itself (SIGSTOP) at a moment that it is told.

`python -m tests.chaos.frozen_writer ROOT MOMENT RECORD PICTURE`: the last two are files.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from blocks.archive.archive import Archive, open_archive
from blocks.archive.layout import object_key, record_key
from blocks.archive.ledger import Reservation
from tasks.models import ImageRecord
from tasks.records import catalogue_entry

RUN = "frozen"
HALF_WRITTEN, BEFORE_RECORD, BEFORE_ROW = "half-written", "before-record", "before-row"


async def bring_home(archive: Archive, moment: str, record: ImageRecord, data: bytes) -> None:
    await _sent(archive, record)
    if moment == HALF_WRITTEN:
        _freeze_before_the_name_is_given()
    await archive.store.put_if_absent(object_key(record.sha256), data)
    _freeze(moment == BEFORE_RECORD)
    await archive.store.put_if_absent(record_key(record.sha256), record.model_dump_json().encode())
    _freeze(moment == BEFORE_ROW)
    await archive.catalogue.add([catalogue_entry(record)])
    await archive.ledger.mark_done(record.shot_key, 1, [record.sha256])
    await archive.ledger.end_run(RUN)


async def _sent(archive: Archive, record: ImageRecord) -> None:
    await archive.ledger.begin_run(RUN)
    reservation = Reservation(
        shot_key=record.shot_key,
        provider=record.provider,
        sandbox=True,
        request_json="{}",
        campaign=record.campaign,
        edition=record.edition,
        run_id=RUN,
    )
    await archive.ledger.reserve(reservation)
    await archive.ledger.mark_sending(record.shot_key, 1)
    await archive.ledger.mark_running(record.shot_key, 1, record.job_id)


def _freeze_before_the_name_is_given() -> None:
    link = os.link

    def frozen_link(source: Path, target: Path) -> None:
        os.link = link
        _freeze(True)
        link(source, target)

    os.link = frozen_link  # type: ignore[assignment]  # two arguments are all that is used


def _freeze(is_now: bool) -> None:
    if is_now:
        os.kill(os.getpid(), signal.SIGSTOP)


async def main(root: str, moment: str, record: ImageRecord, data: bytes) -> None:
    async with open_archive(root) as archive:
        await bring_home(archive, moment, record, data)


if __name__ == "__main__":
    where, when, record_file, picture_file = sys.argv[1:]
    made = ImageRecord.model_validate_json(Path(record_file).read_bytes())
    asyncio.run(main(where, when, made, Path(picture_file).read_bytes()))
