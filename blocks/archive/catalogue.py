"""The records of images as rows, to be searched: an index over the archive's record files, rebuilt from them at will.

Knows columns and JSON, not what they mean.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, Table, and_, delete, func, insert, select

from blocks.archive import lineage
from blocks.archive.database import Database
from blocks.archive.schema import images, members, signatures, verdicts
from blocks.archive.search import Found, Search, search
from blocks.archive.signatures import Signature, Signed, select_images, select_signed
from blocks.archive.sql import chunks, insert_all_absent, insert_or_replace
from blocks.errors import ArchiveError
from blocks.provider import Frozen

SHA256_DIGITS = 64
T = TypeVar("T")
Insert = Callable[[Connection, Table, Sequence[Mapping[str, Any]]], None]

_HEX_DIGITS = frozenset("0123456789abcdef")


class CatalogueEntry(Frozen):
    """An image's record, with the columns that it is searched by."""

    sha256: str
    size_bytes: int
    media_type: str
    width_px: int
    height_px: int
    shot_key: str
    provider: str
    model: str
    prompt: str
    seed: int | None
    parent_sha256: str | None = Field(default=None, description="The image that this one is an edit of.")
    campaign: str
    edition: str
    step: int = Field(description="0 for a first image, then one more with each edit.")
    fingerprint: bytes = Field(default=b"", repr=False, description="24 bytes, or none where none was made.")
    signature_rule: str = Field(default="", description="What made the signature: only those of one rule compare.")
    signature: bytes = Field(default=b"", repr=False, description="What near-duplicates are found by, or nothing.")
    made_at: datetime
    record_json: str = Field(repr=False)

    def signed_as(self, row: "CatalogueEntry | None") -> Self:
        """Takes over the signature of a row that was signed anew, by another rule than the record's."""
        if row is None or not row.signature or row.signature_rule == self.signature_rule:
            return self
        return self.model_copy(update={"signature_rule": row.signature_rule, "signature": row.signature})


class VerdictRow(Frozen):
    """What dedupe, or a person, said of an image in one edition of a campaign."""

    campaign: str
    edition: str
    sha256: str
    kind: str
    keeper_sha256: str | None = None
    distance_bits: int | None = None
    reason: str
    rule: str


class Member(NamedTuple):
    """A shot's place in one edition of a campaign."""

    shot_key: str
    position: int
    step: int


