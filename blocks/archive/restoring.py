"""Puts back into the ledger what records say of it, where the database was lost and with it every shot.

Plain functions of a connection; the ledger runs each as one transaction. What the ledger knows of a shot always counts
for more than what is put back: a row that is there stays.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection, select, update

from blocks.archive import budgets
from blocks.archive.attempts import FIRST_ATTEMPT
from blocks.archive.entries import LedgerEntry, entry_of
from blocks.archive.schema import charges, images, shots
from blocks.archive.sql import chunks, insert_if_absent, inserted_of, now_of
from blocks.archive.states import ShotState
from blocks.provider import Frozen, Money

RESTORED_RUN = "restored from records"
"""Owner of what was put back: no run has this name, so that all of it may be taken over."""


_CLOSED = (ShotState.FAILED, ShotState.DONE)


class RestoredShot(Frozen):
    """A shot as its records, or what lies in quarantine, say that it was bought.

    `running` is one whose pictures are not all here: a later run collects its job once more, which buys nothing.
    """

    shot_key: str
    provider: str
    sandbox: bool
    request_json: str = Field(repr=False)
    campaign: str
    edition: str
    state: Literal[ShotState.DONE, ShotState.RUNNING]
    job_id: str
    images: tuple[str, ...] = Field(description="SHA-256s, in the order of the job's outputs.")
    price: Money | None = Field(description="What it cost, as far as anything says so.")
    made_at: datetime


def is_blank(connection: Connection) -> bool:
    """Says whether no shot is known at all: the database is new, or was lost."""
    return connection.execute(select(shots.c.shot_key).limit(1)).first() is None


def unknown_shots(connection: Connection, after: str, limit: int) -> dict[str, tuple[str, ...]]:
    """The pictures of shots that the ledger does not know, by shot key: the first so many behind `after`."""
    unknown = select(images.c.shot_key).where(images.c.shot_key > after)
    unknown = unknown.where(~select(shots.c.shot_key).where(shots.c.shot_key == images.c.shot_key).exists())
    first = unknown.distinct().order_by(images.c.shot_key).limit(limit)
    return images_of(connection, list(connection.execute(first).scalars()))


def restore(connection: Connection, restored: Sequence[RestoredShot]) -> tuple[RestoredShot, ...]:
    """Puts shots back that the ledger does not know; returns those that were put back.

    Of a shot that is told of more than once, the first telling counts that can be put back. A job that another shot has
    is left to it: a shot that is done needs none.
    """
    done: list[RestoredShot] = []
    rest = list(restored)
    while rest:
        first: dict[str, RestoredShot] = {}
        for each in rest:
            first.setdefault(each.shot_key, each)
        put_back = _put_back(connection, list(first.values()))
        done += [each for key, each in first.items() if key in put_back]
        rest = [each for each in rest if each is not first[each.shot_key] and each.shot_key not in put_back]
    return tuple(done)


def _put_back(connection: Connection, restored: Sequence[RestoredShot]) -> frozenset[str]:
    """Puts back what can be, each shot once, by two statements; returns the shots."""
    put_back = inserted_of(connection, shots, [_row(each) for each in restored], shots.c.shot_key)
    left = [each for each in restored if each.shot_key not in put_back and each.state is ShotState.DONE]
    return put_back | inserted_of(
        connection, shots, [{**_row(each), "job_id": None} for each in left], shots.c.shot_key
    )


def uncounted(
    connection: Connection, scope: str, campaign: str | None, edition: str | None, since: datetime | None
) -> tuple[LedgerEntry, ...]:
    """The shots that were put back and that a budget does not count yet: of one edition, or since a moment."""
    counted = select(charges.c.shot_key).where(charges.c.scope == scope)
    wanted = select(shots).where(shots.c.run_id == RESTORED_RUN, shots.c.shot_key.not_in(counted))
    if campaign is not None:
        wanted = wanted.where(shots.c.campaign == campaign, shots.c.edition == edition)
    if since is not None:
        wanted = wanted.where(shots.c.created_at >= since)
    return tuple(entry_of(row) for row in connection.execute(wanted.order_by(shots.c.shot_key)).mappings())


def count(connection: Connection, scope: str, held_micro: Mapping[str, int]) -> None:
    """Lets a budget count what was put back, each shot once; the money is spent, so that nothing refuses it."""
    for shot_key, micro in held_micro.items():
        row = {"shot_key": shot_key, "attempt": FIRST_ATTEMPT, "scope": scope, "held_micro": micro}
        if insert_if_absent(connection, charges, row):
            budgets.adjust(connection, scope, micro)


def images_of(connection: Connection, shot_keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The pictures that the catalogue has of these shots, by shot key; shots without any are left out."""
    found: dict[str, list[str]] = {}
    for chunk in chunks(shot_keys):
        rows = select(images.c.shot_key, images.c.sha256).where(images.c.shot_key.in_(chunk))
        for shot_key, sha256 in connection.execute(rows.order_by(images.c.shot_key, images.c.sha256)):
            found.setdefault(shot_key, []).append(sha256)
    return {shot_key: tuple(sha256s) for shot_key, sha256s in found.items()}


def accept(connection: Connection, shot_key: str, job_id: str, sha256s: Sequence[str]) -> bool:
    """Makes a shot done that failed because its pictures were refused, and that a person has taken in as they are.

    The one way from `failed` to `done`, and none that a worker takes: only for the very job, and no money moves.
    """
    closed = (shots.c.shot_key == shot_key, shots.c.job_id == job_id, shots.c.state.in_(_CLOSED))
    changed = connection.execute(
        update(shots)
        .where(*closed)
        .values(
            state=ShotState.DONE,
            images_json=json.dumps(list(sha256s)),
            error_code=None,
            error_message=None,
            retryable=None,
            updated_at=now_of(connection),
        )
    )
    return changed.rowcount > 0


def _row(restored: RestoredShot) -> dict[str, object]:
    amount, unit = (None, None) if restored.price is None else (restored.price.amount, restored.price.unit)
    is_done = restored.state is ShotState.DONE
    said = restored.model_dump(include={"shot_key", "provider", "sandbox", "request_json", "campaign", "edition"})
    return said | {
        "run_id": RESTORED_RUN,
        "state": restored.state,
        "attempt": FIRST_ATTEMPT,
        "reserved_amount": amount,
        "reserved_unit": unit,
        "billed_amount": amount if is_done else None,
        "billed_unit": unit if is_done else None,
        "job_id": restored.job_id,
        "images_json": json.dumps(restored.images if is_done else ()),
        "created_at": restored.made_at,
        "updated_at": restored.made_at,
    }
