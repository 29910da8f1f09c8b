"""The nouns of the work, as frozen values that tasks and flows hand to each other.

No Prefect and no httpx here. The brief, which people write, has its own module: `tasks/brief.py`.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self

import rfc8785
from pydantic import Field

from blocks.provider import MAX_SEED, Frozen, Money, PictureRequest, ProviderName
from tasks.measured import Checks, Drift, DriftFlag, How
from tasks.shown import one_line

RECORD_FORMAT = 4
"""Version of the record files in an archive. It only grows; a reader refuses what is newer than itself.

2 added to the checks: the hash of the pixels, quality, flags and content credentials; and `again`. 3 added the
signature to the checks, the drift of edits, and who released a picture that was refused. 4 hashes the pixels by another
function. Their schema, for all formats so far, is `tasks/record.schema.json`.
"""

PROMPT_IN_NAME = 32
"""Characters of a prompt in the name of a run, which stands beside a bar in the timeline."""


def sha256_of(data: bytes) -> str:
    """Names bytes: the hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def derive_seed(*parts: str | int) -> int:
    """Draws a seed that depends on nothing but its parts, the same on every machine (0 to 2**31 - 1)."""
    return int.from_bytes(hashlib.sha256(rfc8785.dumps(list(parts))).digest()[:8]) % (MAX_SEED + 1)


class Binding(Frozen):
    """One choice that made a prompt: an axis and its value."""

    name: str
    value: str


class Prompt(Frozen):
    """One finished text, with the choices that made it."""

    text: str
    template: str
    bindings: tuple[Binding, ...] = ()


class ReferenceUse(Frozen):
    """A reference picture in its role, known by the SHA-256 of its bytes."""

    role: str
    sha256: str


class Shot(Frozen):
    """One planned, priced request.

    Its key is made of what is bought (`provider`, `sandbox`, `request`, and `again` where that is said) and of nothing
    else, so that the same work has the same key in every campaign and on every machine. The other fields say where it
    comes from.
    """

    provider: ProviderName
    sandbox: bool = Field(
        description="True when the provider is the local stand-in: not the same work as the vendor's."
    )
    request: PictureRequest
    prompt: Prompt
    position: int = Field(ge=0, description="Place in the plan: prompts first, then seeds, then edits.")
    step: int = Field(default=0, ge=0, description="0: generated; n: made by the n-th edit of its chain.")
    parent_sha256: str | None = None
    references: tuple[ReferenceUse, ...] = ()
    again: str | None = Field(
        default=None, description="Edition of the replay that buys once more what was bought before; null otherwise."
    )

    @property
    def key(self) -> str:
        """The shot key: SHA-256 of the canonical JSON (RFC 8785) of what is bought."""
        work: dict[str, Any] = {
            "provider": self.provider,
            "sandbox": self.sandbox,
            "request": self.request.model_dump(mode="json", exclude_none=True),
        }
        if self.again is not None:
            work["again"] = self.again
        return sha256_of(rfc8785.dumps(work))

    @property
    def label(self) -> str:
        """What a message calls it: `edit 2 · 9f86d081`."""
        return f"{'shot' if self.step == 0 else f'edit {self.step}'} · {self.key[:8]}"

    @property
    def run_name(self) -> str:
        """What a person reads in a list of runs: `shot 12 · a red teapot… · 9f86d081`, `edit 2 of shot 12 · …`."""
        place = f"shot {self.position + 1}" if self.step == 0 else f"edit {self.step} of shot {self.position + 1}"
        return f"{place} · {one_line(self.request.prompt, PROMPT_IN_NAME)} · {self.key[:8]}"


class Release(Frozen):
    """A person's word that a picture which the gate refused is to be taken in as it is."""

    by: str
    at: datetime
    reason: str = Field(description="Why it was refused.")


class ImageRecord(Frozen):
    """Everything about one image: where it came from, what it cost, how to make it again. Written once."""

    format: int = RECORD_FORMAT
    sha256: str
    shot_key: str
    provider: ProviderName
    sandbox: bool
    job_id: str
    output_index: int
    request: PictureRequest
    prompt: Prompt
    step: int
    parent_sha256: str | None
    references: tuple[ReferenceUse, ...]
    again: str | None = Field(default=None, description="Edition of the replay that made it; null: of no replay.")
    campaign: str
    edition: str
    position: int
    cost: Money | None = Field(description="What this image cost; None where nobody says.")
    checks: Checks
    drift: Drift | None = Field(default=None, description="How far an edit went from its parent; null: not measured.")
    released: Release | None = Field(
        default=None, description="Who took it in although the gate refused it; null: it passed."
    )
    made_at: datetime


class Verdict(Frozen):
    """What dedupe, or a person, says about one image. A record, never a deletion."""

    sha256: str
    kind: Literal["keeper", "duplicate", "rejected"]
    keeper_sha256: str = Field(description="The image itself, or the one that it repeats.")
    distance_bits: int = Field(ge=0, description="Bits of 192 that differ from the keeper.")
    how: How | None = Field(default=None, description="In what way a duplicate repeats its keeper; null: it is none.")
    is_color_variant: bool = Field(default=False, description="Like another one in gray, in other colours.")
    reason: str
    rule: str = Field(default="", description="Signature, threshold and options that it was found by.")


class Failure(Frozen):
    """A shot that made no picture, and why, in words for a person."""

    shot_key: str
    prompt: str
    step: int
    kind: str = Field(description="Name of the error class, such as `JobFailed`.")
    message: str


