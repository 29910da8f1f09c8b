"""Searches the catalogue: which images a campaign or a span of time holds, and what was said of each there.

Plain functions of a connection; the catalogue runs each as one transaction.
"""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from blocks.archive.schema import images, members, verdicts
from blocks.provider import Frozen


class Search(Frozen):
    """What is looked for: all that is said has to hold.

    An image is of a campaign that has bought it, and of one that it belongs to although another one has bought it.
    """

    campaign: str | None = None
    edition: str | None = None
    made_from: datetime | None = None
    made_before: datetime | None = None


class Found(NamedTuple):
    """An image, and the verdicts (`keeper`, `duplicate`, `rejected`) on it in the campaigns that were looked into."""

    sha256: str
    verdicts: frozenset[str]


def search(connection: Connection, wanted: Search) -> tuple[Found, ...]:
    """Finds images, in the order of their SHA-256s."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for sha256, kind in connection.execute(select(verdicts.c.sha256, verdicts.c.kind).where(*_is_of(verdicts, wanted))):
        said[sha256].add(kind)
    found = connection.execute(select(images.c.sha256).where(*_holds(wanted)).order_by(images.c.sha256)).scalars()
    return tuple(Found(sha256, frozenset(said[sha256])) for sha256 in found)


def _holds(wanted: Search) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if bought_by := _is_of(images, wanted):
        belonging = select(members.c.shot_key).where(*_is_of(members, wanted))
        is_bought = and_(*bought_by)
        conditions.append(or_(is_bought, images.c.shot_key.in_(belonging)))
    if wanted.made_from is not None:
        conditions.append(images.c.made_at >= wanted.made_from)
    if wanted.made_before is not None:
        conditions.append(images.c.made_at < wanted.made_before)
    return conditions


def _is_of(table: Table, wanted: Search) -> list[ColumnElement[bool]]:
    named = {"campaign": wanted.campaign, "edition": wanted.edition}
    return [table.c[name] == value for name, value in named.items() if value is not None]
