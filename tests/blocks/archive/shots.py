"""One shot of a ledger, and the steps that bring it to each of its states."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

from blocks.archive.ledger import Charge, Ledger, LedgerEntry, Reservation, ShotState
from tests.money import usd

SHOT = "5" * 64
IMAGE = "a" * 64


def reservation(
    shot_key: str = SHOT, *, price: str = "0.003", scope: str | None = "day", run_id: str = "run-1", edition: str = "e"
) -> Reservation:
    return Reservation(
        shot_key=shot_key,
        provider="sunra",
        sandbox=True,
        request_json='{"prompt":"a teapot \\u0000 é"}',
        campaign="teapots",
        edition=edition,
        run_id=run_id,
        price=usd(price),
        charges=() if scope is None else (Charge(scope=scope, amount=Decimal(price)),),
    )


Move = Callable[[Ledger], Awaitable[LedgerEntry]]
MOVES: dict[ShotState, Move] = {
    ShotState.SENDING: lambda ledger: ledger.mark_sending(SHOT, 1),
    ShotState.RUNNING: lambda ledger: ledger.mark_running(SHOT, 1, "job-1"),
    ShotState.DONE: lambda ledger: ledger.mark_done(SHOT, 1, [IMAGE]),
    ShotState.FAILED: lambda ledger: ledger.mark_failed(SHOT, 1, "E1", "no picture"),
    ShotState.LOST: lambda ledger: ledger.mark_lost(SHOT, 1, "no answer"),
    ShotState.RELEASED: lambda ledger: ledger.release(SHOT, 1, "429", "wait"),
}
WAYS = {
    ShotState.RESERVED: (),
    ShotState.SENDING: (ShotState.SENDING,),
    ShotState.RUNNING: (ShotState.SENDING, ShotState.RUNNING),
    ShotState.DONE: (ShotState.SENDING, ShotState.RUNNING, ShotState.DONE),
    ShotState.FAILED: (ShotState.SENDING, ShotState.RUNNING, ShotState.FAILED),
    ShotState.LOST: (ShotState.SENDING, ShotState.LOST),
    ShotState.RELEASED: (ShotState.RELEASED,),
}


async def bring_to(ledger: Ledger, state: ShotState) -> None:
    """Reserves the shot for 0.003 USD of a budget of 1 USD, and brings it to a state."""
    await ledger.open_budget("day", usd("1"))
    assert (await ledger.reserve(reservation())).won
    for step in WAYS[state]:
        await MOVES[step](ledger)


async def committed(ledger: Ledger, scope: str = "day") -> Decimal:
    budget = await ledger.budget(scope)
    assert budget is not None
    return budget.committed.amount
