"""Any sequence of calls, right or wrong, in any order, keeps the ledger's promises."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, func, select

from blocks.archive.database import Database, open_database
from blocks.archive.ledger import LEGAL_STEPS, Charge, Ledger, LedgerEntry, Reservation, ShotState
from blocks.archive.schema import budgets, past_attempts, shots
from blocks.errors import BudgetExhausted, IllegalTransition
from blocks.provider import Money

KEYS = st.sampled_from(["1", "2", "3"])
ATTEMPTS = st.sampled_from([1, 1, 1, 2, 2, 3])
PRICES = st.sampled_from([0, 1, 2, 3])
BILLS = st.sampled_from([None, 0, 1, 2, 5])
LIMITS = st.sampled_from([0, 4, 8, 30])
LATER = datetime.now(UTC) + timedelta(days=1)


@dataclass
class Model:
    """What one shot should be."""

    state: ShotState
    attempt: int
    charged: int
    held: int
    sunk: int = 0  # what its past attempts still hold


def held_in_rows(connection: Connection) -> tuple[int, int, int]:
    now = connection.scalar(select(func.coalesce(func.sum(shots.c.held_micro), 0)))
    past = connection.scalar(select(func.coalesce(func.sum(past_attempts.c.held_micro), 0)))
    committed = connection.scalar(select(budgets.c.committed_micro))
    assert now is not None
    assert past is not None
    assert committed is not None
    return now, past, committed


class LedgerMachine(RuleBasedStateMachine):
    """Calls the ledger and a model of it, and compares; amounts are millionths."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.database: Database = self.runner.run(
            self.stack.enter_async_context(open_database(f"sqlite:///{Path(self.folder.name) / 'c.sqlite'}"))
        )
        self.ledger = Ledger(self.database)
        self.shots: dict[str, Model] = {}
        self.limit = 0

    @property
    def committed(self) -> int:
        """What the budget should count."""
        return sum(shot.held + shot.sunk for shot in self.shots.values())

    @initialize()
    def open(self) -> None:
        """Opens the budget."""
        self.change_limit(8)

    @rule(limit=LIMITS)
    def change_limit(self, limit: int) -> None:
        """Raises or lowers the limit."""
        money = Money(amount=Decimal(limit) / 1_000_000, unit="USD")
        self.runner.run(self.ledger.open_budget("scope", money))
        self.limit = limit

    @rule(key=KEYS, price=PRICES, retry=st.booleans(), resubmit=st.booleans(), take_over=st.booleans())
    def reserve(self, key: str, price: int, retry: bool, resubmit: bool, take_over: bool) -> None:
        """A worker wants a shot."""
        shot = self.shots.get(key)
        may_begin = shot is None or {
            ShotState.RELEASED: True,
            ShotState.FAILED: retry,
            ShotState.LOST: resubmit,
            ShotState.RESERVED: take_over,
        }.get(shot.state, False)
        freed = shot.held if shot is not None and shot.state is ShotState.RESERVED else 0
        fits = self.committed - freed + price <= self.limit
        reservation = Reservation(
            shot_key=key,
            provider="sunra",
            sandbox=True,
            request_json="{}",
            campaign="c",
            edition="e",
            run_id="r",
            charge=Charge(scope="scope", amount=Decimal(price) / 1_000_000),
        )
        claiming = self.ledger.reserve(
            reservation, retry_failed=retry, resubmit_lost=resubmit, take_over_before=LATER if take_over else None
        )
        try:
            claim = self.runner.run(claiming)
        except BudgetExhausted:
            assert may_begin
            assert not fits
            return
        assert claim.won is may_begin
        if not may_begin:
            return
        assert fits
        assert self.committed - freed + price <= self.limit
        attempt, sunk = (1, 0) if shot is None else (shot.attempt + 1, shot.sunk + shot.held - freed)
        self.shots[key] = Model(ShotState.RESERVED, attempt, price, price, sunk)
        assert claim.entry.attempt == attempt

    @rule(
        key=KEYS,
        attempt=ATTEMPTS,
        to=st.sampled_from([state for state in ShotState if state is not ShotState.RESERVED]),
        bill=BILLS,
    )
    def step(self, key: str, attempt: int, to: ShotState, bill: int | None) -> None:
        """A worker, perhaps a stale one, says what became of an attempt."""
        shot = self.shots.get(key)
        legal = shot is not None and shot.attempt == attempt and to in LEGAL_STEPS[shot.state]
        settled = None if bill is None else Decimal(bill) / 1_000_000
        moves: dict[ShotState, Callable[[], Coroutine[Any, Any, LedgerEntry]]] = {
            ShotState.SENDING: lambda: self.ledger.mark_sending(key, attempt),
            ShotState.RUNNING: lambda: self.ledger.adopt(key, attempt, "job"),
            ShotState.DONE: lambda: self.ledger.mark_done(key, attempt, ["a"], settled=settled),
            ShotState.FAILED: lambda: self.ledger.mark_failed(key, attempt, "E", "no", settled=settled),
            ShotState.LOST: lambda: self.ledger.mark_lost(key, attempt, "no answer"),
            ShotState.RELEASED: lambda: self.ledger.release(key, attempt, "429", "wait"),
        }
        try:
            entry = self.runner.run(moves[to]())
        except IllegalTransition:
            assert not legal
            return
        assert legal
        assert shot is not None
        shot.state = to
        if to is ShotState.RELEASED:
            shot.held = 0
        elif to in {ShotState.DONE, ShotState.FAILED} and bill is not None:
            shot.held = bill
        assert entry.state is to

    @invariant()
    def the_rows_are_the_model(self) -> None:
        """Only legal steps were taken."""
        entries = self.runner.run(self.ledger.find(["1", "2", "3"]))
        assert {key: (entry.state, entry.attempt) for key, entry in entries.items()} == {
            key: (shot.state, shot.attempt) for key, shot in self.shots.items()
        }

    @invariant()
    def the_budget_is_the_sum_of_what_the_rows_hold(self) -> None:
        """No money is counted twice, and none is forgotten."""
        now, past, committed = self.runner.run(self.database.read(held_in_rows))
        assert now == sum(shot.held for shot in self.shots.values())
        assert past == sum(shot.sunk for shot in self.shots.values())
        assert committed == now + past

    def teardown(self) -> None:
        """Closes the database and removes it."""
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
