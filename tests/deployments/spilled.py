"""Looks for keys and signed links in everything that was written down."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from deployments.sandbox.settings import SCENARIO_KEY, SCENARIO_SECRET, SUNRA_KEY

BASIC = base64.b64encode(f"{SCENARIO_KEY}:{SCENARIO_SECRET}".encode()).decode()
SECRETS = (SCENARIO_KEY, SCENARIO_SECRET, SUNRA_KEY, BASIC, "Signature=", "Key-Pair-Id=", "Policy=ey")
"""The values of the credentials that runs used, and what every signed link of the providers has in it."""

VENDOR_LOGS = {"sandbox.log"}
"""The sandbox says its keys at its start. It stands for somebody else's machine."""


def spilled_in(folder: Path) -> list[str]:
    """Names each file and database that holds a secret, with the secret."""
    return [f"{place}: {secret}" for place, text in _written_in(folder) for secret in SECRETS if secret in text]


def _written_in(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name in VENDOR_LOGS:
            continue
        yield path.name, path.read_bytes().decode("latin-1")
        if path.suffix in {".db", ".sqlite"}:  # long values lie in pieces in the file
            with closing(sqlite3.connect(path)) as database:
                yield path.name, "\n".join(database.iterdump())
