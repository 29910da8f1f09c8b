from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from blocks.errors import SetupError
from blocks.provider import Money
from tasks.brief import Brief, RevisionBrief
from tasks.estimate import Estimate, EstimateLine, estimate
from tasks.models import Cost, Prompt, ReferenceUse, Shot
from tasks.plan import plan_generation
from tasks.studio import Studio
from tests.conftest import Sandbox

BriefOf = Callable[..., Brief]
OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]

PROMPTS = (Prompt(text="a mug", template="a mug"), Prompt(text="a jug", template="a jug"))
CUP = ReferenceUse(role="cup", sha256="c" * 64)
SMALL = {"width_px": 512, "height_px": 512}
"""One creative unit in the sandbox: a quarter of a megapixel in 28 steps."""


def money(amount: str, unit: str) -> Money:
    return Money(amount=Decimal(amount), unit=unit)


def planned(brief: Brief, studio: Studio) -> tuple[Shot, ...]:
    return plan_generation(brief, PROMPTS, (CUP,), studio)


async def test_a_campaign_is_priced_at_the_most_it_can_cost(
    brief_of: BriefOf, studio: Studio, sandbox: Sandbox
) -> None:
    """Every picture counts in every edit of the chain, duplicates included; nothing is bought to know it."""
    edits = [{"instruction": "warmer"}, {"instruction": "bigger", "references": ["cup"]}]
    brief = brief_of(generate={**SMALL, "outputs": 2}, seeds=3, edits=edits)

    found = await estimate(brief, planned(brief, studio), 12, studio)

    assert found == Estimate(
        lines=(
            EstimateLine(stage="generate", provider="scenario", shots=6, price=money("2", "CU")),
            EstimateLine(stage="edit 1", provider="sunra", shots=12, price=money("0.003", "USD")),
            EstimateLine(stage="edit 2", provider="sunra", shots=12, price=money("0.003", "USD")),
        )
    )
    assert [line.total for line in found.lines] == [money("12", "CU"), money("0.036", "USD"), money("0.036", "USD")]
    assert (found.shots, found.total) == (30, Cost(amounts=(money("12", "CU"), money("0.072", "USD"))))
    assert sandbox.jobs() == []


def test_a_price_is_told_in_words() -> None:
    """Units are not added up, and an unknown price is no zero."""
    known = EstimateLine(stage="generate", provider="scenario", shots=6, price=money("2", "CU"))
    edit = EstimateLine(stage="edit 1", provider="sunra", shots=6, price=money("0.003", "USD"))

    assert Estimate(lines=(known, edit)).price == "12 CU + 0.018 USD"
    assert Estimate(lines=(known, edit.model_copy(update={"price": None}))).price == "12 CU + unknown"
    assert Estimate(lines=()).price == "nothing"


async def test_a_revision_has_edits_alone(studio: Studio) -> None:
    """Where nothing is generated, only edits are priced."""
    brief = RevisionBrief.model_validate({"name": "warmer", "edits": [{"instruction": "warmer"}]})

    assert await estimate(brief, (), 4, studio) == Estimate(
        lines=(EstimateLine(stage="edit 1", provider="sunra", shots=4, price=money("0.003", "USD")),)
    )


async def test_nothing_costs_nothing(brief_of: BriefOf, studio: Studio) -> None:
    """No shots and no edits are an empty estimate."""
    found = await estimate(brief_of(), (), 0, studio)

    assert (found, found.shots, str(found.total)) == (Estimate(lines=()), 0, "nothing")


async def test_an_unknown_price_without_a_budget_is_shown_as_unknown(
    brief_of: BriefOf, studio_with: OpenStudio
) -> None:
    """Without a budget nobody is stopped, and what is not known is not made up: it is left out of the sum."""
    brief = brief_of(generate=SMALL, edits=[{"instruction": "warmer"}])
    async with studio_with(sunra={"price_per_image": None}) as studio:
        found = await estimate(brief, planned(brief, studio), 2, studio)

    assert found.lines[1] == EstimateLine(stage="edit 1", provider="sunra", shots=2, price=None)
    assert found.lines[1].total is None
    assert found.total == Cost(amounts=(money("2", "CU"),))


