import asyncio
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, inspect, select

from blocks.archive import migrations
from blocks.archive.catalogue import Catalogue
from blocks.archive.database import Database, open_database
from blocks.archive.ledger import Ledger, ShotState
from blocks.archive.schema import charges, metadata
from blocks.archive.schema import migrations as applied
from blocks.archive.signatures import Signed, select_signed
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
    newest = len(migrations.MIGRATIONS)
    broken = migrations.Migration(newest + 1, "broken", ("CREATE TABLE half (x TEXT)", "NO SUCH STATEMENT"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
        with pytest.raises(SetupError, match="syntax error"):
            async with open_database(database_url):
                pass
    async with open_database(database_url) as database:
        assert await database.read(applied_numbers) == list(range(1, newest + 1))
        assert "half" not in await database.read(shape_of)


OLD_SHOTS = (
    # shot key, state, attempt, scope, charged, held, job, created at (minute)
    ("1", "reserved", 1, "a/e", 3000, 3000, None, 1),
    ("2", "done", 2, "a/e", 3000, 2500, "job-2", 2),
    ("3", "running", 1, None, 0, 0, "job-3", 3),
    ("4", "running", 1, "b/e", 4000, 4000, "job-3", 4),
    ("5", "done", 1, None, 0, 0, "job-3", 5),
)
OLD_PAST = (("2", "failed", 1, "b/e", 1000, 1000, "job-3", 2),)
OLD_BUDGETS = (("a/e", 5500), ("b/e", 5000))


def insert_old_rows(connection: Connection) -> None:
    """Rows as the first migration alone knows them."""
    at = "2026-11-20 12:{:02}:00.000000{}"
    zone = "+00" if connection.dialect.name == "postgresql" else ""
    for table, rows in (("shots", OLD_SHOTS), ("past_attempts", OLD_PAST)):
        for key, state, attempt, scope, charged, held, job, minute in rows:
            values = [key, state, attempt, scope, charged, held, job]
            said = ", ".join("NULL" if value is None else repr(value) for value in values)
            connection.exec_driver_sql(
                f"INSERT INTO {table} (shot_key, state, attempt, scope, charged_micro, held_micro, job_id, provider, "
                "sandbox, request_json, campaign, edition, run_id, images_json, created_at, updated_at) VALUES "
                f"({said}, 'sunra', TRUE, '{{}}', 'c', 'e', 'r', '[]', '{at.format(minute, zone)}', "
                f"'{at.format(minute, zone)}')"
            )
    for scope, committed in OLD_BUDGETS:
        connection.exec_driver_sql(
            f"INSERT INTO budgets VALUES ('{scope}', 'USD', 9000, {committed}, '{at.format(0, zone)}')"
        )


async def test_rows_of_the_first_tables_are_kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one budget of each attempt becomes its charge, and of shots that share a job the oldest keeps it."""
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        async with open_database(database_url) as database:
            await database.write(insert_old_rows)
    async with open_database(database_url) as database:
        held = select(charges).order_by(charges.c.scope, charges.c.shot_key, charges.c.attempt)
        assert await database.read(lambda connection: [tuple(row) for row in connection.execute(held)]) == [
            ("1", 1, "a/e", 3000),
            ("2", 2, "a/e", 2500),
            ("2", 1, "b/e", 1000),
            ("4", 1, "b/e", 4000),
        ]
        ledger = Ledger(database)
        entries = await ledger.find("12345")
        assert [(key, entry.state, entry.job_id, entry.retryable) for key, entry in sorted(entries.items())] == [
            ("1", ShotState.RESERVED, None, None),
            ("2", ShotState.DONE, "job-2", None),
            ("3", ShotState.RUNNING, "job-3", None),
            ("4", ShotState.LOST, None, None),
            ("5", ShotState.DONE, None, None),
        ]
        assert entries["4"].error_message == "its job belongs to another shot, which was first"
        assert entries["1"].created_at == datetime(2026, 11, 20, 12, 1, tzinfo=UTC)
        (past,) = await ledger.past_attempts("2")
        assert (past.state, past.attempt, past.job_id) == (ShotState.FAILED, 1, "job-3")
        await ledger.release("1", 1, None, "never sent")
        budget = await ledger.budget("a/e")
        assert budget is not None
        assert budget.committed.amount == Decimal("0.0025")


def insert_old_images(connection: Connection) -> None:
    """Images as the second migration knows them: with a fingerprint, and without."""
    at = "2026-11-20 12:00:00.000000" + ("+00" if connection.dialect.name == "postgresql" else "")
    for sha256, fingerprint in (("a", "ab" * 24), ("b", "")):
        digits = f"'\\x{fingerprint}'" if connection.dialect.name == "postgresql" else f"x'{fingerprint}'"
        connection.exec_driver_sql(
            "INSERT INTO images (sha256, size_bytes, media_type, width_px, height_px, shot_key, provider, model, "
            "prompt, campaign, edition, step, fingerprint, made_at, record_json) VALUES "
            f"('{sha256}', 1, 'image/png', 1, 1, 's', 'sunra', 'm', 'p', 'c', 'e', 0, {digits}, '{at}', '{{}}')"
        )


async def test_fingerprints_become_signatures(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of before takes part with what it has; an image without a fingerprint has no signature."""
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:2])
        async with open_database(database_url) as database:
            await database.write(insert_old_images)
    async with open_database(database_url) as database:
        catalogue = Catalogue(database)
        assert await catalogue.signatures() == (
            Signed("a", "phash8+dhash8+dhash_vertical8/1", b"\xab" * 24, parent_sha256=None, is_repeat=False),
        )
        (old,) = await catalogue.entries(["b"])
        assert (old.signature_rule, old.signature) == ("", b"")


async def test_signatures_are_read_past_the_images(tmp_path: Path) -> None:
    """Records are long: of a million, SQLite reads only what an index holds, beside the signatures."""

    def plan(connection: Connection) -> str:
        statement = select_signed("cards", "1").compile(connection, compile_kwargs={"literal_binds": True})
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").fetchall())

    async with open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}") as database:
        assert "SCAN images USING COVERING INDEX images_by_age" in await database.read(plan)


async def test_a_newer_database_is_refused(database_url: str) -> None:
    """An older program must not write tables that it does not know."""
    async with open_database(database_url) as database:
        row = {"number": 99, "name": "later", "applied_at": datetime(2026, 11, 20, tzinfo=UTC)}
        await database.write(lambda connection: connection.execute(insert(applied), row))
    with pytest.raises(ArchiveError, match=r"made by a newer Kleinbild .*99.*update Kleinbild"):
        async with open_database(database_url):
            pass
