import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from blocks.archive import owners
from blocks.archive.database import Database
from blocks.archive.ledger import BEAT_SECONDS, LEASE_SECONDS, Ledger, Reservation
from blocks.archive.schema import owners as owners_table
from blocks.archive.schema import shots
from blocks.archive.sql import now_of
from blocks.errors import ArchiveError
from tests.blocks.archive.conftest import WITH_POSTGRES

LEASE = timedelta(seconds=LEASE_SECONDS)
NOBODY = 2**22 + 1
"""No process has this id: Linux gives none above 2**22."""

WORK = """
import asyncio, sys
from blocks.archive.database import open_database
from blocks.archive.ledger import Ledger, Reservation

async def main(url):
    async with open_database(url) as database:
        ledger = Ledger(database)
        await ledger.begin_run("child")
        await ledger.reserve(Reservation(shot_key="shot", provider="sunra", sandbox=True, request_json="{}",
            campaign="c", edition="e", run_id="child"))
        print("at work", flush=True)
        sys.stdin.readline()

asyncio.run(main(sys.argv[1]))
"""


async def change(database: Database, run_id: str, **columns: Any) -> None:
    """Changes what is known of a run, behind the ledger's back."""
    statement = update(owners_table).where(owners_table.c.run_id == run_id).values(columns)
    await database.write(lambda connection: connection.execute(statement))


async def change_age(database: Database, run_id: str, age: timedelta) -> None:
    """Makes a run one that was last heard of so long ago."""
    now = await database.read(now_of)
    await change(database, run_id, seen_at=now - age)


async def test_a_run_at_work_is_not_gone_until_it_ends(ledger: Ledger) -> None:
    """Who says that it has ended need not be waited for; beats that come late do not bring it back."""
    await ledger.begin_run("run")
    assert not await ledger.is_gone("run")
    await ledger.beat("run")
    assert not await ledger.is_gone("run")
    await ledger.end_run("run")
    assert await ledger.is_gone("run")
    await ledger.beat("run")
    await ledger.end_run("run")
    assert await ledger.is_gone("run")


async def test_a_killed_process_is_gone_at_once(
    database_url: str, ledger: Ledger, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    """After kill -9 nobody waits for a lease: not while the dead process waits for its parent, and not after."""
    child = start_process(WORK, database_url)
    assert child.stdout is not None
    assert child.stdout.readline() == "at work\n"
    assert not await ledger.is_gone("child")
    child.send_signal(signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert await ledger.is_gone("child")
    child.wait(30)
    assert await ledger.is_gone("child")
    entry = await ledger.get("shot")
    assert entry is not None
    assert entry.run_id == "child"


async def test_a_process_id_that_is_used_again_is_not_mistaken(ledger: Ledger, database: Database) -> None:
    """Another process that was given the id of a dead one does not keep its run alive."""
    await ledger.begin_run("run")
    await change(database, "run", process_started_ticks=1)
    assert await ledger.is_gone("run")


async def test_processes_of_other_users_are_alive(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """That we may not touch a process says that it exists."""

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    await ledger.begin_run("run")
    monkeypatch.setattr(os, "kill", refuse)
    assert not await ledger.is_gone("run")


@pytest.mark.parametrize("elsewhere", ["host", "boot_id", "pid_namespace"])
async def test_processes_elsewhere_are_judged_by_their_lease_alone(
    ledger: Ledger, database: Database, elsewhere: str
) -> None:
    """Process ids of another machine, of an earlier start of it or of another container mean nothing here."""
    await ledger.begin_run("run")
    await change(database, "run", pid=NOBODY)
    assert await ledger.is_gone("run")
    await change(database, "run", **{elsewhere: "another"})
    assert not await ledger.is_gone("run")
    await change_age(database, "run", LEASE + timedelta(seconds=1))
    assert await ledger.is_gone("run")


async def test_where_the_system_tells_no_boot_the_lease_decides(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without /proc (macOS, Windows) no process is looked for: equal host names are no proof of one machine."""
    monkeypatch.setattr(owners, "_PROC", tmp_path)
    await ledger.begin_run("run")
    row = await database.read(lambda connection: connection.execute(select(owners_table)).mappings().one())
    known = (row["boot_id"], row["pid_namespace"], row["pid"], row["process_started_ticks"])
    assert known == (None, None, os.getpid(), None)
    await change(database, "run", pid=NOBODY)
    assert not await ledger.is_gone("run")
    await change_age(database, "run", LEASE + timedelta(seconds=1))
    assert await ledger.is_gone("run")


async def test_a_beat_renews_the_lease(ledger: Ledger, database: Database) -> None:
    """A run that nobody heard of for too long counts as gone, and as at work again as soon as it says so."""
    await ledger.begin_run("run")
    await change_age(database, "run", LEASE - timedelta(seconds=10))
    assert not await ledger.is_gone("run")
    await change_age(database, "run", LEASE + timedelta(seconds=1))
    assert await ledger.is_gone("run")
    await ledger.beat("run")
    assert not await ledger.is_gone("run")


async def test_several_beats_fit_into_a_lease() -> None:
    """One late beat does not end a lease."""
    assert BEAT_SECONDS * 4 < LEASE_SECONDS


async def test_a_run_that_never_registered_is_judged_by_its_shots(ledger: Ledger, database: Database) -> None:
    """Archives from before owners were known: their open shots are left alone for as long as a lease."""
    await ledger.reserve(
        Reservation(
            shot_key="shot",
            provider="sunra",
            sandbox=True,
            request_json="{}",
            campaign="c",
            edition="e",
            run_id="unknown",
        )
    )
    assert not await ledger.is_gone("unknown")
    now = await database.read(now_of)
    old = update(shots).values(updated_at=now - LEASE - timedelta(seconds=1))
    await database.write(lambda connection: connection.execute(old))
    assert await ledger.is_gone("unknown")
    assert await ledger.is_gone("without any shot")


async def test_every_run_has_an_id_of_its_own(ledger: Ledger) -> None:
    """Two processes under one id could not be told apart; a beat of a run that never began is a mistake."""
    await ledger.begin_run("run")
    with pytest.raises(ArchiveError, match="Run run has begun before"):
        await ledger.begin_run("run")
    with pytest.raises(ArchiveError, match="Run other never began"):
        await ledger.beat("other")


@pytest.mark.parametrize("database_url", [WITH_POSTGRES], indirect=True)
async def test_machines_need_not_agree_on_the_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a database that many machines share, its clock is the one that counts, for runs and for their shots."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2001, 1, 1, tzinfo=UTC)

    unregistered = Reservation(
        shot_key="shot", provider="sunra", sandbox=True, request_json="{}", campaign="c", edition="e", run_id="other"
    )
    with monkeypatch.context() as patch:
        patch.setattr("blocks.archive.sql.datetime", WrongClock)
        await ledger.begin_run("run")
        await ledger.beat("run")
        await ledger.reserve(unregistered)
    assert not await ledger.is_gone("run")
    assert not await ledger.is_gone("other")
