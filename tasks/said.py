"""What people have decided about one image, in all campaigns."""

import asyncio
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from blocks.archive.store import Store
from blocks.errors import ArchiveError
from blocks.provider import Frozen

READERS = 8


class Said(Frozen):
    """One decision, as far as it is about this image."""

    decided_at: datetime
    campaign: str
    """Empty where it is said for all campaigns."""
    edition: str
    what: Literal["kept", "rejected", "made again", "restored", "told apart"]
    by: str
    note: str = ""
    stars: int | None = None


class _Named(BaseModel):
    sha256: str
    stars: int | None = None


class _Decision(BaseModel):
    """Of a decision, what there is to tell. What other versions add is passed over."""

    decided_at: datetime
    campaign: str
    edition: str
    by: str
    note: str = ""
    shown: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    again: tuple[_Named, ...] = ()
    stars: tuple[_Named, ...] = ()

    def about(self, sha256: str) -> Said | None:
        """What it says of one image; None where it says nothing."""
        stars = next((each.stars for each in self.stars if each.sha256 == sha256), None)
        if stars is None and sha256 not in self.shown:
            return None
        is_again = sha256 in (each.sha256 for each in self.again)
        return Said(
            decided_at=self.decided_at,
            campaign=self.campaign,
            edition=self.edition,
            what="made again" if is_again else "rejected" if sha256 in self.rejected else "kept",
            by=self.by,
            note=self.note,
            stars=stars,
        )


class _Ruling(BaseModel):
    """Of a word on pictures in all campaigns, what there is to tell."""

    kind: Literal["restored", "not_duplicate"]
    images: tuple[str, ...]
    by: str
    decided_at: datetime

    def about(self, sha256: str) -> Said | None:
        """What it says of one image; None where it says nothing."""
        if sha256 not in self.images:
            return None
        others = ", ".join(each for each in self.images if each != sha256)
        what: Literal["restored", "told apart"] = "restored" if self.kind == "restored" else "told apart"
        note = f"no duplicate of {others}" if others else ""
        return Said(decided_at=self.decided_at, campaign="", edition="", what=what, by=self.by, note=note)


_ANY: TypeAdapter[_Decision | _Ruling] = TypeAdapter(_Decision | _Ruling)


async def said_about(sha256: str, store: Store) -> tuple[Said, ...]:
    """Reads all decisions of an archive, and tells those about one image, the oldest first.

    A decision that cannot be read is passed over: the campaign that it belongs to complains of it.
    """
    readers = asyncio.Semaphore(READERS)

    async def read(key: str) -> Said | None:
        async with readers:
            try:
                return _ANY.validate_json(await store.get(key)).about(sha256)
            except (ArchiveError, ValidationError):
                return None

    said = await asyncio.gather(*[read(key) async for key in store.list("decisions/")])
    return tuple(sorted((each for each in said if each is not None), key=lambda each: each.decided_at))
