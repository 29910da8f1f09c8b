"""Reads the ledger: shots by their keys, by their states, the attempts that gave way, and the pictures they name.

Plain functions of a connection; the ledger runs each as one transaction.
"""

import re
from collections.abc import Sequence, Set

from sqlalchemy import Connection, or_, select

from blocks.archive.entries import LedgerEntry, entry_of
from blocks.archive.schema import past_attempts, shots
from blocks.archive.sql import chunks
from blocks.archive.states import OPEN_STATES, ShotState

NO_IMAGES = "[]"

_SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def find(connection: Connection, shot_keys: list[str]) -> dict[str, LedgerEntry]:
    """The newest attempts at these shots, by shot key."""
    found: dict[str, LedgerEntry] = {}
    for chunk in chunks(shot_keys):
        rows = connection.execute(select(shots).where(shots.c.shot_key.in_(chunk))).mappings()
        found |= {row["shot_key"]: entry_of(row) for row in rows}
    return found


def in_states(
    connection: Connection, states: Sequence[ShotState], campaign: str | None = None, edition: str | None = None
) -> tuple[LedgerEntry, ...]:
    """The shots in one of these states, the oldest first; where they are named, of one campaign or edition alone."""
    wanted = select(shots).where(shots.c.state.in_(states))
    if campaign is not None:
        wanted = wanted.where(shots.c.campaign == campaign)
    if edition is not None:
        wanted = wanted.where(shots.c.edition == edition)
    rows = connection.execute(wanted.order_by(shots.c.created_at, shots.c.shot_key)).mappings()
    return tuple(entry_of(row) for row in rows)


def past_attempts_of(connection: Connection, shot_key: str) -> tuple[LedgerEntry, ...]:
    """The attempts at a shot that gave way to newer ones, in their order."""
    statement = select(past_attempts).where(past_attempts.c.shot_key == shot_key).order_by(past_attempts.c.attempt)
    return tuple(entry_of(row) for row in connection.execute(statement).mappings())


def names_of(connection: Connection, among: Set[str]) -> frozenset[str]:
    """Of these pictures, those that shots name: as what they made, or, of open ones, in what they ask for."""
    found: set[str] = set()
    for table in (shots, past_attempts):
        naming = or_(table.c.images_json != NO_IMAGES, table.c.state.in_(OPEN_STATES))
        rows = connection.execute(select(table.c.images_json, table.c.request_json, table.c.state).where(naming))
        for images_json, request_json, state in rows:
            found.update(_SHA256.findall(images_json))
            if state in OPEN_STATES:
                found.update(_SHA256.findall(request_json))
            found &= among
    return frozenset(found)
