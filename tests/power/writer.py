"""The process whose power is cut: it buys pictures that nobody drew, and says of each step when it is durable.

What it says goes to standard output, line by line: `object KEY`, `state SHOT STATE`, `member SHOT`, `sheet NUMBER`.
"""

import asyncio
import hashlib
import itertools
import os
import random
import sys
from decimal import Decimal
from typing import Literal, get_args

from blocks.archive import durable, sqlite
from blocks.archive.archive import Archive, open_archive
from blocks.archive.layout import object_key, record_key
from blocks.archive.ledger import Charge, Reservation
from blocks.provider import Money

Style = Literal["as it is", "no fsync", "no folder fsync"]
"""How the product is run: as it is, or crippled, to show that the test would notice."""

WORKERS = 4
SHEET_KEY = "sheets/index.html"
SHEET_LINES = 2000


def say(*words: object) -> None:
    """Says that something is durable."""
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


def cripple(style: Style) -> None:
    """Takes away what makes writes durable."""
    if style == "no fsync":
        setattr(os, "fsync", lambda _: None)  # noqa: B010  # an assignment would need an ignore
        setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA synchronous = OFF"))  # noqa: B010  # likewise
    elif style == "no folder fsync":
        setattr(durable, "sync_folder", lambda _: None)  # noqa: B010  # likewise


async def work(root: str) -> None:
    """Writes until it is killed."""
    async with open_archive(root) as archive:
        await archive.ledger.open_budget("day", Money(amount=Decimal(1_000_000), unit="USD"))
        say("archive", archive.id)
        await asyncio.gather(*(_buy(archive, worker) for worker in range(WORKERS)), _replace_sheets(archive))


async def _buy(archive: Archive, worker: int) -> None:
    for number in itertools.count():
        data = random.randbytes(random.randint(1, 40_000))
        sha256 = hashlib.sha256(data).hexdigest()
        shot = hashlib.sha256(f"{worker}/{number}/{sha256}".encode()).hexdigest()
        await _reserve(archive, shot)
        await _to(archive, shot, sha256, data)
        await archive.catalogue.add_members("campaign", "edition", [(shot, number, 0)])
        say("member", shot)


async def _reserve(archive: Archive, shot: str) -> None:
    price = Decimal("0.01")
    await archive.ledger.reserve(
        Reservation(
            shot_key=shot,
            provider="scenario",
            sandbox=True,
            request_json="{}",
            campaign="campaign",
            edition="edition",
            run_id="run",
            price=Money(amount=price, unit="USD"),
            charges=(Charge(scope="day", amount=price),),
        )
    )
    say("state", shot, "reserved")


async def _to(archive: Archive, shot: str, sha256: str, data: bytes) -> None:
    await archive.ledger.mark_sending(shot, 1)
    say("state", shot, "sending")
    await archive.ledger.mark_running(shot, 1, f"job-{shot}")
    say("state", shot, "running")
    for key, content in ((object_key(sha256), data), (record_key(sha256), f'{{"of": "{sha256}"}}'.encode())):
        await archive.store.put_if_absent(key, content)
        say("object", key)
    await archive.ledger.mark_done(shot, 1, [sha256])
    say("state", shot, "done")


async def _replace_sheets(archive: Archive) -> None:
    for number in itertools.count(1):
        await archive.store.put(SHEET_KEY, f"{number}\n".encode() * SHEET_LINES)
        say("sheet", number)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    root, style = sys.argv[1:]
    cripple(next(each for each in get_args(Style) if each == style))
    asyncio.run(work(root))
