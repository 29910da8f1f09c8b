"""The catalogue's tables as SQLAlchemy sees them, and the column types that mean the same on SQLite and PostgreSQL.

The tables are made by `migrations.py`; a test holds the two against each other.

Amounts are stored twice, for two ends. `*_amount` columns are exact decimals (TEXT on SQLite, NUMERIC on PostgreSQL),
as a provider said them. `*_micro` columns are whole millionths of a budget's unit, so that "committed + x <= limit" is
integer arithmetic inside one UPDATE.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal that comes back as it was given: SQLite has no such type, so it is text there."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal] | TypeEngine[str]:
        """NUMERIC where the database has it."""
        return dialect.type_descriptor(Numeric()) if dialect.name == "postgresql" else dialect.type_descriptor(Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Gives the database its own form."""
        return str(value) if value is not None and dialect.name != "postgresql" else value

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        """Takes either form back."""
        return None if value is None else Decimal(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. SQLite keeps no zone, so it is given UTC and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses moments without a zone: nobody knows when they are."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone.")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives every moment its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ForeignText(TypeDecorator[str]):
    """Text that others wrote (prompts, providers' messages), in which anything may stand.

    What no database takes, the NUL of PostgreSQL and lone surrogates, becomes U+FFFD: a strange message must never
    keep the ledger from recording what was paid.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replaces what cannot be stored."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        readable = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return readable.replace("\0", "\ufffd")


metadata = MetaData()

migrations = Table(
    "migrations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("unit", Text, nullable=False),
    Column("limit_micro", BigInteger, nullable=False),
    Column("committed_micro", BigInteger, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)


def _attempt_columns() -> tuple[Column[Any], ...]:
    """What is known of one attempt at one shot."""
    return (
        Column("shot_key", Text, primary_key=True),
        Column("provider", Text, nullable=False),
        Column("sandbox", Boolean, nullable=False),
        Column("request_json", Text, nullable=False),
        Column("campaign", Text, nullable=False),
        Column("edition", Text, nullable=False),
        Column("run_id", Text, nullable=False),  # its owner: the run that works on it
        Column("state", Text, nullable=False),
        Column("reserved_amount", ExactDecimal),
        Column("reserved_unit", Text),
        Column("billed_amount", ExactDecimal),
        Column("billed_unit", Text),
        Column("job_id", ForeignText),
        Column("images_json", Text, nullable=False),
        Column("error_code", ForeignText),
        Column("error_message", ForeignText),
        Column("retryable", Boolean),  # whether the same input could succeed, where the provider says so
        Column("created_at", UtcDateTime, nullable=False),
        Column("sent_at", UtcDateTime),
        Column("updated_at", UtcDateTime, nullable=False),
    )


shots = Table("shots", metadata, *_attempt_columns(), Column("attempt", Integer, nullable=False))
"""The ledger: one row per shot, with its newest attempt."""

past_attempts = Table(
    "past_attempts",
    metadata,
    *_attempt_columns(),
    Column("attempt", Integer, primary_key=True),
    ForeignKeyConstraint(["shot_key"], ["shots.shot_key"]),
)
"""Attempts that gave way to newer ones. What they cost or lost still counts."""

charges = Table(
    "charges",
    metadata,
    Column("shot_key", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("held_micro", BigInteger, nullable=False),
    ForeignKeyConstraint(["shot_key"], ["shots.shot_key"]),
)
"""What each budget counts for each attempt now: reserved, then settled. Their sum is what the budget has committed."""

owners = Table(
    "owners",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("boot_id", Text),
    Column("pid_namespace", Text),
    Column("pid", Integer, nullable=False),
    Column("process_started_ticks", BigInteger),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)
"""The runs that own shots: by which process they are at work, and when they were last heard of."""

images = Table(
    "images",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("shot_key", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt", ForeignText, nullable=False),
    Column("seed", BigInteger),
    Column("parent_sha256", Text),
    Column("campaign", Text, nullable=False),
    Column("edition", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("record_json", Text, nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""What near-duplicates are found by. Apart from the images: rows of half a kilobyte that are read all at once."""

members = Table(
    "members",
    metadata,
    Column("campaign", Text, primary_key=True),
    Column("edition", Text, primary_key=True),
    Column("shot_key", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("step", Integer, nullable=False),
)
"""Which shots a campaign consists of; a shot that two campaigns share is bought once."""

verdicts = Table(
    "verdicts",
    metadata,
    Column("campaign", Text, primary_key=True),
    Column("edition", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("keeper_sha256", Text),
    Column("distance_bits", Integer),
    Column("reason", ForeignText, nullable=False),
    Column("rule", Text, nullable=False),
)
