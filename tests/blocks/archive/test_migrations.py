import asyncio
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, insert, inspect, select

from blocks.archive import migrations
from blocks.archive.database import Database, open_database
from blocks.archive.schema import metadata
from blocks.archive.schema import migrations as applied
from blocks.errors import ArchiveError, SetupError

OPEN = """
import asyncio, sys
from blocks.archive.database import open_database

async def main(url):
    sys.stdin.readline()
    async with open_database(url) as database:
        pass

asyncio.run(main(sys.argv[1]))
"""


def applied_numbers(connection: Connection) -> list[int]:
    return list(connection.execute(select(applied.c.number).order_by(applied.c.number)).scalars())


def shape_of(connection: Connection) -> dict[str, dict[str, bool]]:
    found = inspect(connection)
    return {
        table: {column["name"]: column["nullable"] for column in found.get_columns(table)}
        for table in found.get_table_names()
    }


def keys_of(connection: Connection) -> dict[str, set[str]]:
    found = inspect(connection)
    return {table: set(found.get_pk_constraint(table)["constrained_columns"]) for table in found.get_table_names()}


async def test_the_migrated_database_is_the_schema(database: Database) -> None:
    """Migrations and tables are written down twice; this holds them together: columns, nulls and keys."""
    assert await database.read(shape_of) == {
        table.name: {column.name: bool(column.nullable) for column in table.columns}
        for table in metadata.tables.values()
    }
    assert await database.read(keys_of) == {
        table.name: {column.name for column in table.primary_key.columns} for table in metadata.tables.values()
    }


async def test_opening_again_changes_nothing(database_url: str) -> None:
    """Every step runs once."""
    expected = [migration.number for migration in migrations.MIGRATIONS]
    for _ in range(2):
        async with open_database(database_url) as database:
            assert await database.read(applied_numbers) == expected
            await database.write(migrations.migrate)
            assert await database.read(applied_numbers) == expected


async def test_numbers_count_up() -> None:
    """Append only: numbers are 1, 2, 3 and so on."""
    assert [migration.number for migration in migrations.MIGRATIONS] == list(range(1, len(migrations.MIGRATIONS) + 1))


async def test_a_new_database_may_be_opened_by_many_at_once(
    database_url: str, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    """Processes and tasks that open a new archive together neither fail nor run a step twice."""
    others = [start_process(OPEN, database_url) for _ in range(3)]

    async def open_here() -> list[int]:
        async with open_database(database_url) as database:
            return await database.read(applied_numbers)

    await asyncio.gather(
        *(asyncio.to_thread(other.communicate, "go\n", 30) for other in others), open_here(), open_here()
    )
    assert [other.returncode for other in others] == [0, 0, 0]
    assert await open_here() == [migration.number for migration in migrations.MIGRATIONS]


async def test_a_failed_step_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing: a step that fails half-way can be mended and run again."""
    broken = migrations.Migration(2, "broken", ("CREATE TABLE half (x TEXT)", "NO SUCH STATEMENT"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
        with pytest.raises(SetupError, match="syntax error"):
            async with open_database(database_url):
                pass
    async with open_database(database_url) as database:
        assert await database.read(applied_numbers) == [1]
        assert "half" not in await database.read(shape_of)


async def test_a_newer_database_is_refused(database_url: str) -> None:
    """An older program must not write tables that it does not know."""
    async with open_database(database_url) as database:
        row = {"number": 99, "name": "later", "applied_at": datetime(2026, 11, 20, tzinfo=UTC)}
        await database.write(lambda connection: connection.execute(insert(applied), row))
    with pytest.raises(ArchiveError, match=r"made by a newer Kleinbild .*99.*update Kleinbild"):
        async with open_database(database_url):
            pass
