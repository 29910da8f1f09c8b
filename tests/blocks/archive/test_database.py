import asyncio
from datetime import UTC, timedelta, timezone
from functools import partial

import pytest
from sqlalchemy import Connection, insert, select

from blocks.archive.database import Database, open_database
from blocks.archive.schema import budgets
from blocks.errors import ArchiveError, SetupError
from tests.blocks.archive.budgets import NOON, add_budget, scopes


async def test_a_failed_write_changes_nothing(database: Database) -> None:
    """A transaction is all or nothing, whatever kind of error ends it."""

    def fail(connection: Connection) -> None:
        add_budget(connection, "half")
        raise KeyError("in our own code")

    with pytest.raises(KeyError):
        await database.write(fail)
    assert await database.read(scopes) == []


async def test_a_write_that_was_begun_is_finished_although_its_caller_is_cancelled(database: Database) -> None:
    """What was paid must be recorded, also when the run is being stopped."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        add_budget(connection, "paid")

    caller = asyncio.create_task(database.write(slow))
    await begun.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await database.write(partial(add_budget, scope="next"))
    assert await database.read(scopes) == ["next", "paid"]


async def test_many_coroutines_write_without_meeting_a_lock(database: Database) -> None:
    """Writers of one process queue; none of them sees "database is locked"."""
    names = [f"{n:03}" for n in range(64)]
    await asyncio.gather(*(database.write(partial(add_budget, scope=name)) for name in names))
    assert await database.read(scopes) == names


async def test_two_openings_of_one_database_take_turns(database_url: str) -> None:
    """Two flows of one process may hold the same archive open."""
    async with open_database(database_url) as one, open_database(database_url) as other:
        names = [f"{n:03}" for n in range(40)]
        await asyncio.gather(
            *((one, other)[n % 2].write(partial(add_budget, scope=name)) for n, name in enumerate(names))
        )
        assert await one.read(scopes) == await other.read(scopes) == names


async def test_an_error_tells_neither_rows_nor_password(database: Database) -> None:
    """Messages go to logs: they name the database and what failed, not what was in the row."""
    await database.write(partial(add_budget, scope="secret-row"))
    with pytest.raises(ArchiveError) as raised:
        await database.write(partial(add_budget, scope="secret-row"))
    assert str(raised.value).startswith(f"The catalogue {database.name} failed: ")
    assert "secret-row" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://user:hidden@host/name", "cannot live in 'mysql'"),
        ("sqlite://", "cannot live in 'sqlite'"),
        ("host=db password=hidden", "is not understood"),
        ("postgresql://user:hidden@host:port/name", "is not understood"),
    ],
)
async def test_other_urls_are_refused_without_showing_them(url: str, message: str) -> None:
    """A URL holds a password: no message and no cause of it shows one."""
    with pytest.raises(SetupError, match=message) as raised:
        async with open_database(url):
            pass
    assert "hidden" not in repr(raised.value)
    assert raised.value.__cause__ is None


async def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    """The message says which server did not answer."""
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:1/name failed.*Look whether the database runs") as raised:
        async with open_database("postgresql://user:hidden@127.0.0.1:1/name?sslmode=disable"):
            pass
    assert "hidden" not in str(raised.value)


async def test_moments_keep_their_instant(database: Database) -> None:
    """Whatever zone a moment was given in, it comes back as UTC; one without a zone is refused."""
    tokyo = timezone(timedelta(hours=9))
    row = {"scope": "s", "unit": "USD", "limit_micro": 1, "committed_micro": 0}
    given = row | {"updated_at": NOON.astimezone(tokyo)}
    await database.write(lambda connection: connection.execute(insert(budgets), given))
    moment = await database.read(lambda connection: connection.scalar(select(budgets.c.updated_at)))
    assert (moment, moment and moment.tzinfo) == (NOON, UTC)
    zoneless = row | {"scope": "t", "updated_at": NOON.replace(tzinfo=None)}
    with pytest.raises(ArchiveError, match="has no time zone"):
        await database.write(lambda connection: connection.execute(insert(budgets), zoneless))
