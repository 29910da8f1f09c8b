"""What people say of pictures for all campaigns, for ever: that one is restored, that two are no duplicates.

Each ruling is a file among the decisions of the archive, written once. Of a picture that was restored and rejected the
later word holds; that two pictures are no duplicates of each other is never taken back.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from blocks.archive.layout import decision_key
from blocks.archive.store import Store
from blocks.provider import Frozen
from tasks.grouping import Pair
from tasks.models import sha256_of
from tasks.review import Decision
from tasks.versioned import read_versioned

RULING_FORMAT = 1
"""Version of these files. It only grows; a reader refuses what is newer than itself."""

RESTORED = "restored"

_PREFIX = "ruling-"
_DIGITS = 20
_READERS = 8
_PICTURES = {"restored": 1, "not_duplicate": 2}


class Ruling(Frozen):
    """One word on one picture, or on two."""

    format: int = RULING_FORMAT
    kind: Literal["restored", "not_duplicate"]
    images: tuple[str, ...] = Field(description="SHA-256 of the picture, or of both, in their order.")
    by: Literal["command", "sheet"]
    decided_at: datetime

    @model_validator(mode="after")
    def _is_about_so_many(self) -> Self:
        if len(self.images) != _PICTURES[self.kind] or list(self.images) != sorted(set(self.images)):
            raise ValueError(f"{self.kind} is about {_PICTURES[self.kind]} different pictures, in order")
        return self

    @property
    def key(self) -> str:
        """Where it lies. Two pictures are told apart once; a picture that was rejected since is restored anew."""
        when = self.decided_at.isoformat() if self.kind == "restored" else ""
        return decision_key(_PREFIX + sha256_of("\n".join((self.kind, *self.images, when)).encode())[:_DIGITS])


class Rulings(Frozen):
    """All rulings of an archive."""

    all: tuple[Ruling, ...] = ()

    @property
    def apart(self) -> frozenset[Pair]:
        """The pairs that are no duplicates of each other."""
        return frozenset(frozenset(each.images) for each in self.all if each.kind == "not_duplicate")

    def decisions_for(self, campaign: str, edition: str) -> tuple[Decision, ...]:
        """Says of restored pictures what a decision of this edition would say."""
        return tuple(_as_decision(each, campaign, edition) for each in self.all if each.kind == "restored")


def restored(sha256: str, by: Literal["command", "sheet"], now: datetime) -> Ruling:
    """Makes the ruling that a picture is a keeper."""
    return Ruling(kind="restored", images=(sha256,), by=by, decided_at=now)


def told_apart(one: str, other: str, now: datetime) -> Ruling:
    """Makes the ruling that two pictures are no duplicates of each other."""
    first, second = sorted((one, other))
    return Ruling(kind="not_duplicate", images=(first, second), by="command", decided_at=now)


async def keep_rulings(rulings: Iterable[Ruling], store: Store) -> int:
    """Writes rulings; returns how many of them are new."""
    written = [await store.put_if_absent(each.key, f"{each.model_dump_json(indent=2)}\n".encode()) for each in rulings]
    return sum(written)


async def rulings_in(store: Store) -> Rulings:
    """Reads all rulings of an archive, the oldest first.

    Raises:
        ArchiveError: One of them is damaged, or was written by a newer version.
    """
    readers = asyncio.Semaphore(_READERS)

    async def read(key: str) -> Ruling:
        async with readers:
            return read_versioned(Ruling, RULING_FORMAT, key, await store.get(key))

    prefix = decision_key(_PREFIX).removesuffix(".json")
    found = await asyncio.gather(*[read(key) async for key in store.list(prefix)])
    return Rulings(all=tuple(sorted(found, key=lambda each: (each.decided_at, each.key))))


def _as_decision(ruling: Ruling, campaign: str, edition: str) -> Decision:
    return Decision(
        campaign=campaign,
        edition=edition,
        step=0,
        round=0,
        question=RESTORED,
        shown=ruling.images,
        by=ruling.by,
        run_id=ruling.key,
        decided_at=ruling.decided_at,
    )
