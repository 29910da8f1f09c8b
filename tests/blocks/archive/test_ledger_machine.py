"""Any sequence of calls, right or wrong, by runs that begin, die and are taken over, keeps the ledger's promises."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, func, select, update

from blocks.archive.database import Database, open_database
from blocks.archive.ledger import LEASE_SECONDS, LEGAL_STEPS, Charge, Claim, Ledger, LedgerEntry, Reservation, ShotState
from blocks.archive.schema import budgets, charges, owners
from blocks.errors import BudgetExhausted, IllegalTransition, JobTaken
from blocks.provider import Money

SCOPES = ("c/e", "day", "month")
KEYS = st.sampled_from(["1", "2", "3"])
RUNS = st.sampled_from(["a", "b", "c"])
ATTEMPTS = st.sampled_from([1, 1, 1, 2, 2, 3])
JOBS = st.sampled_from(["job-1", "job-2", "job-3", "job-4", "job-5"])
PRICES = st.sampled_from([0, 1, 2, 3])
PAID_BY = st.lists(st.sampled_from(SCOPES), unique=True)
BILLS = st.sampled_from([None, 0, 1, 2, 5])
LIMITS = st.sampled_from([0, 4, 8, 30])
NO_PROCESS = 2**22 + 1


@dataclass
class Model:
    """What one shot should be."""

    state: ShotState
    attempt: int
    run_id: str
    job_id: str | None
    held: dict[str, int]
    past: list[tuple[int, dict[str, int], str | None]] = field(default_factory=list)  # attempt, held, job


def committed_and_held(connection: Connection) -> tuple[dict[str, int], dict[tuple[str, int, str], int]]:
    committed = {row.scope: row.committed_micro for row in connection.execute(select(budgets))}
    rows = connection.execute(select(charges))
    return committed, {(row.shot_key, row.attempt, row.scope): row.held_micro for row in rows}


def sums_of_charges(connection: Connection) -> dict[str, int]:
    sums = select(charges.c.scope, func.sum(charges.c.held_micro).label("held_micro")).group_by(charges.c.scope)
    return {row.scope: int(row.held_micro) for row in connection.execute(sums)}


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
        self.limits: dict[str, int] = {}
        self.lives = {"a": 0, "b": 0, "c": 0}
        self.gone: set[str] = set()

    def run_id(self, name: str) -> str:
        """A worker's present run: after its death it begins another."""
        return f"{name}{self.lives[name]}"

    def committed(self, scope: str) -> int:
        """What a budget should count."""
        return sum(
            shot.held.get(scope, 0) + sum(held.get(scope, 0) for _, held, _ in shot.past)
            for shot in self.shots.values()
        )

    def job_is_taken(self, key: str, job_id: str) -> bool:
        """Whether a job belongs to another shot, or to an earlier attempt."""
        others = {shot.job_id for other, shot in self.shots.items() if other != key}
        return job_id in others or any(job_id == past for shot in self.shots.values() for _, _, past in shot.past)

    @initialize()
    def open(self) -> None:
        """Opens the budgets, and lets three runs begin."""
        for scope, limit in zip(SCOPES, (8, 8, 30), strict=True):
            self.change_limit(scope, limit)
        for name in self.lives:
            self.runner.run(self.ledger.begin_run(self.run_id(name)))

    @rule(scope=st.sampled_from(SCOPES), limit=LIMITS)
    def change_limit(self, scope: str, limit: int) -> None:
        """Raises or lowers a limit."""
        money = Money(amount=Decimal(limit) / 1_000_000, unit="USD")
        self.runner.run(self.ledger.open_budget(scope, money))
        self.limits[scope] = limit

    @rule(name=RUNS, how=st.sampled_from(["ended", "killed", "silent"]))
    def die(self, name: str, how: str) -> None:
        """A run ends, or its process does, or nobody hears of it any more; its worker begins a new one."""
        run_id = self.run_id(name)
        assert not self.runner.run(self.ledger.is_gone(run_id))
        if how == "ended":
            self.runner.run(self.ledger.end_run(run_id))
        else:
            silent_since = datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS + 1)
            columns = {"pid": NO_PROCESS} if how == "killed" else {"seen_at": silent_since}
            statement = update(owners).where(owners.c.run_id == run_id).values(columns)
            self.runner.run(self.database.write(lambda connection: connection.execute(statement)))
        assert self.runner.run(self.ledger.is_gone(run_id))
        self.gone.add(run_id)
        self.lives[name] += 1
        self.runner.run(self.ledger.begin_run(self.run_id(name)))

    @rule(key=KEYS, name=RUNS, price=PRICES, paid_by=PAID_BY, retry=st.booleans(), resubmit=st.booleans())
    def reserve(self, key: str, name: str, price: int, paid_by: list[str], retry: bool, resubmit: bool) -> None:
        """A worker wants a shot, and looks whether the one who has it is gone."""
        shot = self.shots.get(key)
        is_left = shot is not None and shot.run_id in self.gone
        may_begin = shot is None or {
            ShotState.RELEASED: True,
            ShotState.FAILED: retry,
            ShotState.LOST: resubmit,
            ShotState.RESERVED: is_left,
        }.get(shot.state, False)
        freed = shot.held if shot is not None and shot.state is ShotState.RESERVED else {}
        fits = all(self.committed(scope) - freed.get(scope, 0) + price <= self.limits[scope] for scope in paid_by)
        try:
            claim = self.runner.run(self._claim(key, name, price, paid_by, retry=retry, resubmit=resubmit))
        except BudgetExhausted:
            assert may_begin
            assert not fits
            return
        assert claim.won is may_begin
        if not may_begin:
            return
        assert fits
        held = dict.fromkeys(paid_by, price)
        if shot is None:
            self.shots[key] = Model(ShotState.RESERVED, 1, self.run_id(name), None, held)
            return
        left = dict.fromkeys(shot.held, 0) if shot.state is ShotState.RESERVED else shot.held
        past = [*shot.past, (shot.attempt, left, shot.job_id)]
        self.shots[key] = Model(ShotState.RESERVED, shot.attempt + 1, self.run_id(name), None, held, past)

    async def _claim(
        self, key: str, name: str, price: int, paid_by: list[str], *, retry: bool, resubmit: bool
    ) -> Claim:
        standing = await self.ledger.get(key)
        is_left = standing is not None and await self.ledger.is_gone(standing.run_id)
        assert is_left is (standing is not None and standing.run_id in self.gone)
        reservation = Reservation(
            shot_key=key,
            provider="sunra",
            sandbox=True,
            request_json="{}",
            campaign="c",
            edition="e",
            run_id=self.run_id(name),
            charges=tuple(Charge(scope=scope, amount=Decimal(price) / 1_000_000) for scope in paid_by),
        )
        return await self.ledger.reserve(
            reservation,
            retry_failed=retry,
            resubmit_lost=resubmit,
            take_over_from=standing.run_id if standing is not None and is_left else None,
        )

    @rule(key=KEYS, name=RUNS, attempt=ATTEMPTS, from_name=RUNS, lives_ago=st.sampled_from([0, 1, 1, 2]))
    def take_charge(self, key: str, name: str, attempt: int, from_name: str, lives_ago: int) -> None:
        """A worker wants to find out what became of a shot that another one has sent."""
        from_run_id = f"{from_name}{self.lives[from_name] - lives_ago}"
        shot = self.shots.get(key)
        takes = (
            shot is not None
            and (shot.attempt, shot.run_id) == (attempt, from_run_id)
            and shot.state in {ShotState.SENDING, ShotState.RUNNING, ShotState.LOST}
        )
        taking = self.ledger.take_charge(key, attempt, self.run_id(name), from_run_id=from_run_id)
        assert self.runner.run(taking) is takes
        if takes and shot is not None:
            shot.run_id = self.run_id(name)

    @rule(
        key=KEYS,
        attempt=ATTEMPTS,
        to=st.sampled_from([state for state in ShotState if state is not ShotState.RESERVED]),
        bill=BILLS,
        job_id=JOBS,
    )
    def step(self, key: str, attempt: int, to: ShotState, bill: int | None, job_id: str) -> None:
        """A worker, perhaps a stale one, says what became of an attempt."""
        shot = self.shots.get(key)
        legal = shot is not None and shot.attempt == attempt and to in LEGAL_STEPS[shot.state]
        settled = None if bill is None else Decimal(bill) / 1_000_000
        moves: dict[ShotState, Callable[[], Coroutine[Any, Any, LedgerEntry]]] = {
            ShotState.SENDING: lambda: self.ledger.mark_sending(key, attempt),
            ShotState.RUNNING: lambda: self.ledger.adopt(key, attempt, job_id),
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
        except JobTaken:
            assert legal
            assert to is ShotState.RUNNING
            assert self.job_is_taken(key, job_id)
            return
        assert legal
        assert shot is not None
        assert entry.state is to
        shot.state = to
        if to is ShotState.RUNNING:
            assert not self.job_is_taken(key, job_id)
            shot.job_id = job_id
        elif to is ShotState.RELEASED:
            shot.held = dict.fromkeys(shot.held, 0)
        elif to in {ShotState.DONE, ShotState.FAILED} and bill is not None:
            shot.held = dict.fromkeys(shot.held, bill)

    @rule(key=KEYS, choice=st.integers(0, 5), bill=BILLS, job_id=JOBS)
    def go_on(self, key: str, choice: int, bill: int | None, job_id: str) -> None:
        """The worker that has a shot takes a step that is legal: chance alone would seldom bring one to its end."""
        shot = self.shots.get(key)
        ways = [] if shot is None else sorted(LEGAL_STEPS[shot.state])
        if shot is not None and ways:
            self.step(key, shot.attempt, ways[choice % len(ways)], bill, job_id)

    @invariant()
    def the_rows_are_the_model(self) -> None:
        """Only legal steps were taken, every shot has one owner, and no job has two shots."""
        entries = self.runner.run(self.ledger.find(["1", "2", "3"]))
        assert {key: (entry.state, entry.attempt, entry.run_id, entry.job_id) for key, entry in entries.items()} == {
            key: (shot.state, shot.attempt, shot.run_id, shot.job_id) for key, shot in self.shots.items()
        }
        jobs = [shot.job_id for shot in self.shots.values()]
        jobs += [job_id for shot in self.shots.values() for _, _, job_id in shot.past]
        known = [job_id for job_id in jobs if job_id is not None]
        assert len(known) == len(set(known))

    @invariant()
    def each_budget_is_the_sum_of_what_it_is_charged(self) -> None:
        """No money is counted twice, and none is forgotten, in any budget."""
        committed, held = self.runner.run(self.database.read(committed_and_held))
        sums = self.runner.run(self.database.read(sums_of_charges))
        assert committed == {scope: sums.get(scope, 0) for scope in self.limits}
        assert held == {
            (key, attempt, scope): micro
            for key, shot in self.shots.items()
            for attempt, attempt_held, _ in [*shot.past, (shot.attempt, shot.held, None)]
            for scope, micro in attempt_held.items()
        }

    def teardown(self) -> None:
        """Closes the database and removes it."""
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
