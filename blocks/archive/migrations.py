"""How the catalogue's tables came to be, step by step. Append only: a step that was published is never changed.

Opening is safe from many processes at once: all steps that are missing run in one transaction, which SQLite admits
one at a time (BEGIN IMMEDIATE) and PostgreSQL behind an advisory lock.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, inspect, select, text

from blocks.archive import schema
from blocks.errors import ArchiveError

_ADVISORY_LOCK = 0x6B6C65696E  # "klein"

_TYPES = {
    "sqlite": {"decimal": "TEXT", "moment": "DATETIME", "bytes": "BLOB", "key": "TEXT"},
    "postgresql": {"decimal": "NUMERIC", "moment": "TIMESTAMPTZ", "bytes": "BYTEA", "key": 'TEXT COLLATE "C"'},
}
"""What the placeholders below stand for. Keys are compared byte by byte, so that a prefix is a range of the index."""

_ATTEMPT = """
    provider TEXT NOT NULL, sandbox BOOLEAN NOT NULL, request_json TEXT NOT NULL,
    campaign TEXT NOT NULL, edition TEXT NOT NULL, run_id TEXT NOT NULL,
    state TEXT NOT NULL, attempt INTEGER NOT NULL,
    reserved_amount {decimal}, reserved_unit TEXT, billed_amount {decimal}, billed_unit TEXT,
    scope TEXT, charged_micro BIGINT NOT NULL, held_micro BIGINT NOT NULL,
    job_id TEXT, images_json TEXT NOT NULL, error_code TEXT, error_message TEXT,
    created_at {moment} NOT NULL, sent_at {moment}, updated_at {moment} NOT NULL"""


_TO_CHARGES = (
    "INSERT INTO charges (shot_key, attempt, scope, held_micro) "
    "SELECT shot_key, attempt, scope, held_micro FROM shots WHERE scope IS NOT NULL UNION ALL "
    "SELECT shot_key, attempt, scope, held_micro FROM past_attempts WHERE scope IS NOT NULL",
    "ALTER TABLE shots DROP COLUMN scope",
    "ALTER TABLE shots DROP COLUMN charged_micro",
    "ALTER TABLE shots DROP COLUMN held_micro",
    "ALTER TABLE past_attempts DROP COLUMN scope",
    "ALTER TABLE past_attempts DROP COLUMN charged_micro",
    "ALTER TABLE past_attempts DROP COLUMN held_micro",
)
"""An attempt had one budget, in its row."""

_ONE_SHOT_PER_JOB = """
    UPDATE shots SET job_id = NULL, state = CASE state WHEN 'running' THEN 'lost' ELSE state END,
        error_message = 'its job belongs to another shot, which was first'
    WHERE job_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM shots AS other WHERE other.provider = shots.provider AND other.job_id = shots.job_id
        AND (other.created_at, other.shot_key) < (shots.created_at, shots.shot_key))"""
"""Nothing kept two shots from adopting the same job: the older one keeps it, and the other one's is lost."""


_FINGERPRINTS_TO_SIGNATURES = """
    INSERT INTO signatures (sha256, rule, signature)
        SELECT sha256, 'phash8+dhash8+dhash_vertical8/1', fingerprint FROM images WHERE length(fingerprint) = 24"""
"""Until then, each image had a fingerprint alone, all by one rule: a signature of one view."""


