"""Many workers, one ledger: one winner per shot, and a budget that is never passed."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from blocks.archive.database import open_database
from blocks.archive.ledger import Charge, Ledger, LedgerEntry, Reservation, ShotState
from blocks.errors import BudgetExhausted, JobTaken
from blocks.provider import Money

SHOTS = 60
FITTING = 40
LEFT = 15
PRICE = Decimal("0.003")
LIMIT = Money(amount=PRICE * FITTING, unit="USD")

BUY_EVERYTHING = """
import asyncio, sys
from decimal import Decimal
from blocks.archive.database import open_database
from blocks.archive.ledger import Charge, Ledger, Reservation
from blocks.errors import BudgetExhausted

async def main(url, name, shots, price):
    won, refused = [], 0
    async with open_database(url) as database:
        ledger = Ledger(database)
        sys.stdin.readline()

        async def buy(number):
            nonlocal refused
            key = f"shot-{number}"
            reservation = Reservation(shot_key=key, provider="sunra", sandbox=True, request_json="{}", campaign="c",
                edition="e", run_id=name, charges=[Charge(scope=scope, amount=Decimal(price))
                    for scope in (("scope", "day", "month") if number % 2 else ("month", "scope", "day"))])
            try:
                claim = await ledger.reserve(reservation)
            except BudgetExhausted:
                refused += 1
                return
            if claim.won:
                won.append(key)
                await ledger.mark_sending(key, 1)
                await ledger.mark_running(key, 1, f"{name}-{number}")
                await ledger.mark_done(key, 1, ["a" * 64])

        await asyncio.gather(*(buy(number) for number in range(int(shots))))
    print(" ".join(won))

asyncio.run(main(*sys.argv[1:]))
"""

TAKE_EVERYTHING = """
import asyncio, sys
from decimal import Decimal
from blocks.archive.database import open_database
from blocks.archive.ledger import Charge, Ledger, Reservation

async def main(url, name, left):
    taken = []
    async with open_database(url) as database:
        ledger = Ledger(database)
        sys.stdin.readline()

        async def take(number):
            key = f"reserved-{number}"
            reservation = Reservation(shot_key=key, provider="sunra", sandbox=True, request_json="{}", campaign="c",
                edition="e", run_id=name, charges=[Charge(scope="scope", amount=Decimal("0.003"))])
            if (await ledger.reserve(reservation, take_over_from="dead")).won:
                taken.append(key)
            if await ledger.take_charge(f"sent-{number}", 1, name, from_run_id="dead"):
                taken.append(f"sent-{number}")

        await asyncio.gather(*(take(number) for number in range(int(left))))
    print(" ".join(taken))

