from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.ledger import Charge, ShotState
from blocks.errors import BudgetExhausted, ProviderUnavailable, SetupError
from blocks.provider import Money, ProviderName
from tasks.generate import collect
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.purse import Limit, Purse
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.tasks.conftest import Instead

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


@pytest.fixture
def purse(studio: Studio) -> Purse:
    """Two limits in dollars."""
    return Purse(studio.archive.ledger, (Limit(scope="one", most=money(9)), Limit(scope="two", most=money(1))))


@pytest.mark.parametrize(
    ("provider", "price", "amount"),
    [("sunra", money("0.003"), "0.003"), ("scenario", money(5, "CU"), "0.005"), ("sunra", money(0), "0")],
)
async def test_a_price_is_charged_to_every_limit(
    studio: Studio, purse: Purse, provider: ProviderName, price: Money, amount: str
) -> None:
    """In the limits' unit, by the block's rate where the provider counts in another."""
    charges = await purse.charges(studio.account(provider), price)
    assert charges == (Charge(scope="one", amount=Decimal(amount)), Charge(scope="two", amount=Decimal(amount)))
    assert purse.in_unit(studio.account(provider), price) == money(amount)


@pytest.mark.parametrize(
    ("provider", "price", "said"),
    [
        ("sunra", None, r"a picture of sunra has no price.*set `price_per_image` and `currency`"),
        ("sunra", money(1, "EUR"), r"sunra costs 1 EUR, which is no amount in USD"),
        ("scenario", None, r"a picture of scenario has no price.*`price_per_creative_unit`"),
    ],
)
async def test_an_unknown_price_is_refused(
    studio: Studio, purse: Purse, provider: ProviderName, price: Money | None, said: str
) -> None:
    """Never counted as nothing: the message names the price that is missing, and where to put it."""
    with pytest.raises(SetupError, match=said):
        await purse.charges(studio.account(provider), price)
    with pytest.raises(SetupError, match=said):
        purse.in_unit(studio.account(provider), price)


async def test_without_a_limit_no_price_is_needed(studio: Studio, shot_of: ShotOf) -> None:
    """Who may spend anything is asked for nothing, and waits for no answer."""
    account, free = studio.account("sunra"), Purse(studio.archive.ledger)
    assert (await free.charges(account, None), free.settled(account, money(1))) == ((), None)
    assert (free.in_unit(account, None), free.is_limited) == (None, False)


@pytest.mark.usefixtures("impatient")
async def test_a_price_that_cannot_be_asked_stops_only_a_limited_run(
    studio: Studio, purse: Purse, shot_of: ShotOf
) -> None:
    """A provider that is away is not the same as a price that nobody knows: nobody is told to set a rate."""
    account = studio.account("scenario")

    async def away(*_: object) -> None:
        raise ProviderUnavailable("away")

    account.provider = Instead(account.provider, price=away)
    assert await Purse(studio.archive.ledger).price(account, shot_of().request, ()) is None
    with pytest.raises(ProviderUnavailable, match="away"):
        await purse.price(account, shot_of().request, ())


async def test_a_run_over_midnight_charges_the_new_day(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap of a day counts what was reserved on that day."""
    purse = Purse(studio.archive.ledger, (Limit(scope="per day/%Y-%m-%d", most=money(1)),))
    account = studio.account("sunra")
    before = await purse.charges(account, money(1))

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2026, 11, 21, 0, 1, tzinfo=UTC)

    monkeypatch.setattr("tasks.purse.datetime", Later)
    after = await purse.charges(account, money(1))

    assert [charge.scope for charge in before + after] == ["per day/2026-11-20", "per day/2026-11-21"]


def test_a_bill_is_settled_in_the_unit_of_the_limits(studio: Studio, purse: Purse) -> None:
    """What is unknown, or in a unit without a rate, keeps what was reserved."""
    scenario, sunra = studio.account("scenario"), studio.account("sunra")
    assert purse.settled(scenario, money(5, "CU")) == Decimal("0.005")
    assert purse.settled(sunra, money(0)) == Decimal(0)
    assert purse.settled(sunra, money(1, "EUR")) is None
    assert purse.settled(sunra, None) is None


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
