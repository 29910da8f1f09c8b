"""Many workers, one ledger: one winner per shot, and a budget that is never passed."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from blocks.archive.database import open_database
from blocks.archive.ledger import Charge, Ledger, Reservation, ShotState
from blocks.errors import BudgetExhausted
from blocks.provider import Money

SHOTS = 60
FITTING = 40
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
                edition="e", run_id=name, charge=Charge(scope="scope", amount=Decimal(price)))
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


def reservation(key: str, run_id: str) -> Reservation:
    return Reservation(
        shot_key=key,
        provider="sunra",
        sandbox=True,
        request_json="{}",
        campaign="c",
        edition="e",
        run_id=run_id,
        charge=Charge(scope="scope", amount=PRICE),
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
    """The same among three processes, each with all its shots under way at once."""
    async with open_database(database_url) as database:
        ledger = Ledger(database)
        await ledger.open_budget("scope", LIMIT)
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
        budget = await ledger.budget("scope")
        assert budget is not None
        assert budget.committed == LIMIT