asyncio.run(main(*sys.argv[1:]))
"""


def reservation(key: str, run_id: str) -> Reservation:
    return Reservation(
        shot_key=key,
        provider="sunra",
        sandbox=True,
        request_json="{}",
        campaign="c",
        edition="e",
        run_id=run_id,
        charges=(Charge(scope="scope", amount=PRICE),),
    )


async def test_of_many_tasks_one_wins_and_the_budget_holds(ledger: Ledger) -> None:
    """Four workers want the same 60 shots, and the money is enough for 40."""
    await ledger.open_budget("scope", LIMIT)
    won: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    async def worker(name: str) -> None:
        for number in range(SHOTS):
            key = f"shot-{number}"
            try:
                claim = await ledger.reserve(reservation(key, name))
            except BudgetExhausted:
                refused[key] += 1
                continue
            won[key] += claim.won
            assert (claim.entry.run_id == name) is claim.won

    await asyncio.gather(*(worker(f"worker-{n}") for n in range(4)))
    assert sorted(won.values()) == [1] * FITTING
    assert all(count == 4 for count in refused.values())
    assert set(won).isdisjoint(refused)
    budget = await ledger.budget("scope")
    assert budget is not None
    assert budget.committed == budget.limit == LIMIT


async def test_one_new_attempt_begins_at_a_released_shot(ledger: Ledger) -> None:
    """Of many workers that want to begin again, one wins, and it is charged once."""
    await ledger.open_budget("scope", LIMIT)
    await ledger.reserve(reservation("shot", "first"))
    await ledger.release("shot", 1, "429", "wait")
    claims = await asyncio.gather(*(ledger.reserve(reservation("shot", f"worker-{n}")) for n in range(8)))
    assert sorted(claim.won for claim in claims) == [False] * 7 + [True]
    assert {claim.entry.attempt for claim in claims} == {2}
    budget = await ledger.budget("scope")
    assert budget is not None
    assert budget.committed.amount == PRICE


async def test_of_two_answers_one_counts(ledger: Ledger) -> None:
    """Two workers that end the same attempt differently: the first word stands, the budget is settled once."""
    await ledger.open_budget("scope", LIMIT)
    await ledger.reserve(reservation("shot", "first"))
    await ledger.mark_sending("shot", 1)
    results = await asyncio.gather(
        *(ledger.mark_running("shot", 1, f"job-{n}") for n in range(4)),
        *(ledger.release("shot", 1, "x", "y") for _ in range(4)),
        return_exceptions=True,
    )
    (winner,) = (result for result in results if not isinstance(result, BaseException))
    assert await ledger.get("shot") == winner
    budget = await ledger.budget("scope")
    assert budget is not None
    assert budget.committed.amount == (PRICE if winner.state is ShotState.RUNNING else 0)


async def test_of_many_processes_one_wins_and_the_budget_holds(
    database_url: str, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    """The same among three processes, each with all its shots under way at once, all charged to three budgets."""
    async with open_database(database_url) as database:
        ledger = Ledger(database)
        for scope, limit in {"scope": LIMIT, "day": LIMIT, "month": Money(amount=LIMIT.amount * 2, unit="USD")}.items():
            await ledger.open_budget(scope, limit)
        workers = {
            name: start_process(BUY_EVERYTHING, database_url, name, str(SHOTS), str(PRICE)) for name in ("a", "b", "c")
        }
        answers = await asyncio.gather(
            *(asyncio.to_thread(worker.communicate, "go\n", 60) for worker in workers.values())
        )
        assert [worker.returncode for worker in workers.values()] == [0, 0, 0]
        won = {name: set(out.split()) for name, (out, _) in zip(workers, answers, strict=True)}
        assert sum(len(keys) for keys in won.values()) == len(set.union(*won.values())) == FITTING
        entries = await ledger.find(set.union(*won.values()))
        assert {key: entry.run_id for key, entry in entries.items()} == {
            key: name for name, keys in won.items() for key in keys
        }
        assert {entry.state for entry in entries.values()} == {ShotState.DONE}
        assert (await ledger.totals("c", "e")).count() == FITTING
        for scope in ("scope", "day", "month"):
            budget = await ledger.budget(scope)
            assert budget is not None
            assert budget.committed == LIMIT


async def test_of_many_processes_one_takes_each_shot_over(
    database_url: str, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    """What a run that is gone left is taken over once: reserved shots anew, sent ones as they are; all is paid once."""
    async with open_database(database_url) as database:
        ledger = Ledger(database)
        await ledger.open_budget("scope", LIMIT)
        for number in range(LEFT):
            await ledger.reserve(reservation(f"reserved-{number}", "dead"))
            await ledger.reserve(reservation(f"sent-{number}", "dead"))
            await ledger.mark_sending(f"sent-{number}", 1)
        workers = {name: start_process(TAKE_EVERYTHING, database_url, name, str(LEFT)) for name in ("a", "b", "c")}
        answers = await asyncio.gather(
            *(asyncio.to_thread(worker.communicate, "go\n", 60) for worker in workers.values())
        )
        assert [worker.returncode for worker in workers.values()] == [0, 0, 0]
        taken = {key: name for name, (out, _) in zip(workers, answers, strict=True) for key in out.split()}
        assert sum(len(out.split()) for out, _ in answers) == len(taken) == 2 * LEFT
        entries = await ledger.find(taken)
        assert {key: entry.run_id for key, entry in entries.items()} == taken
        assert {(entry.state, entry.attempt) for key, entry in entries.items() if key.startswith("reserved")} == {
            (ShotState.RESERVED, 2)
        }
        assert {(entry.state, entry.attempt) for key, entry in entries.items() if key.startswith("sent")} == {
            (ShotState.SENDING, 1)
        }
        budget = await ledger.budget("scope")
        assert budget is not None
        assert budget.committed.amount == 2 * LEFT * PRICE


async def test_shots_with_other_budgets_are_taken_over_without_a_deadlock(ledger: Ledger) -> None:
    """Budgets are always taken in one order, also where a new attempt has other ones than the one that gives way."""
    scopes = ("a", "b", "c", "d")
    for scope in scopes:
        await ledger.open_budget(scope, Money(amount=Decimal(100), unit="USD"))

    def charged(key: str, run_id: str, *paid_by: str) -> Reservation:
        charges = tuple(Charge(scope=scope, amount=PRICE) for scope in paid_by)
        return reservation(key, run_id).model_copy(update={"charges": charges})

    keys = [f"shot-{n}" for n in range(24)]
    for key in keys:
        await ledger.reserve(charged(key, "dead", "d", "b") if key[-1] in "02468" else charged(key, "dead", "a", "c"))
    await asyncio.gather(
        *(
            ledger.reserve(
                charged(key, "new", *(("c", "a") if key[-1] in "02468" else ("d", "b"))), take_over_from="dead"
            )
            for key in keys
        ),
        *(ledger.reserve(charged(f"other-{n}", "new", "d", "c", "b", "a")) for n in range(24)),
    )
    for scope in scopes:
        budget = await ledger.budget(scope)
        assert budget is not None
        assert budget.committed.amount == PRICE * (12 + 24)


async def test_of_many_that_found_the_same_job_one_has_it(ledger: Ledger) -> None:
    """Two shots that look alike in the provider's list never share a job."""
    await ledger.open_budget("scope", LIMIT)
    for number in range(8):
        await ledger.reserve(reservation(f"shot-{number}", "run"))
        await ledger.mark_sending(f"shot-{number}", 1)
    results = await asyncio.gather(
        *(ledger.adopt(f"shot-{number}", 1, "job") for number in range(8)), return_exceptions=True
    )
    assert Counter(type(result) for result in results) == {LedgerEntry: 1, JobTaken: 7}
    assert len(await ledger.in_states(ShotState.SENDING)) == 7
