"""The values that go into the ledger and come out of it."""

import json
from datetime import datetime
from decimal import Decimal

from pydantic import Field, field_validator
from sqlalchemy import RowMapping

from blocks.archive.states import ShotState
from blocks.provider import Frozen, Money

MICRO = Decimal(1_000_000)
MAX_CHARGE = Decimal(1_000_000_000)
"""Far above any real price, and far below what 64 bits of millionths hold."""


class Charge(Frozen):
    """What a shot takes from a budget.

    Args:
        scope: Name of the budget.
        amount: In the budget's unit; counted in millionths, rounded up.
    """

    scope: str = Field(min_length=1)
    amount: Decimal = Field(ge=0, le=MAX_CHARGE)


class Reservation(Frozen):
    """A shot that somebody wants to buy.

    Args:
        shot_key: SHA-256 of the shot's canonical JSON.
        provider: Who is to make it.
        sandbox: True where no real money moves.
        request_json: The full request, as it will be sent.
        campaign: For which campaign.
        edition: For which edition of it.
        run_id: Who reserves it.
        price: What it should cost, in the provider's unit; None where nobody knows.
        charges: What it takes from budgets, from each or from none: of the run, of the day, of the month. All of them
            count in one unit.
    """

    shot_key: str = Field(min_length=1)
    provider: str
    sandbox: bool
    request_json: str
    campaign: str
    edition: str
    run_id: str
    price: Money | None = None
    charges: tuple[Charge, ...] = ()

    @field_validator("charges")
    @classmethod
    def _charge_each_budget_once(cls, charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
        if len({charge.scope for charge in charges}) < len(charges):
            raise ValueError("a budget is charged twice for one shot")
        return charges


class LedgerEntry(Frozen):
    """One attempt at one shot, as the ledger knows it.

    `run_id` is its owner: the run that reserved it, or took charge of it later. `reserved` and `billed` are in the
    provider's unit. `images` are SHA-256s, in the order of the job's outputs. `retryable` says of a failed one whether
    the same input could succeed, where the provider says so.
    """

    shot_key: str
    provider: str
    sandbox: bool
    request_json: str = Field(repr=False)
    campaign: str
    edition: str
    run_id: str
    state: ShotState
    attempt: int
    reserved: Money | None
    billed: Money | None
    job_id: str | None
    images: tuple[str, ...]
    error_code: str | None
    error_message: str | None
    retryable: bool | None
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime


class Claim(Frozen):
    """The outcome of a reservation: `won` where the shot is the caller's to send, and the entry that stands."""

    won: bool
    entry: LedgerEntry


class BudgetState(Frozen):
    """A budget: its limit, and what is reserved, spent or lost of it."""

    scope: str
    limit: Money
    committed: Money

    @property
    def left(self) -> Money:
        """What can still be reserved; negative where a bill or a lowered limit passed it."""
        return Money(amount=self.limit.amount - self.committed.amount, unit=self.limit.unit)


def entry_of(row: RowMapping) -> LedgerEntry:
    """Reads a row of `shots` or `past_attempts`."""
    return LedgerEntry(
        shot_key=row["shot_key"],
        provider=row["provider"],
        sandbox=row["sandbox"],
        request_json=row["request_json"],
        campaign=row["campaign"],
        edition=row["edition"],
        run_id=row["run_id"],
        state=ShotState(row["state"]),
        attempt=row["attempt"],
        reserved=money_of(row["reserved_amount"], row["reserved_unit"]),
        billed=money_of(row["billed_amount"], row["billed_unit"]),
        job_id=row["job_id"],
        images=tuple(json.loads(row["images_json"])),
        error_code=row["error_code"],
        error_message=row["error_message"],
        retryable=row["retryable"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
        updated_at=row["updated_at"],
    )


def money_of(amount: Decimal | None, unit: str | None) -> Money | None:
    """Puts an amount and its unit together; None where either is unknown."""
    return None if amount is None or unit is None else Money(amount=amount, unit=unit)


def from_micro(micro: int) -> Decimal:
    """Millionths as a decimal, exactly."""
    return micro / MICRO
