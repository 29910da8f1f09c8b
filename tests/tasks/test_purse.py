from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.ledger import Charge, ShotState
from blocks.errors import BudgetExhausted, SetupError
from blocks.provider import Money, ProviderName
from tasks.generate import collect
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.purse import Limit, Purse
from tasks.studio import Studio
from tests.conftest import Sandbox

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]


def money(amount: int | str, unit: str = "USD") -> Money:
    return Money(amount=Decimal(amount), unit=unit)


def caps(day: str | None = None, month: str | None = None, unit: str = "CU") -> dict[str, Any]:
    return {
        "cap_per_day": None if day is None else Decimal(day),
        "cap_per_month": None if month is None else Decimal(month),
        "cap_unit": unit,
    }


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets it be one day, so that no test runs over midnight."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Noon":
            return cls(2026, 11, 20, 12, tzinfo=UTC)

    monkeypatch.setattr("tasks.purse.datetime", Noon)


async def committed(studio: Studio, scope: str) -> Decimal:
    budget = await studio.archive.ledger.budget(scope)
    assert budget is not None
    return budget.committed.amount


PURSE = Purse((Limit(scope="one", most=money(9)), Limit(scope="two", most=money(1))))


@pytest.mark.parametrize(
    ("provider", "price", "amount"),
    [("sunra", money("0.003"), "0.003"), ("scenario", money(5, "CU"), "0.005"), ("sunra", money(0), "0")],
)
def test_a_price_is_charged_to_every_limit(studio: Studio, provider: ProviderName, price: Money, amount: str) -> None:
    """In the limits' unit, by the block's rate where the provider counts in another."""
    charges = PURSE.charges(studio.account(provider), price)
    assert charges == (Charge(scope="one", amount=Decimal(amount)), Charge(scope="two", amount=Decimal(amount)))
    PURSE.check(studio.account(provider), price)


@pytest.mark.parametrize(
    ("provider", "price", "said"),
    [
        ("sunra", None, r"a picture of sunra has no price.*set `price_per_image` and `currency`"),
        ("sunra", money(1, "EUR"), r"sunra costs 1 EUR, which is no amount in USD"),
        ("scenario", None, r"a picture of scenario has no price.*`price_per_creative_unit`"),
    ],
)
def test_an_unknown_price_is_refused(studio: Studio, provider: ProviderName, price: Money | None, said: str) -> None:
    """Never counted as nothing: the message names the price that is missing, and where to put it."""
    for ask in (PURSE.charges, PURSE.check):
        with pytest.raises(SetupError, match=said):
            ask(studio.account(provider), price)


def test_without_a_limit_no_price_is_needed(studio: Studio) -> None:
    """Who may spend anything is asked for nothing."""
    account = studio.account("sunra")
    assert (Purse().charges(account, None), Purse().settled(account, money(1))) == ((), None)
    Purse().check(account, None)


def test_a_bill_is_settled_in_the_unit_of_the_limits(studio: Studio) -> None:
    """What is unknown, or in a unit without a rate, keeps what was reserved."""
    scenario, sunra = studio.account("scenario"), studio.account("sunra")
    assert PURSE.settled(scenario, money(5, "CU")) == Decimal("0.005")
    assert PURSE.settled(sunra, money(0)) == Decimal(0)
    assert PURSE.settled(sunra, money(1, "EUR")) is None
    assert PURSE.settled(sunra, None) is None


async def test_limits_in_different_units_are_refused(studio_with: OpenStudio) -> None:
    """They do not add up; the message says what to change."""
    with pytest.raises(SetupError, match=r"different units, CU and USD.*`unit`.*`cap_unit`"):
        async with studio_with(budget=money(1), caps=caps(day="1")):
            pytest.fail("it opened")


async def test_a_shot_is_charged_to_the_run_the_day_and_the_month(studio_with: OpenStudio, shot_of: ShotOf) -> None:
    """All three count it, in one step."""
    async with studio_with(budget=money(1, "CU"), caps=caps(day="2", month="3")) as studio:
        await Purchase(shot_of(), studio).ticket()
        assert [await committed(studio, scope) for scope in ("cards/1", "per day/2026-11-20", "per month/2026-11")] == [
            Decimal("0.25")
        ] * 3


@pytest.mark.parametrize("cap", [caps(day="0.6"), caps(month="0.6"), caps(day="0.6", month="9")])
async def test_caps_bind_all_campaigns_together(
    cap: dict[str, Any], studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """Two campaigns with money of their own share what the archive allows for a day and a month."""
    async with (
        studio_with(campaign="cards", budget=money(9, "CU"), caps=cap) as cards,
        studio_with(campaign="mugs", budget=money(9, "CU"), caps=cap) as mugs,
    ):
        await Purchase(shot_of("one"), cards).ticket()
        await Purchase(shot_of("two"), mugs).ticket()
        for studio in (cards, mugs):
            with pytest.raises(BudgetExhausted, match=r"per (day/2026-11-20|month/2026-11)': 0\.5 CU of 0\.6 CU"):
                await Purchase(shot_of("three"), studio).ticket()
            assert await committed(studio, studio.run.scope) == Decimal("0.25")
    assert len(sandbox.jobs()) == 2


@pytest.mark.parametrize(("campaign", "edition"), [("day", "2026-11-20"), ("month", "2026-11")])
async def test_no_campaign_is_named_as_a_cap(
    campaign: str, edition: str, studio_with: OpenStudio, shot_of: ShotOf
) -> None:
    """A campaign called `day` in the edition of a date has a budget of its own beside the day's cap."""
    limits = {"budget": money(1, "CU"), "caps": caps(day="2", month="3")}
    async with studio_with(campaign=campaign, edition=edition, **limits) as studio:
        await Purchase(shot_of(), studio).ticket()
        opened = [
            await studio.archive.ledger.budget(scope)
            for scope in (studio.run.scope, "per day/2026-11-20", "per month/2026-11")
        ]
        assert [budget.limit.amount for budget in opened if budget] == [1, 2, 3]


async def test_a_refund_goes_back_to_every_limit(studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """What a job cost in the end is what run and day count for it."""
    sandbox.fault("job_fails", error="no", match="broken")
    async with studio_with(budget=money("0.003"), caps=caps(day="1", unit="USD")) as studio:
        for prompt in ("broken", "whole"):
            purchase = Purchase(shot_of(prompt), studio)
            ticket = await purchase.ticket()
            try:
                await collect.fn(purchase, ticket)
            except Exception:  # noqa: BLE001 - what matters here is what is counted
                assert prompt == "broken"
            entry = await studio.archive.ledger.get(purchase.shot.key)
            assert entry is not None
            expected = {"broken": (ShotState.FAILED, Decimal(0)), "whole": (ShotState.DONE, Decimal("0.00025"))}
            counted = await committed(studio, "cards/1")
            assert (entry.state, counted) == expected[prompt]
            assert await committed(studio, "per day/2026-11-20") == counted
