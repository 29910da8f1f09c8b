"""One attempt at one shot, in SQL: claiming it, taking its steps, reading it.

Each step is one conditional UPDATE (`WHERE shot_key AND attempt AND state IN ...`): what finds no row is refused, so
two workers can never both believe that a shot is theirs. Shots are locked before budgets, always, so that no two
transactions wait for each other. Plain functions of a connection; the ledger runs each as one transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, NoReturn

from sqlalchemy import Connection, RowMapping, Update, bindparam, case, insert, select, update

from blocks.archive import budgets
from blocks.archive.entries import Claim, LedgerEntry, Reservation, entry_of
from blocks.archive.schema import past_attempts, shots
from blocks.archive.sql import chunks, insert_if_absent
from blocks.archive.states import ShotState, sources_of
from blocks.errors import IllegalTransition

FIRST_ATTEMPT = 1


class Rules(NamedTuple):
    """When a new attempt may begin at a shot that the ledger knows already."""

    retry_failed: bool
    resubmit_lost: bool
    take_over_before: datetime | None

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
                return self.take_over_before is not None and standing["updated_at"] < self.take_over_before
            case _:
                return False


class Step(NamedTuple):
    """One step of one attempt. `settled_micro` is what the budget is to count from now on; None leaves it as it is."""

    shot_key: str
    attempt: int
    to: ShotState
    columns: dict[str, Any]
    settled_micro: int | None = None


def take_step(connection: Connection, step: Step) -> LedgerEntry:
    """Takes one step, and lets the budget count what is settled by it.

    Raises:
        IllegalTransition: The shot is not where this step begins, or the attempt is not the newest.
    """
    settles = step.settled_micro is not None
    parameters = {
        "in_shot": step.shot_key,
        "in_attempt": step.attempt,
        "updated_at": datetime.now(UTC),
        **step.columns,
        **({"settled_micro": step.settled_micro} if settles else {}),
    }
    row = connection.execute(_step_statement(step.to, settles), parameters).mappings().one_or_none()
    if row is None:
        _refuse(connection, step)
    if row["held_micro"] != row["charged_micro"]:
        budgets.adjust(connection, row["scope"], row["held_micro"] - row["charged_micro"])
    return entry_of(row)


@cache
def _step_statement(to: ShotState, settles: bool) -> Update:
    """The conditional UPDATE of a step; the columns that it sets beside the state come with its parameters."""
    statement = update(shots).where(
        shots.c.shot_key == bindparam("in_shot"),
        shots.c.attempt == bindparam("in_attempt"),
        shots.c.state.in_(sources_of(to)),
    )
    if settles:
        held = case((shots.c.scope.is_(None), 0), else_=bindparam("settled_micro"))
        statement = statement.values(held_micro=held)
    return statement.values(state=to).returning(*shots.c)


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
    """Inserts the shot, or begins a new attempt at it, and only then charges: a refusal of the budget undoes both."""
    row = _reservation_row(reservation)
    if not insert_if_absent(connection, shots, {**row, "attempt": FIRST_ATTEMPT, "created_at": row["updated_at"]}):
        standing = _row_of(connection, reservation.shot_key)
        if not (rules.allow(standing) and _begin_again(connection, standing, row)):
            return Claim(won=False, entry=entry_of(_row_of(connection, reservation.shot_key)))
    if reservation.charge is not None:
        budgets.charge(connection, reservation.charge, reservation.shot_key)
    return Claim(won=True, entry=entry_of(_row_of(connection, reservation.shot_key)))


def _begin_again(connection: Connection, standing: RowMapping, row: dict[str, Any]) -> bool:
    """Puts a new attempt in the place of the standing one, which becomes a past one; False where somebody else did."""
    changed = connection.execute(
        update(shots).where(
            shots.c.shot_key == bindparam("in_shot"),
            shots.c.attempt == bindparam("in_attempt"),
            shots.c.state == bindparam("in_state"),
        ),
        {
            "in_shot": standing["shot_key"],
            "in_attempt": standing["attempt"],
            "in_state": standing["state"],
            **row,
            "attempt": standing["attempt"] + 1,
        },
    )
    if changed.rowcount == 0:
        return False
    past = dict(standing)
    if standing["state"] == ShotState.RESERVED:  # taken over: nothing was sent
        past |= {"state": ShotState.RELEASED, "held_micro": 0, "error_message": "taken over before it was sent"}
        if standing["scope"] is not None:
            budgets.adjust(connection, standing["scope"], -standing["held_micro"])
    connection.execute(insert(past_attempts), past)
    return True


def _reservation_row(reservation: Reservation) -> dict[str, Any]:
    """A fresh attempt's columns; the rest of a former one is cleared."""
    price, charge = reservation.price, reservation.charge
    micro = 0 if charge is None else budgets.to_micro(charge.amount)
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
        "scope": None if charge is None else charge.scope,
        "charged_micro": micro,
        "held_micro": micro,
        "job_id": None,
        "images_json": "[]",
        "error_code": None,
        "error_message": None,
        "sent_at": None,
        "updated_at": datetime.now(UTC),
    }


def _row_of(connection: Connection, shot_key: str) -> RowMapping:
    return connection.execute(select(shots).where(shots.c.shot_key == shot_key)).mappings().one()


def find(connection: Connection, shot_keys: list[str]) -> dict[str, LedgerEntry]:
    """The newest attempts at these shots, by shot key."""
    found: dict[str, LedgerEntry] = {}
    for chunk in chunks(shot_keys):
        rows = connection.execute(select(shots).where(shots.c.shot_key.in_(chunk))).mappings()
        found |= {row["shot_key"]: entry_of(row) for row in rows}
    return found


def in_states(connection: Connection, states: Sequence[ShotState]) -> tuple[LedgerEntry, ...]:
    """All shots in one of these states, the oldest first."""
    oldest_first = select(shots).where(shots.c.state.in_(states)).order_by(shots.c.created_at, shots.c.shot_key)
    return tuple(entry_of(row) for row in connection.execute(oldest_first).mappings())


def past_attempts_of(connection: Connection, shot_key: str) -> tuple[LedgerEntry, ...]:
    """The attempts at a shot that gave way to newer ones, in their order."""
    statement = select(past_attempts).where(past_attempts.c.shot_key == shot_key).order_by(past_attempts.c.attempt)
    return tuple(entry_of(row) for row in connection.execute(statement).mappings())
