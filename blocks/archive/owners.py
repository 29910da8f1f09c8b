"""Who is at work: the runs that own shots, and whether one of them is gone, so that another may go on with its shots.

A run is gone when it said so, when its process no longer exists (which only its own machine can see), or when nobody
has heard of it for a while. Moments are taken from the database's clock, so that machines need not agree on the time.
Plain functions of a connection; the ledger runs each as one transaction.
"""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, func, select, update

from blocks.archive.schema import owners, shots
from blocks.archive.sql import insert_if_absent, now_of
from blocks.archive.states import OPEN_STATES
from blocks.errors import ArchiveError

LEASE_SECONDS = 30.0
"""A run that was not heard of for so long counts as gone."""

BEAT_SECONDS = 5.0
"""How often a run should be heard of: a few beats may be late before its lease ends."""

_LEASE = timedelta(seconds=LEASE_SECONDS)
_PROC = Path("/proc")


class Process(NamedTuple):
    """A process of this or another machine.

    Process ids mean something only within one boot of one machine and one namespace (a container has its own), and
    are used again: the start time tells two processes of one id apart. What a system does not say is None.
    """

    host: str
    boot_id: str | None
    pid_namespace: str | None
    pid: int
    process_started_ticks: int | None


def begin_run(connection: Connection, run_id: str) -> None:
    """Registers this process as the one where a run is at work.

    Raises:
        ArchiveError: There was a run of this id already.
    """
    now = now_of(connection)
    row = {"run_id": run_id, **_this_process()._asdict(), "started_at": now, "seen_at": now, "ended_at": None}
    if not insert_if_absent(connection, owners, row):
        raise ArchiveError(f"Run {run_id} has begun before: every run needs an id of its own.")


def beat(connection: Connection, run_id: str) -> None:
    """Says that a run is still at work.

    Raises:
        ArchiveError: It never began.
    """
    changed = connection.execute(update(owners).where(owners.c.run_id == run_id).values(seen_at=now_of(connection)))
    if changed.rowcount == 0:
        raise ArchiveError(f"Run {run_id} never began: register it first.")


def end_run(connection: Connection, run_id: str) -> None:
    """Says that a run has ended, so that nobody has to wait for it. Saying it twice changes nothing."""
    still = update(owners).where(owners.c.run_id == run_id, owners.c.ended_at.is_(None))
    connection.execute(still.values(ended_at=now_of(connection)))


def is_gone(connection: Connection, run_id: str) -> bool:
    """Says whether a run will do nothing more: what it left may be taken over."""
    row = connection.execute(select(owners).where(owners.c.run_id == run_id)).mappings().one_or_none()
    if row is None:
        return _is_forgotten(connection, run_id)
    return row["ended_at"] is not None or _has_no_process(row) or now_of(connection) - row["seen_at"] > _LEASE


def at_work(connection: Connection) -> tuple[str, ...]:
    """The runs that have begun and are not gone, the oldest first."""
    begun = select(owners.c.run_id).where(owners.c.ended_at.is_(None)).order_by(owners.c.started_at, owners.c.run_id)
    return tuple(run_id for run_id in connection.execute(begun).scalars().all() if not is_gone(connection, run_id))


def begun(connection: Connection) -> int:
    """How many runs have ever begun, whatever became of them."""
    return connection.scalar(select(func.count(owners.c.run_id))) or 0


def _is_forgotten(connection: Connection, run_id: str) -> bool:
    """Says of a run that was never registered whether it has touched none of its open shots for as long as a lease."""
    touched = select(func.max(shots.c.updated_at)).where(shots.c.run_id == run_id, shots.c.state.in_(OPEN_STATES))
    newest = connection.scalar(touched)
    return newest is None or now_of(connection) - newest > _LEASE


def _has_no_process(row: RowMapping) -> bool:
    """True where this machine knows that the run's process is no more; False also where it cannot know."""
    here = _this_process()
    if here.boot_id is None or here.pid_namespace is None:
        return False
    if (row["host"], row["boot_id"], row["pid_namespace"]) != (here.host, here.boot_id, here.pid_namespace):
        return False
    return not _is_alive(row["pid"], row["process_started_ticks"])


def _is_alive(pid: int, started_ticks: int | None) -> bool:
    """Says whether a process of this machine still runs, and is not another one that was given its id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it exists, and belongs to another user
        pass
    state, started = _state_and_start(pid)
    if state in {"Z", "X"}:  # killed, and not yet fetched by its parent
        return False
    return started_ticks is None or started is None or started == started_ticks


def _this_process() -> Process:
    return Process(
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        pid=os.getpid(),
        process_started_ticks=_state_and_start(os.getpid())[1],
    )


def _boot_id() -> str | None:
    """The id that Linux draws at each start of the machine."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None


def _pid_namespace() -> str | None:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return None


def _state_and_start(pid: int) -> tuple[str | None, int | None]:
    """The state and the start time of a process, in ticks since the machine's start (proc(5), fields 3 and 22)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text("utf-8", errors="replace")
    except OSError:
        return None, None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[0], int(fields[19])
