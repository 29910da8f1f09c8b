from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from blocks.errors import AccountRefused, BudgetExhausted, SetupError
from blocks.provider import Money
from tasks import studio as module
from tasks.account import Account
from tasks.studio import RunIdentity, Studio
from tests.money import usd

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]


async def test_a_studio_opens_what_a_run_needs_and_closes_it(studio_with: OpenStudio) -> None:
    """Archive, accounts and run are open inside; afterwards the run has ended and no client takes a request."""
    async with studio_with(edition="autumn", budget=usd("1")) as studio:
        assert (studio.run.campaign, studio.run.edition, studio.run.scope) == ("cards", "autumn", "cards/autumn")
        providers = [studio.account(name).provider for name in ("scenario", "sunra")]
        assert [provider.name for provider in providers] == ["scenario", "sunra"]
        assert not await studio.archive.ledger.is_gone(studio.run.run_id)
        assert studio.purse.is_limited
        assert await studio.archive.ledger.budget("cards/autumn") is None  # the first charge opens it: a plan does not
    for provider in providers:
        with pytest.raises(RuntimeError, match="client has been closed"):
            await provider.status("job")
    async with studio_with() as later:
        assert await later.archive.ledger.is_gone(studio.run.run_id)
        assert (later.archive.id, later.run.run_id != studio.run.run_id) == (studio.archive.id, True)


async def test_an_error_inside_closes_everything_too(studio_with: OpenStudio) -> None:
    """The work's own error comes out, and the run has ended."""
    with pytest.raises(ValueError, match="of the work"):
        async with studio_with() as studio:
            raise ValueError("of the work")
    with pytest.raises(RuntimeError, match="client has been closed"):
        await studio.account("sunra").provider.status("job")
    async with studio_with() as later:
        assert await later.archive.ledger.is_gone(studio.run.run_id)


async def test_a_studio_that_cannot_open_leaves_nothing_open(
    studio_with: OpenStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits that do not go together are found after the accounts were opened: those are closed, no run begins."""
    opened: list[Any] = []

    def noted(provider: Any, *rest: Any) -> Any:
        opened.append(provider)
        return Account(provider, *rest)

    monkeypatch.setattr(module, "Account", noted)
    monkeypatch.setattr(module, "at_work", lambda *_: pytest.fail("a run began"))
    with pytest.raises(SetupError):
        async with studio_with(budget=usd("1"), caps={"cap_per_day": Decimal(1), "cap_unit": "CU"}):
            pytest.fail("it opened")
    assert len(opened) == 2
    for provider in opened:
        with pytest.raises(RuntimeError, match="client has been closed"):
            await provider.status("job")


async def test_a_studio_is_halted_by_the_first_error(studio: Studio) -> None:
    """What came first is what the person has to hear; later errors follow from it, or can wait."""
    first = AccountRefused("no credit")
    assert studio.halted_by is None
    studio.halt(first)
    studio.halt(BudgetExhausted("later"))
    assert studio.halted_by is first


async def test_money_is_counted_unit_by_unit(studio: Studio) -> None:
    """What is unknown adds nothing, and the running count has the sum."""
    for money in (usd("0.1"), None, Money(amount=Decimal(5), unit="CU"), usd("0.2")):
        studio.spend(money)
    assert studio.spent.amounts == (Money(amount=Decimal(5), unit="CU"), usd("0.3"))
    assert studio.tally.now.spent == studio.spent


def test_an_edition_has_one_budget_for_all_its_runs() -> None:
    """The name of a run's budget does not contain the run."""
    one, other = (RunIdentity(campaign="cards", edition="1", run_id=run_id) for run_id in ("a", "b"))
    assert one.scope == other.scope == "cards/1"
