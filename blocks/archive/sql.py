"""The few things that SQLite and PostgreSQL do alike and SQLAlchemy spells twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

MAX_PARAMETERS_PER_STATEMENT = 500
"""Well below what either database takes (32766), so that one statement never becomes huge."""

T = TypeVar("T")


def now_of(connection: Connection) -> datetime:
    """The present moment by the clock that all machines of this database share; on SQLite there is one machine."""
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment
    return datetime.now(UTC)


def insert_if_absent(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Inserts a row unless its key is taken; True where this call inserted it. This is what locks a shot."""
    return connection.execute(_insert_or_nothing(connection, table), row).rowcount > 0


def insert_all_absent(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows whose keys are not taken."""
    if rows:
        connection.execute(_insert_or_nothing(connection, table), rows)


def inserted_of(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: Column[str]
) -> frozenset[str]:
    """Inserts the rows whose keys are not taken, by few statements; returns which were inserted, by one column."""
    if not rows:
        return frozenset()
    statement = _insert_or_nothing(connection, table).returning(key)
    return frozenset(connection.execute(statement, rows).scalars())


def insert_or_replace(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, each in the place of the one that has its key."""
    if not rows:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others), rows)


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Cuts values into lists that fit into one statement's parameters."""
    iterator = iter(values)
    while chunk := list(islice(iterator, MAX_PARAMETERS_PER_STATEMENT)):
        yield chunk


def _insert_or_nothing(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
