"""The way of an image through its edits, up and down, as one query each: milliseconds, also among millions."""

from typing import Any

from sqlalchemy import Select, Subquery, literal, select

from blocks.archive.schema import images
from blocks.archive.signatures import select_images

MAX_STEPS = 1000
"""Longer than any chain of edits. A parent is known before its edit, so there are no circles; a damaged row may lie."""

MAX_DESCENDANTS = 10_000


def ancestors(sha256: str) -> Select[Any]:
    """Selects what an image was made from, the first one first."""
    child = select(images.c.parent_sha256.label("sha256"), literal(1).label("steps")).where(images.c.sha256 == sha256)
    way = child.cte("way", recursive=True)
    parent = select(images.c.parent_sha256, way.c.steps + 1).join(way, images.c.sha256 == way.c.sha256)
    return _of(way.union_all(parent.where(way.c.steps < MAX_STEPS)).select().subquery(), is_upwards=True)


def descendants(sha256: str) -> Select[Any]:
    """Selects all that was made from an image, step by step, at most `MAX_DESCENDANTS`."""
    edits = select(images.c.sha256, literal(1).label("steps")).where(images.c.parent_sha256 == sha256)
    way = edits.cte("way", recursive=True)
    further = select(images.c.sha256, way.c.steps + 1).join(way, images.c.parent_sha256 == way.c.sha256)
    return _of(way.union_all(further.where(way.c.steps < MAX_STEPS)).select().subquery(), is_upwards=False)


def _of(way: Subquery, *, is_upwards: bool) -> Select[Any]:
    steps = way.c.steps.desc() if is_upwards else way.c.steps
    found = select_images().join(way, images.c.sha256 == way.c.sha256)
    return found.order_by(steps, images.c.made_at, images.c.sha256).limit(MAX_DESCENDANTS)
