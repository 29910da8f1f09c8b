"""The durable record of every shot's money: at most one worker sends a shot, and no budget is ever passed.

Every method is one transaction. The states and the steps between them: `states.py`; how a step is taken: `attempts.py`;
who may take it in the place of a run that is gone: `owners.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from blocks.archive import attempts, budgets, lookup, owners, restoring
from blocks.archive.attempts import Rules, Step
from blocks.archive.database import Database
from blocks.archive.entries import BudgetState, Charge, Claim, LedgerEntry, Reservation
from blocks.archive.owners import BEAT_SECONDS, LEASE_SECONDS
from blocks.archive.restoring import RestoredShot
from blocks.archive.states import LEGAL_STEPS, OPEN_STATES, ShotState
from blocks.archive.totals import LedgerTotals, StateTotal, UnitTotal, read_totals
from blocks.provider import Money

__all__ = [
    "BEAT_SECONDS",
    "LEASE_SECONDS",
    "LEGAL_STEPS",
    "OPEN_STATES",
    "BudgetState",
    "Charge",
    "Claim",
    "Ledger",
    "LedgerEntry",
    "LedgerTotals",
    "Reservation",
    "RestoredShot",
    "ShotState",
    "StateTotal",
    "UnitTotal",
]


class Ledger:
    """The money of every shot, in the archive's database.

    Every method returns only when what it did is on the disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_run(self, run_id: str) -> None:
        """Registers a run with the process where it is at work, before it reserves anything.

        Raises:
            ArchiveError: There was a run of this id already.
        """
        await self._database.write(partial(owners.begin_run, run_id=run_id))

    async def beat(self, run_id: str) -> None:
        """Says that a run is still at work: once in `BEAT_SECONDS`, or after `LEASE_SECONDS` it counts as gone.

        Raises:
            ArchiveError: It never began.
        """
        await self._database.write(partial(owners.beat, run_id=run_id))

    async def end_run(self, run_id: str) -> None:
        """Says that a run has ended: what it left open may be taken over at once."""
        await self._database.write(partial(owners.end_run, run_id=run_id))

    async def is_gone(self, run_id: str) -> bool:
        """Says whether a run will do nothing more.

        It has ended, or its process on this very machine no longer exists, or nobody has heard of it for
        `LEASE_SECONDS`. A run that was never registered was last heard of when it last touched an open shot.
        """
        return await self._database.read(partial(owners.is_gone, run_id=run_id))

    async def runs_at_work(self) -> tuple[str, ...]:
        """The runs that have begun and are not gone, the oldest first."""
        return await self._database.read(owners.at_work)

    async def runs_begun(self) -> int:
        """How many runs have ever begun: when it is the same again, none has come and gone meanwhile."""
        return await self._database.read(owners.begun)

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
        take_over_from: str | None = None,
    ) -> Claim:
        """Claims a shot and its money: of all workers exactly one wins.

        Who does not win is charged nothing, and gets the entry that stands.

        Args:
            reservation: What is to be bought.
            retry_failed: Whether a shot that failed may begin a new attempt.
            resubmit_lost: Whether a lost shot may: it may then be paid twice, and both are counted.
            take_over_from: A run that is gone: a shot that it has reserved and never sent is taken from it.

        Raises:
            BudgetExhausted: It does not fit into one of its budgets; nothing was changed.
            SetupError: One of the budgets was never opened, or they count in different units.
        """
        rules = Rules(retry_failed, resubmit_lost, take_over_from)
        return await self._database.write(partial(attempts.reserve, reservation=reservation, rules=rules))

    async def take_charge(self, shot_key: str, attempt: int, run_id: str, *, from_run_id: str) -> bool:
        """Makes a run the owner of an attempt that a run that is gone left in `sending`, `running` or `lost`.

        Of many that wait for it exactly one gets True: it finds out what became of the shot, then adopts its job or
        marks it as lost. The others go on waiting, for the new owner.
        """
        taking = partial(
            attempts.take_charge, shot_key=shot_key, attempt=attempt, run_id=run_id, from_run_id=from_run_id
        )
        return await self._database.write(taking)

    async def mark_sending(self, shot_key: str, attempt: int) -> LedgerEntry:
        """The submit goes out next. From here on only proof gives the money back."""
        return await self._step(Step(shot_key, attempt, ShotState.SENDING, {}))

    async def mark_running(self, shot_key: str, attempt: int, job_id: str, billed: Money | None = None) -> LedgerEntry:
        """The provider has the job. An answer that came after the shot was given up as lost counts too.

        Raises:
            IllegalTransition: The attempt is neither being sent nor lost, or gave way to a newer one.
            JobTaken: The job belongs to another shot, or to an earlier attempt; nothing was changed.
        """
        columns = {"job_id": job_id, "error_code": None, "error_message": None, **_bill(billed)}
        return await self._step(Step(shot_key, attempt, ShotState.RUNNING, columns))

    async def adopt(self, shot_key: str, attempt: int, job_id: str, billed: Money | None = None) -> LedgerEntry:
        """The job of a submit whose answer was lost has been found again; raises as `mark_running` does."""
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
            settled: The same in the unit of its budgets; None lets them count what was reserved.
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
        retryable: bool | None = None,
    ) -> LedgerEntry:
        """The provider had the job and made no picture; `billed` and `settled` as in `mark_done`.

        `retryable` says whether the same input could succeed; None where the provider does not say.
        """
        columns = {"error_code": code, "error_message": message, "retryable": retryable, **_bill(billed)}
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
        return await self._database.read(partial(lookup.find, shot_keys=list(shot_keys)))

    async def in_states(self, *states: ShotState) -> tuple[LedgerEntry, ...]:
        """All shots that are in one of these states, the oldest first."""
        return await self._database.read(partial(lookup.in_states, states=states))

    async def open_shots(self, campaign: str | None = None, edition: str | None = None) -> tuple[LedgerEntry, ...]:
        """The shots whose end is not known yet, the oldest first: what a reconciliation looks through.

        Those that were reserved, sent, running or lost, of all runs; of one campaign or edition where it is named.
        """
        asked = partial(lookup.in_states, states=OPEN_STATES, campaign=campaign, edition=edition)
        return await self._database.read(asked)

    async def past_attempts(self, shot_key: str) -> tuple[LedgerEntry, ...]:
        """The attempts at a shot that gave way to newer ones, in their order."""
        return await self._database.read(partial(lookup.past_attempts_of, shot_key=shot_key))

    async def names_of(self, among: Set[str]) -> frozenset[str]:
        """Of these pictures, those that the ledger names.

        As what a shot has made, in any attempt; and, of shots whose end is not known yet, as parents and references.
        """
        return await self._database.read(partial(lookup.names_of, among=among))

    async def totals(self, campaign: str | None = None, edition: str | None = None) -> LedgerTotals:
        """Counts and amounts per state and unit: of one edition of a campaign, or of all that is not named."""
        return await self._database.read(partial(read_totals, campaign=campaign, edition=edition))

    async def is_blank(self) -> bool:
        """Says whether no shot is known at all: the database is new, or was lost."""
        return await self._database.read(restoring.is_blank)

    async def unknown_shots(self, after: str, limit: int) -> dict[str, tuple[str, ...]]:
        """The pictures in the catalogue whose shots the ledger does not know, by shot key: so many behind `after`."""
        return await self._database.read(partial(restoring.unknown_shots, after=after, limit=limit))

    async def images_of(self, shot_keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The pictures in the catalogue of these shots, by shot key, whether the ledger knows the shots or not."""
        return await self._database.read(partial(restoring.images_of, shot_keys=shot_keys))

    async def accept(self, shot_key: str, job_id: str, images: Sequence[str]) -> bool:
        """Makes a shot done whose pictures were refused, and which a person has taken in as they are.

        False where its newest attempt has another job, or is still open.
        """
        return await self._database.write(partial(restoring.accept, shot_key=shot_key, job_id=job_id, sha256s=images))

    async def restore(self, restored: Sequence[RestoredShot]) -> tuple[RestoredShot, ...]:
        """Puts shots back that a lost database knew, and returns them; those that are known stay."""
        return await self._database.write(partial(restoring.restore, restored=restored))

    async def uncounted(
        self, scope: str, *, campaign: str | None = None, edition: str | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """The shots that were put back and that a budget does not count yet: of one edition, or since a moment."""
        asked = partial(restoring.uncounted, scope=scope, campaign=campaign, edition=edition, since=since)
        return await self._database.read(asked)

    async def count(self, scope: str, amounts: Mapping[str, Decimal]) -> None:
        """Lets an open budget count shots that were put back, by shot key and in its unit; each of them once."""
        held_micro = {shot_key: budgets.to_micro(amount) for shot_key, amount in amounts.items()}
        await self._database.write(partial(restoring.count, scope=scope, held_micro=held_micro))

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
