"""One attempt at one shot, in SQL: claiming it, taking its steps, reading it.

Each step is one conditional UPDATE (`WHERE shot_key AND attempt AND state IN ...`): what finds no row is refused, so
two workers can never both believe that a shot is theirs. Shots are locked before budgets, always, so that no two
transactions wait for each other. Plain functions of a connection; the ledger runs each as one transaction. Reading
the ledger: `lookup.py`.
"""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, NoReturn

from sqlalchemy import Connection, RowMapping, Update, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from blocks.archive import charges
from blocks.archive.entries import Claim, LedgerEntry, Reservation, entry_of
from blocks.archive.schema import past_attempts, shots
from blocks.archive.sql import insert_if_absent, now_of
from blocks.archive.states import SENT_STATES, ShotState, sources_of
from blocks.errors import IllegalTransition, JobTaken

FIRST_ATTEMPT = 1


class Rules(NamedTuple):
    """When a new attempt may begin at a shot that the ledger knows already."""

    retry_failed: bool
    resubmit_lost: bool
    take_over_from: str | None

    def allow(self, standing: RowMapping) -> bool:
        """Says whether the attempt that stands may give way to a new one."""
        match ShotState(standing["state"]):
            case ShotState.RELEASED:
                return True
            case ShotState.FAILED:
                return self.retry_failed
            case ShotState.LOST:
                return self.resubmit_lost
            case ShotState.RESERVED:
                return bool(standing["run_id"] == self.take_over_from)
            case _:
                return False


class Step(NamedTuple):
    """One step of one attempt. `settled_micro` is what its budgets are to count from now on; None leaves them."""

    shot_key: str
    attempt: int
    to: ShotState
    columns: dict[str, Any]
    settled_micro: int | None = None


def take_step(connection: Connection, step: Step) -> LedgerEntry:
    """Takes one step, and lets the budgets count what is settled by it.

    Raises:
        IllegalTransition: The shot is not where this step begins, or the attempt is not the newest.
        JobTaken: Its job belongs to another attempt.
    """
    now = now_of(connection)
    sent = {"sent_at": now} if step.to is ShotState.SENDING else {}
    row = _update(connection, step, {"updated_at": now, **sent, **step.columns})
    if row is None:
        _refuse(connection, step)
    if step.to is ShotState.RUNNING and _had_job_before(connection, row):
        raise _job_taken(step)
    if step.settled_micro is not None:
        charges.settle(connection, step.shot_key, step.attempt, step.settled_micro)
    return entry_of(row)


def _update(connection: Connection, step: Step, columns: dict[str, Any]) -> RowMapping | None:
    known = {"in_shot": step.shot_key, "in_attempt": step.attempt}
    try:
        return connection.execute(_step_statement(step.to), known | columns).mappings().one_or_none()
    except IntegrityError as error:
        if "job_id" not in step.columns:
            raise
        raise _job_taken(step) from error


@cache
def _step_statement(to: ShotState) -> Update:
    """The conditional UPDATE of a step; the columns that it sets beside the state come with its parameters."""
    return (
        update(shots)
        .where(
            shots.c.shot_key == bindparam("in_shot"),
            shots.c.attempt == bindparam("in_attempt"),
            shots.c.state.in_(sources_of(to)),
        )
        .values(state=to)
        .returning(*shots.c)
    )


def _had_job_before(connection: Connection, row: RowMapping) -> bool:
    """Says whether an attempt that gave way had this job: it failed, and is in the provider's list all the same.

    Asked after the update: from there on the index of jobs keeps everybody else from it.
    """
    same_job = and_(past_attempts.c.provider == row["provider"], past_attempts.c.job_id == row["job_id"])
    return connection.execute(select(past_attempts.c.attempt).where(same_job).limit(1)).first() is not None


def _job_taken(step: Step) -> JobTaken:
    job_id = step.columns["job_id"]
    return JobTaken(
        f"Job {job_id!r} belongs to another shot or attempt already, so it is not recorded for shot {step.shot_key}.",
        shot_key=step.shot_key,
        job_id=job_id,
    )