class Migration(NamedTuple):
    """One step: statements that run in the order given, with placeholders for the types that differ."""

    number: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        1,
        "ledger and catalogue",
        (
            "CREATE TABLE budgets (scope TEXT NOT NULL PRIMARY KEY, unit TEXT NOT NULL, limit_micro BIGINT NOT NULL, "
            "committed_micro BIGINT NOT NULL, updated_at {moment} NOT NULL)",
            f"CREATE TABLE shots (shot_key {{key}} NOT NULL PRIMARY KEY, {_ATTEMPT})",
            "CREATE INDEX shots_of_campaign ON shots (campaign, edition)",
            "CREATE INDEX shots_in_state ON shots (state)",
            f"CREATE TABLE past_attempts (shot_key {{key}} NOT NULL REFERENCES shots (shot_key), {_ATTEMPT}, "
            "PRIMARY KEY (shot_key, attempt))",
            "CREATE INDEX past_attempts_of_campaign ON past_attempts (campaign, edition)",
            "CREATE TABLE images (sha256 {key} NOT NULL PRIMARY KEY, size_bytes BIGINT NOT NULL, "
            "media_type TEXT NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, "
            "shot_key {key} NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, seed BIGINT, "
            "parent_sha256 {key}, campaign TEXT NOT NULL, edition TEXT NOT NULL, step INTEGER NOT NULL, "
            "fingerprint {bytes} NOT NULL, made_at {moment} NOT NULL, record_json TEXT NOT NULL)",
            "CREATE INDEX images_of_shot ON images (shot_key)",
            "CREATE INDEX images_of_parent ON images (parent_sha256)",
            "CREATE TABLE members (campaign TEXT NOT NULL, edition TEXT NOT NULL, shot_key {key} NOT NULL, "
            "position INTEGER NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (campaign, edition, shot_key))",
            "CREATE TABLE verdicts (campaign TEXT NOT NULL, edition TEXT NOT NULL, sha256 {key} NOT NULL, "
            "kind TEXT NOT NULL, keeper_sha256 {key}, distance_bits INTEGER, reason TEXT NOT NULL, rule TEXT NOT NULL, "
            "PRIMARY KEY (campaign, edition, sha256))",
            "CREATE INDEX verdicts_of_image ON verdicts (sha256)",
        ),
    ),
    Migration(
        2,
        "owners, charges, one shot per job",
        (
            "CREATE TABLE owners (run_id TEXT NOT NULL PRIMARY KEY, host TEXT NOT NULL, boot_id TEXT, "
            "pid_namespace TEXT, pid INTEGER NOT NULL, process_started_ticks BIGINT, "
            "started_at {moment} NOT NULL, seen_at {moment} NOT NULL, ended_at {moment})",
            "CREATE TABLE charges (shot_key {key} NOT NULL REFERENCES shots (shot_key), attempt INTEGER NOT NULL, "
            "scope TEXT NOT NULL, held_micro BIGINT NOT NULL, PRIMARY KEY (shot_key, attempt, scope))",
            *_TO_CHARGES,
            "ALTER TABLE shots ADD COLUMN retryable BOOLEAN",
            "ALTER TABLE past_attempts ADD COLUMN retryable BOOLEAN",
            _ONE_SHOT_PER_JOB,
            "CREATE UNIQUE INDEX shots_of_job ON shots (provider, job_id) WHERE job_id IS NOT NULL",
            "CREATE INDEX past_attempts_of_job ON past_attempts (provider, job_id) WHERE job_id IS NOT NULL",
        ),
    ),
    Migration(
        3,
        "signatures",
        (
            "CREATE TABLE signatures (sha256 {key} NOT NULL PRIMARY KEY, rule TEXT NOT NULL, "
            "signature {bytes} NOT NULL)",
            _FINGERPRINTS_TO_SIGNATURES,
            "CREATE INDEX images_by_age ON images (made_at, sha256, parent_sha256, campaign, edition, shot_key)",
        ),
    ),
)


def is_current(connection: Connection) -> bool:
    """True where nothing is left to do.

    Raises:
        ArchiveError: The database was made by a newer Kleinbild.
    """
    return _applied(connection) >= MIGRATIONS[-1].number


def require_current(connection: Connection) -> None:
    """Refuses tables that would have to be changed first.

    Raises:
        ArchiveError: The database was made by a newer Kleinbild, or by an older one.
    """
    if not is_current(connection):
        raise ArchiveError(
            "The catalogue was made by an older Kleinbild, and reading does not change its tables: open the archive "
            "once for writing, such as with `python -m flows gc`, which only says what it would do, or run "
            "`python -m flows rebuild`. Where it cannot be written, copy the whole archive, and do so with the copy."
        )


def migrate(connection: Connection) -> None:
    """Runs the steps that are missing, inside the caller's write transaction.

    Raises:
        ArchiveError: The database was made by a newer Kleinbild.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    types = _TYPES[connection.dialect.name]
    schema.migrations.create(connection, checkfirst=True)
    applied = _applied(connection)
    for migration in MIGRATIONS:
        if migration.number <= applied:
            continue
        for statement in migration.statements:
            connection.exec_driver_sql(statement.format(**types))
        row = {"number": migration.number, "name": migration.name, "applied_at": datetime.now(UTC)}
        connection.execute(insert(schema.migrations), row)


def _applied(connection: Connection) -> int:
    if not inspect(connection).has_table(schema.migrations.name):
        return 0
    numbers = connection.execute(select(schema.migrations.c.number)).scalars().all()
    newest = max(numbers, default=0)
    if newest > MIGRATIONS[-1].number:
        raise ArchiveError(
            f"The catalogue was made by a newer Kleinbild (its tables are at {newest}, this one knows "
            f"{MIGRATIONS[-1].number}): update Kleinbild."
        )
    return newest
