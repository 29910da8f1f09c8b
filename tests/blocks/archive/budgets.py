"""The smallest rows there are, to try transactions with."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from blocks.archive.schema import budgets

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def add_budget(connection: Connection, scope: str) -> None:
    """Writes a budget of one millionth."""
    row = {"scope": scope, "unit": "USD", "limit_micro": 1, "committed_micro": 0, "updated_at": NOON}
    connection.execute(insert(budgets), row)


def scopes(connection: Connection) -> list[str]:
    """Reads the names of all budgets."""
    return list(connection.execute(select(budgets.c.scope).order_by(budgets.c.scope)).scalars())