def _refuse(connection: Connection, step: Step) -> NoReturn:
    known = connection.execute(select(shots).where(shots.c.shot_key == step.shot_key)).mappings().one_or_none()
    job = f" Its job {step.columns['job_id']!r} is not recorded." if "job_id" in step.columns else ""
    if known is None:
        message = f"Shot {step.shot_key} is not in the ledger, so it cannot become {step.to}: reserve it first.{job}"
    else:
        message = (
            f"Shot {step.shot_key} is {known['state']} in attempt {known['attempt']}, "
            f"so attempt {step.attempt} cannot become {step.to}.{job}"
        )
    raise IllegalTransition(message, shot_key=step.shot_key)


def reserve(connection: Connection, reservation: Reservation, rules: Rules) -> Claim:
    """Inserts the shot, or begins a new attempt at it, and only then charges: a refusal of a budget undoes both."""
    row = _reservation_row(reservation, now_of(connection))
    if insert_if_absent(connection, shots, {**row, "attempt": FIRST_ATTEMPT, "created_at": row["updated_at"]}):
        charges.take(connection, reservation, FIRST_ATTEMPT)
        return Claim(won=True, entry=_entry_of(connection, reservation.shot_key))
    standing = _row_of(connection, reservation.shot_key)
    won = rules.allow(standing) and _begin_again(connection, standing, row)
    if won:
        freed_micro = _put_aside(connection, standing)
        charges.take(connection, reservation, standing["attempt"] + 1, freed_micro)
    return Claim(won=won, entry=_entry_of(connection, reservation.shot_key))


def _begin_again(connection: Connection, standing: RowMapping, row: dict[str, Any]) -> bool:
    """Puts a new attempt in the place of the standing one; False where somebody else was faster."""
    unchanged = and_(*(shots.c[name] == standing[name] for name in ("shot_key", "attempt", "state", "run_id")))
    changed = connection.execute(update(shots).where(unchanged).values({**row, "attempt": standing["attempt"] + 1}))
    return changed.rowcount > 0


def _put_aside(connection: Connection, standing: RowMapping) -> dict[str, int]:
    """Keeps an attempt that gave way as a past one; returns what its budgets need no longer count, by budget."""
    past = dict(standing)
    freed_micro: dict[str, int] = {}
    if standing["state"] == ShotState.RESERVED:  # taken over: nothing was sent
        past |= {"state": ShotState.RELEASED, "error_message": "taken over before it was sent"}
        freed_micro = charges.free(connection, standing["shot_key"], standing["attempt"])
    connection.execute(insert(past_attempts), past)
    return freed_micro


def take_charge(connection: Connection, shot_key: str, attempt: int, run_id: str, from_run_id: str) -> bool:
    """Makes one run the owner of what another one has sent; False where somebody else was faster."""
    left = and_(
        shots.c.shot_key == shot_key,
        shots.c.attempt == attempt,
        shots.c.run_id == from_run_id,
        shots.c.state.in_(SENT_STATES),
    )
    changed = connection.execute(update(shots).where(left).values(run_id=run_id, updated_at=now_of(connection)))
    return changed.rowcount > 0


def _reservation_row(reservation: Reservation, now: datetime) -> dict[str, Any]:
    """A fresh attempt's columns; the rest of a former one is cleared."""
    price = reservation.price
    return {
        "shot_key": reservation.shot_key,
        "provider": reservation.provider,
        "sandbox": reservation.sandbox,
        "request_json": reservation.request_json,
        "campaign": reservation.campaign,
        "edition": reservation.edition,
        "run_id": reservation.run_id,
        "state": ShotState.RESERVED,
        "reserved_amount": None if price is None else price.amount,
        "reserved_unit": None if price is None else price.unit,
        "billed_amount": None,
        "billed_unit": None,
        "job_id": None,
        "images_json": "[]",
        "error_code": None,
        "error_message": None,
        "retryable": None,
        "sent_at": None,
        "updated_at": now,
    }


def _row_of(connection: Connection, shot_key: str) -> RowMapping:
    return connection.execute(select(shots).where(shots.c.shot_key == shot_key)).mappings().one()


def _entry_of(connection: Connection, shot_key: str) -> LedgerEntry:
    return entry_of(_row_of(connection, shot_key))