class Catalogue:
    """The images of an archive, in its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Iterable[CatalogueEntry]) -> None:
        """Records images; what is known by its SHA-256 already stays as it is."""
        await self._database.write(partial(_insert, entries=list(entries), insert=insert_all_absent))

    async def put(self, entries: Iterable[CatalogueEntry]) -> None:
        """Records images, each in the place of what was said of it before: for a rebuild from the records."""
        await self._database.write(partial(_insert, entries=list(entries), insert=insert_or_replace))

    async def get(self, sha256: str) -> CatalogueEntry | None:
        """The image with this SHA-256, or None."""
        return next(iter(await self.entries([sha256])), None)

    async def entries(self, sha256s: Iterable[str]) -> tuple[CatalogueEntry, ...]:
        """The images with these SHA-256s, in the order asked for; unknown ones are left out."""
        asked = list(dict.fromkeys(sha256s))
        found = await self._database.read(partial(_entries, sha256s=asked))
        return tuple(found[sha256] for sha256 in asked if sha256 in found)

    async def find_prefix(self, prefix: str, limit: int = 10) -> tuple[CatalogueEntry, ...]:
        """Images whose SHA-256 starts with these digits, at most `limit`; nothing for what are no such digits."""
        digits = prefix.lower()
        if not 1 <= len(digits) <= SHA256_DIGITS or not _HEX_DIGITS.issuperset(digits):
            return ()
        within = and_(images.c.sha256 >= digits, images.c.sha256 < f"{digits}g")
        return await self._images(select_images().where(within).order_by(images.c.sha256).limit(limit))

    async def children_of(self, sha256: str) -> tuple[CatalogueEntry, ...]:
        """The edits of an image, the oldest first."""
        edits = select_images().where(images.c.parent_sha256 == sha256)
        return await self._images(edits.order_by(images.c.made_at, images.c.sha256))

    async def ancestors_of(self, sha256: str) -> tuple[CatalogueEntry, ...]:
        """What an image was made from, edit by edit: its first image comes first, its parent last."""
        return await self._images(lineage.ancestors(sha256))

    async def descendants_of(self, sha256: str) -> tuple[CatalogueEntry, ...]:
        """All that was made from an image, edits of edits included: after their parents, the oldest first."""
        return await self._images(lineage.descendants(sha256))

    async def count(self) -> int:
        """How many images there are."""
        return await self._database.read(lambda connection: connection.scalar(select(func.count(images.c.sha256))) or 0)

    async def sha256s(self) -> frozenset[str]:
        """The SHA-256s of all images."""
        return await self._database.read(lambda connection: frozenset(connection.scalars(select(images.c.sha256))))

    async def signatures(
        self,
        *,
        exclude_campaign: str | None = None,
        exclude_edition: str | None = None,
        made_before: datetime | None = None,
    ) -> tuple[Signed, ...]:
        """The signatures of all images that have one, by whatever rule, the oldest image first.

        Args:
            exclude_campaign: Leaves out the images that this campaign made or contains.
            exclude_edition: Leaves out only those of this edition of it.
            made_before: Leaves out the images that are not older than this.
        """
        wanted = select_signed(exclude_campaign, exclude_edition, made_before)
        return await self._read(wanted, lambda row: Signed(**row))

    async def put_signatures(self, made: Iterable[Signature]) -> None:
        """Signs images anew, each in the place of the signature that it had."""
        rows = [each._asdict() for each in made]
        await self._database.write(lambda connection: insert_or_replace(connection, signatures, rows))

    async def add_members(self, campaign: str, edition: str, shots: Iterable[tuple[str, int, int]]) -> None:
        """Says which shots (shot key, position, step) an edition of a campaign consists of; known ones stay."""
        rows = [
            {"campaign": campaign, "edition": edition, "shot_key": shot_key, "position": position, "step": step}
            for shot_key, position, step in shots
        ]
        await self._database.write(lambda connection: insert_all_absent(connection, members, rows))

    async def editions(self) -> frozenset[tuple[str, str]]:
        """The editions of campaigns of which it is known what they consist of."""
        known = select(members.c.campaign, members.c.edition).distinct()
        return frozenset(await self._read(known, lambda row: (row["campaign"], row["edition"])))

    async def members_of(self, campaign: str, edition: str) -> tuple[Member, ...]:
        """The shots of an edition of a campaign, in the order of their positions."""
        mine = select(members.c.shot_key, members.c.position, members.c.step).where(
            members.c.campaign == campaign, members.c.edition == edition
        )
        return await self._read(mine.order_by(members.c.position, members.c.shot_key), lambda row: Member(**row))

    async def images_of(self, campaign: str, edition: str) -> tuple[CatalogueEntry, ...]:
        """The images of an edition of a campaign, in the order of its shots, also those that another one bought."""
        mine = select_images().join(members, members.c.shot_key == images.c.shot_key)
        mine = mine.where(members.c.campaign == campaign, members.c.edition == edition)
        return await self._images(mine.order_by(members.c.position, images.c.made_at, images.c.sha256))

    async def search(self, wanted: Search) -> tuple[Found, ...]:
        """The images that a campaign or a span of time holds, with the verdicts on them there, by SHA-256."""
        return await self._database.read(partial(search, wanted=wanted))

    async def put_verdicts(self, campaign: str, edition: str, given: Iterable[VerdictRow]) -> None:
        """Replaces all verdicts of an edition of a campaign at once.

        Raises:
            ArchiveError: A verdict belongs to another edition; nothing was changed.
        """
        rows = [verdict.model_dump() for verdict in given]
        for row in rows:
            if (row["campaign"], row["edition"]) != (campaign, edition):
                raise ArchiveError(
                    f"The verdict on {row['sha256']} belongs to {row['campaign']} {row['edition']}, "
                    f"so it cannot be put into {campaign} {edition}."
                )
        await self._database.write(partial(_put_verdicts, campaign=campaign, edition=edition, rows=rows))

    async def verdicts_of(self, campaign: str, edition: str) -> tuple[VerdictRow, ...]:
        """The verdicts of an edition of a campaign, by SHA-256."""
        mine = select(verdicts).where(verdicts.c.campaign == campaign, verdicts.c.edition == edition)
        return await self._read(mine.order_by(verdicts.c.sha256), lambda row: VerdictRow(**row))

    async def verdicts_for(self, sha256: str) -> tuple[VerdictRow, ...]:
        """All verdicts on an image, whatever the campaign."""
        on_it = select(verdicts).where(verdicts.c.sha256 == sha256)
        return await self._read(on_it.order_by(verdicts.c.campaign, verdicts.c.edition), lambda row: VerdictRow(**row))

    async def _images(self, statement: Select[Any]) -> tuple[CatalogueEntry, ...]:
        return await self._read(statement, lambda row: CatalogueEntry(**row))

    async def _read(self, statement: Select[Any], make: Callable[[RowMapping], T]) -> tuple[T, ...]:
        """Runs a query, and makes its values beside it in the thread: a million rows must not hold up the loop."""
        return await self._database.read(
            lambda connection: tuple(make(row) for row in connection.execute(statement).mappings())
        )


def _insert(connection: Connection, entries: list[CatalogueEntry], insert: Insert) -> None:
    insert(connection, images, [entry.model_dump(exclude={"signature", "signature_rule"}) for entry in entries])
    signed = [Signature(entry.sha256, entry.signature_rule, entry.signature) for entry in entries if entry.signature]
    insert(connection, signatures, [each._asdict() for each in signed])


def _entries(connection: Connection, sha256s: list[str]) -> dict[str, CatalogueEntry]:
    found: dict[str, CatalogueEntry] = {}
    for chunk in chunks(sha256s):
        rows = connection.execute(select_images().where(images.c.sha256.in_(chunk))).mappings()
        found |= {row["sha256"]: CatalogueEntry(**row) for row in rows}
    return found


def _put_verdicts(connection: Connection, campaign: str, edition: str, rows: list[dict[str, Any]]) -> None:
    connection.execute(delete(verdicts).where(verdicts.c.campaign == campaign, verdicts.c.edition == edition))
    if rows:
        connection.execute(insert(verdicts), rows)
