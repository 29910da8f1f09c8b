import asyncio
from decimal import Decimal

import pytest

from blocks.archive.archive import open_archive
from blocks.errors import SetupError
from blocks.provider import Money
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

PRICE_CU = Decimal("0.25")
"""What the sandbox charges for a picture of the small brief."""


def test_a_budget_buys_what_fits_and_not_one_more(workplace: Workplace, sandbox: Sandbox) -> None:
    """Of six shots three are bought when the money is enough for three and a half; the others are told why."""
    result = workplace.run(workplace.brief(seeds=3, budget={"amount": "0.9", "unit": "CU"}))

    assert len(sandbox.jobs()) == 3
    assert (len(result.images), result.bought) == (3, 3)
    assert result.cost.amounts == (Money(amount=3 * PRICE_CU, unit="CU"),)
    assert {failure.kind for failure in result.failures} <= {"BudgetExhausted", "NotStarted"}
    assert len(result.failures) == 3
    assert "BudgetExhausted" in {failure.kind for failure in result.failures}


def test_a_higher_budget_goes_on_where_the_money_ended(workplace: Workplace, sandbox: Sandbox) -> None:
    """What was bought is not bought again, and counts against the new limit too."""
    workplace.run(workplace.brief(seeds=3, budget={"amount": "0.5", "unit": "CU"}))
    result = workplace.run(workplace.brief(seeds=3, budget={"amount": "1.25", "unit": "CU"}))

    assert (result.bought, result.reused) == (3, 2)
    assert len(sandbox.jobs()) == 5


def test_the_budget_of_the_command_overrides_the_brief(workplace: Workplace, sandbox: Sandbox) -> None:
    """It counts in the unit of the brief's own budget."""
    workplace.run(workplace.brief(seeds=3, budget={"amount": "100", "unit": "CU"}), budget=Decimal("0.25"))

    assert len(sandbox.jobs()) == 1


async def test_runs_at_the_same_time_share_one_budget(workplace: Workplace, sandbox: Sandbox) -> None:
    """However many runs are at work, a campaign is never charged more than its budget, and no shot twice."""
    brief = workplace.brief(seeds=4, budget={"amount": "1.25", "unit": "CU"})
    await asyncio.gather(*(workplace.run_in_loop(brief) for _ in range(3)))

    assert len(sandbox.jobs()) == 5
    assert len({job["request"]["seed"] for job in sandbox.jobs()}) == 5
    async with open_archive(str(workplace.archive)) as archive:
        state = await archive.ledger.budget("teapots/1")
    assert state is not None
    assert state.committed == Money(amount=5 * PRICE_CU, unit="CU")


def test_an_unknown_price_is_not_zero(workplace: Workplace, sandbox: Sandbox) -> None:
    """With a budget, nothing is bought whose price nobody knows; the message says where to put it."""
    no_price = workplace.sunra.model_copy(update={"price_per_image": None})
    brief = workplace.brief_with_edits(budget={"amount": 100, "unit": "USD"})
    dollars = workplace.scenario.model_copy(update={"price_per_creative_unit": Decimal("0.01")})
    with pytest.raises(SetupError, match="price_per_image"):
        workplace.run(brief, sunra=no_price, scenario=dollars)

    assert sandbox.jobs() == []


def test_creative_units_are_no_dollars(workplace: Workplace, sandbox: Sandbox) -> None:
    """A price in another unit is an unknown price, unless the block says what a unit costs."""
    brief = workplace.brief(budget={"amount": "0.003", "unit": "USD"})
    with pytest.raises(SetupError, match="price_per_creative_unit"):
        workplace.run(brief)
    assert sandbox.jobs() == []

    dollars = workplace.scenario.model_copy(update={"price_per_creative_unit": Decimal("0.01")})
    assert workplace.run(brief, scenario=dollars).bought == 1


def test_nothing_is_bought_with_no_money(workplace: Workplace, sandbox: Sandbox) -> None:
    """A budget of zero is a budget."""
    result = workplace.run(workplace.brief(budget={"amount": 0, "unit": "CU"}))

    assert sandbox.jobs() == []
    assert (result.images, result.bought) == ((), 0)