@pytest.mark.parametrize(
    ("unit", "credentials", "message"),
    [
        (
            "USD",
            {"sunra": {"price_per_image": None}},
            "A budget is set in USD, and a picture of sunra has no price. Nothing is bought at an unknown price: "
            "set `price_per_image` and `currency` in the sunra credentials block, or leave the budget out.",
        ),
        (
            "USD",
            {"scenario": {"price_per_creative_unit": None}},
            "A budget is set in USD, and a picture of scenario costs 1 CU, which is no amount in USD. "
            "Nothing is bought at an unknown price: set `price_per_creative_unit` and `currency` in the scenario "
            "credentials block, or leave the budget out.",
        ),
        (
            "EUR",
            {},
            "A budget is set in EUR, and a picture of scenario costs 1 CU, which is no amount in EUR. "
            "Nothing is bought at an unknown price: set `price_per_creative_unit` and `currency` in the scenario "
            "credentials block, or leave the budget out.",
        ),
        (
            "CU",
            {},
            "A budget is set in CU, and a picture of sunra costs 0.003 USD, which is no amount in CU. "
            "Nothing is bought at an unknown price: set `price_per_image` and `currency` in the sunra "
            "credentials block, or leave the budget out.",
        ),
    ],
)
async def test_an_unknown_price_with_a_budget_stops_everything(
    brief_of: BriefOf,
    studio_with: OpenStudio,
    sandbox: Sandbox,
    unit: str,
    credentials: dict[str, Any],
    message: str,
) -> None:
    """An unknown price never counts as zero: the run ends before the first picture, and says what is missing."""
    brief = brief_of(generate=SMALL, edits=[{"instruction": "warmer"}])
    async with studio_with(budget=money("5", unit), **credentials) as studio:
        shots = planned(brief, studio)
        with pytest.raises(SetupError) as caught:
            await estimate(brief, shots, 2, studio)

    assert str(caught.value) == message
    assert sandbox.jobs() == []


async def test_prices_in_the_unit_of_the_budget_pass(brief_of: BriefOf, studio_with: OpenStudio) -> None:
    """Creative units count against dollars at the rate of the block, and against creative units as they are."""
    with_edit, without = brief_of(generate=SMALL, edits=[{"instruction": "warmer"}]), brief_of(generate=SMALL)
    async with studio_with(budget=money("5", "USD")) as studio:
        assert (await estimate(with_edit, planned(with_edit, studio), 2, studio)).shots == 4
    async with studio_with(edition="2", budget=money("5", "CU")) as studio:
        assert (await estimate(without, planned(without, studio), 2, studio)).shots == 2


async def test_a_target_is_priced_at_the_least_it_can_cost(brief_of: BriefOf, studio: Studio) -> None:
    """As if every picture were distinct: enough shots for so many, and edits of so many, however few prompts exist."""
    brief = brief_of(generate={**SMALL, "outputs": 4}, target_unique=50, edits=[{"instruction": "warmer"}])

    found = await estimate(brief, planned(brief, studio), 8, studio)

    assert found == Estimate(
        lines=(
            EstimateLine(stage="generate", provider="scenario", shots=13, price=money("4", "CU")),
            EstimateLine(stage="edit 1", provider="sunra", shots=50, price=money("0.003", "USD")),
        ),
        target_unique=50,
    )


async def test_retries_are_priced_at_the_most_they_can_cost(brief_of: BriefOf, studio: Studio) -> None:
    """A step that may be tried again says what that can cost; those that only flag or stop cost nothing more."""
    edits = [
        {"instruction": "warmer", "on_change": "retry", "retries": 3},
        {"instruction": "bigger", "max_change": 0.5, "on_change": "stop"},
    ]
    brief = brief_of(generate=SMALL, edits=edits)

    found = await estimate(brief, planned(brief, studio), 2, studio)

    assert [(line.stage, line.shots, str(line.total)) for line in found.lines] == [
        ("generate", 2, "2 CU"),
        ("edit 1", 2, "0.006 USD"),
        ("edit 1, retries", 6, "0.018 USD"),
        ("edit 2", 2, "0.006 USD"),
    ]
    target = await estimate(brief_of(generate=SMALL, edits=edits, target_unique=2), planned(brief, studio), 2, studio)
    assert [line.stage for line in target.lines] == ["generate", "edit 1", "edit 2"]