class Flagged(Frozen):
    """An edit that changed more or less than its step allows (`tasks/change_limits.py`)."""

    sha256: str
    step: int
    kind: DriftFlag
    outcome: Literal["kept", "replaced", "stopped"] = Field(
        description="`kept`: it goes on; `replaced`: another attempt does; `stopped`: its chain ends here."
    )
    reason: str = Field(description="In words for a person.")


class Made(Frozen):
    """What became of a number of shots."""

    images: tuple[ImageRecord, ...] = ()
    failures: tuple[Failure, ...] = ()
    bought: int = 0
    reused: int = 0
    flagged: tuple[Flagged, ...] = ()

    @property
    def stays_behind(self) -> frozenset[str]:
        """SHA-256 of the edits that nothing is made of any more."""
        return frozenset(each.sha256 for each in self.flagged if each.outcome != "kept")

    @classmethod
    def of(cls, parts: Iterable["Made"]) -> Self:
        """Puts parts together, in their order."""
        all_parts = tuple(parts)
        return cls(
            images=tuple(image for part in all_parts for image in part.images),
            failures=tuple(failure for part in all_parts for failure in part.failures),
            bought=sum(part.bought for part in all_parts),
            reused=sum(part.reused for part in all_parts),
            flagged=tuple(flagged for part in all_parts for flagged in part.flagged),
        )

    def __add__(self, other: "Made") -> "Made":
        return Made.of((self, other))


class Round(Frozen):
    """One round of a campaign that goes on until it has a number of distinct pictures (`tasks/rounds.py`)."""

    change: Literal["prompts", "seeds"] = Field(description="What makes its pictures differ from those before.")
    planned: int = Field(description="Shots.")
    paid: int = Field(description="Pictures that came of them, bought now or before.")
    gained: int = Field(description="By how many distinct pictures there are more since the round before.")
    distinct: int = Field(description="Distinct pictures of all rounds so far.")
    target: int = Field(description="Distinct pictures that are wanted.")
    ended_by: Literal["reached", "yield", "budget", "stopped", "failed", "exhausted"] | None = Field(
        default=None, description="Why no round follows; null: one does."
    )
    message: str = Field(default="", description="The same for people: `reached 100 of 100`.")


class Production(Frozen):
    """Shots, in the order of the plan, and what became of them."""

    shots: tuple[Shot, ...] = ()
    made: Made = Made()
    rounds: tuple[Round, ...] = ()

    def __add__(self, other: "Production") -> "Production":
        return Production(
            shots=self.shots + other.shots, made=self.made + other.made, rounds=self.rounds + other.rounds
        )


class Cost(Frozen):
    """Amounts in several units, one for each: creative units and dollars do not add up."""

    amounts: tuple[Money, ...] = ()

    @classmethod
    def of(cls, amounts: Iterable[Money | None]) -> Self:
        """Adds up what is known, unit by unit."""
        totals: dict[str, Decimal] = {}
        for money in amounts:
            if money is not None:
                totals[money.unit] = totals.get(money.unit, Decimal(0)) + money.amount
        return cls(amounts=tuple(Money(amount=total, unit=unit) for unit, total in sorted(totals.items())))

    def __str__(self) -> str:
        return " + ".join(str(money) for money in self.amounts) or "nothing"


class Balance(Frozen):
    """The money of all runs of one edition of a campaign, in one unit."""

    unit: str
    estimated: Decimal = Field(description="Price of all shots, as it was when they were reserved.")
    reserved: Decimal = Field(description="The part of it whose outcome is still open.")
    billed: Decimal = Field(description="What the providers said that they charged.")
    lost: Decimal = Field(description="Price of shots that may have been bought and were not found.")

    def amounts(self) -> tuple[tuple[str, str], ...]:
        """Names each amount as people read it, without needless zeros."""
        named = {"estimated": self.estimated, "paid": self.billed, "open": self.reserved, "perhaps lost": self.lost}
        return tuple((name, f"{amount.normalize():f}") for name, amount in named.items())


class CampaignResult(Frozen):
    """What a campaign made."""

    campaign: str
    edition: str
    archive: str = Field(description="Root of the archive.")
    images: tuple[ImageRecord, ...]
    verdicts: tuple[Verdict, ...]
    failures: tuple[Failure, ...]
    bought: int = Field(description="Shots that this run bought.")
    reused: int = Field(description="Shots that an earlier run had bought.")
    cost: Cost = Field(description="What this run spent, as far as the providers say.")
    balances: tuple[Balance, ...] = Field(default=(), description="What all runs of this edition cost, by unit.")
    contact_sheet: str = Field(description="Path of the contact sheet.")
    rounds: tuple[Round, ...] = Field(default=(), description="With `target_unique`: its rounds, in their order.")
    flagged: tuple[Flagged, ...] = Field(
        default=(), description="Edits that changed more or less than their step allows."
    )

    @property
    def keepers(self) -> tuple[ImageRecord, ...]:
        """The images that are neither duplicates nor rejected, each once, in the order of the plan."""
        kept = {verdict.sha256 for verdict in self.verdicts if verdict.kind == "keeper"}
        once: dict[str, ImageRecord] = {}
        for image in self.images:
            if image.sha256 in kept:
                once.setdefault(image.sha256, image)
        return tuple(once.values())

    @property
    def duplicates(self) -> tuple[Verdict, ...]:
        """The verdicts on images that repeat another."""
        return tuple(verdict for verdict in self.verdicts if verdict.kind == "duplicate")

    @property
    def rejected(self) -> tuple[Verdict, ...]:
        """The verdicts on images that a person has put aside."""
        return tuple(verdict for verdict in self.verdicts if verdict.kind == "rejected")
