"""The durable record of every shot's money: at most one worker sends a shot, and no budget is ever passed.

Every method is one transaction. The states and the steps between them: `states.py`; how a step is taken: `attempts.py`.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from blocks.archive import attempts, budgets
from blocks.archive.attempts import Rules, Step
from blocks.archive.database import Database
from blocks.archive.entries import BudgetState, Charge, Claim, LedgerEntry, Reservation
from blocks.archive.states import LEGAL_STEPS, ShotState
from blocks.archive.totals import LedgerTotals, StateTotal, read_totals
from blocks.provider import Money

__all__ = [
    "LEGAL_STEPS",
    "BudgetState",
    "Charge",
    "Claim",
    "Ledger",
    "LedgerEntry",
    "LedgerTotals",
    "Reservation",
    "ShotState",
    "StateTotal",
]


class Ledger:
    """The money of every shot, in the archive's database.

    Every method returns only when what it did is on the disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_budget(self, scope: str, limit: Money) -> BudgetState:
        """Creates a budget, or raises or lowers its limit; what is committed stays counted.

        Raises:
            SetupError: The budget already counts money in another unit.
        """
        return await self._database.write(partial(budgets.open_budget, scope=scope, limit=limit))

    async def budget(self, scope: str) -> BudgetState | None:
        """Shows a budget; None where there is none of this name."""
        return await self._database.read(partial(budgets.read_budget, scope=scope))

    async def reserve(
        self,
        reservation: Reservation,
        *,
        retry_failed: bool = False,
        resubmit_lost: bool = False,
        take_over_before: datetime | None = None,
    ) -> Claim:
        """Claims a shot and its money: of all workers exactly one wins.

        Who does not win is charged nothing, and gets the entry that stands.

        Args:
            reservation: What is to be bought.
            retry_failed: Whether a shot that failed may begin a new attempt.
            resubmit_lost: Whether a lost shot may: it may then be paid twice, and both are counted.
            take_over_before: A shot that was reserved before this moment and never sent is taken from its owner.

        Raises:
            BudgetExhausted: It does not fit into the budget; nothing was changed.
            SetupError: The budget was never opened.
        """
        rules = Rules(retry_failed, resubmit_lost, take_over_before)
        return await self._database.write(partial(attempts.reserve, reservation=reservation, rules=rules))

    async def mark_sending(self, shot_key: str, attempt: int) -> LedgerEntry:
        """The submit goes out next. From here on only proof gives the money back."""
        return await self._step(Step(shot_key, attempt, ShotState.SENDING, {"sent_at": datetime.now(UTC)}))

    async def mark_running(self, shot_key: str, attempt: int, job_id: str, billed: Money | None = None) -> LedgerEntry:
        """The provider has the job. An answer that came after the shot was given up as lost counts too."""
        columns = {"job_id": job_id, "error_code": None, "error_message": None, **_bill(billed)}
        return await self._step(Step(shot_key, attempt, ShotState.RUNNING, columns))

    async def adopt(self, shot_key: str, attempt: int, job_id: str, billed: Money | None = None) -> LedgerEntry:
        """The job of a submit whose answer was lost has been found again."""
        return await self.mark_running(shot_key, attempt, job_id, billed)

    async def mark_done(
        self,
        shot_key: str,
        attempt: int,
        images: Sequence[str],
        billed: Money | None = None,
        *,
        settled: Decimal | None = None,
    ) -> LedgerEntry:
        """The pictures are in the store.

        Args:
            shot_key: The shot.
            attempt: The attempt.
            images: SHA-256s, in the order of the job's outputs.
            billed: What the provider charged, in its unit; None keeps what an earlier step said.
            settled: The same in the budget's unit; None lets the budget count what was reserved.
        """
        columns = {"images_json": json.dumps(list(images)), **_bill(billed)}
        return await self._step(Step(shot_key, attempt, ShotState.DONE, columns, _micro(settled)))

    async def mark_failed(
        self,
        shot_key: str,
        attempt: int,
        code: str | None,
        message: str,
        billed: Money | None = None,
        *,
        settled: Decimal | None = None,
    ) -> LedgerEntry:
        """The provider had the job and made no picture; `billed` and `settled` as in `mark_done`."""
        columns = {"error_code": code, "error_message": message, **_bill(billed)}
        return await self._step(Step(shot_key, attempt, ShotState.FAILED, columns, _micro(settled)))

    async def mark_lost(self, shot_key: str, attempt: int, message: str) -> LedgerEntry:
        """The job may exist and was not found. Its money stays counted."""
        return await self._step(Step(shot_key, attempt, ShotState.LOST, {"error_message": message}))

    async def release(self, shot_key: str, attempt: int, code: str | None, message: str) -> LedgerEntry:
        """There is proof that nothing was bought: all of the money goes back."""
        columns = {"error_code": code, "error_message": message}
        return await self._step(Step(shot_key, attempt, ShotState.RELEASED, columns, settled_micro=0))

    async def get(self, shot_key: str) -> LedgerEntry | None:
        """The newest attempt at a shot; None where the ledger does not know it."""
        return (await self.find([shot_key])).get(shot_key)

    async def find(self, shot_keys: Iterable[str]) -> dict[str, LedgerEntry]:
        """The newest attempts at these shots, by shot key; those that the ledger does not know are left out."""
        return await self._database.read(partial(attempts.find, shot_keys=list(shot_keys)))

    async def in_states(self, *states: ShotState) -> tuple[LedgerEntry, ...]:
        """All shots that are in one of these states, the oldest first: what a reconciliation looks through."""
        return await self._database.read(partial(attempts.in_states, states=states))

    async def past_attempts(self, shot_key: str) -> tuple[LedgerEntry, ...]:
        """The attempts at a shot that gave way to newer ones, in their order."""
        return await self._database.read(partial(attempts.past_attempts_of, shot_key=shot_key))

    async def totals(self, campaign: str, edition: str) -> LedgerTotals:
        """Counts and amounts of one edition of a campaign, per state and unit."""
        return await self._database.read(partial(read_totals, campaign=campaign, edition=edition))

    async def _step(self, step: Step) -> LedgerEntry:
        """Takes one step.

        Raises:
            IllegalTransition: The shot is not where this step begins, or the attempt is not the newest.
        """
        return await self._database.write(partial(attempts.take_step, step=step))


def _bill(billed: Money | None) -> dict[str, Any]:
    return {} if billed is None else {"billed_amount": billed.amount, "billed_unit": billed.unit}


def _micro(settled: Decimal | None) -> int | None:
    return None if settled is None else budgets.to_micro(settled)
