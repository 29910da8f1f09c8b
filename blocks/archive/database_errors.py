"""What an error of the database means for the archive, and what to do about it; never a password or a row's content."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from blocks.errors import ArchiveError

_ADVICE = {
    "locked": "Another process has been writing for too long: stop it, or use PostgreSQL for many machines.",
    "full": "Free some space, then run again: what was acknowledged before is safe.",
    "readonly": "Give this user the right to write the file and its folder.",
    "unable to open": "Give this user the right to write the folder.",
    "malformed": "Restore the file from a backup. Where there is none, move it away and run `python -m flows rebuild`: "
    "what is in the archive is known again then, and not bought again; shots that failed or were under way are not.",
    "not a database": "Another kind of file has this name: move it away.",
}


@contextmanager
def told(name: str) -> Iterator[None]:
    """Says of an error of the database what it means for the archive.

    Args:
        name: The database's, without a password.

    Raises:
        ArchiveError: Instead of what the library raised.
    """
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines() or [
            type(error).__name__
        ]
        advice = next((advice for sign, advice in _ADVICE.items() if sign in said[0]), "")
        if isinstance(error, OperationalError | OSError) and not advice:
            advice = "Look whether the database runs and can be reached, then run again."
        raise ArchiveError(f"The catalogue {name} failed: {said[0]}. {advice}".strip()) from error
