from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.ledger import ShotState
from blocks.errors import JobFailed, JobTimedOut, LinkExpired
from blocks.provider import Money
from tasks.generate import collect, submit
from tasks.models import Shot
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]

pytestmark = pytest.mark.usefixtures("impatient")


async def state_of(studio: Studio, shot: Shot) -> ShotState:
    entry = await studio.archive.ledger.get(shot.key)
    assert entry is not None
    return entry.state


async def test_every_step_is_durable_before_the_next(
    studio: Studio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes, then the record, then the catalogue, then `done`: killed in between, a run is simply run again."""
    steps: list[str] = []

    def spy(target: Any, name: str, says: Callable[..., str]) -> None:
        original = getattr(target, name)

        async def spied(*arguments: Any, **options: Any) -> Any:
            result = await original(*arguments, **options)
            steps.append(says(*arguments))
            return result

        monkeypatch.setattr(target, name, spied)

    spy(studio.archive.store, "put_if_absent", lambda key, _: key.partition("/")[0])
    spy(studio.archive.catalogue, "add", lambda _: "catalogue")
    for step in ("reserve", "mark_sending", "mark_running", "mark_done"):
        spy(studio.archive.ledger, step, lambda *_, step=step: step)
    spy(studio.account("scenario").provider, "submit", lambda *_: "POST")
    purchase = Purchase(shot_of(), studio)
    await collect.fn(purchase, await submit.fn(purchase))

    assert steps == [
        "reserve",
        "mark_sending",
        "POST",
        "mark_running",
        "objects",
        "records",
        "thumbnails",
        "catalogue",
        "mark_done",
    ]


async def test_what_another_run_finished_is_used_as_it_is(studio_with: OpenStudio, shot_of: ShotOf) -> None:
    """The provider is not asked for anything about a shot whose images the archive has."""
    async with studio_with() as studio:
        purchase = Purchase(shot_of(), studio)
        ticket = await submit.fn(purchase)
        first = await collect.fn(purchase, ticket)
    async with studio_with() as studio:
        studio.account("scenario").provider = object()  # type: ignore[assignment]  # whatever is asked of it fails
        assert await collect.fn(Purchase(shot_of(), studio), ticket) == first
        assert studio.spent.amounts == ()


async def test_an_image_that_is_gone_is_fetched_again(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """The shot is paid for: its picture comes from the same job, and nothing is bought or counted again."""
    async with studio_with() as studio:
        purchase = Purchase(shot_of(), studio)
        ticket = await submit.fn(purchase)
        (image,) = (await collect.fn(purchase, ticket)).images
        path = studio.archive.store.path_of(f"objects/{image.sha256[:2]}/{image.sha256}")
        data = path.read_bytes()
        path.unlink()
        again = Purchase(shot_of(), studio)
        assert await submit.fn(again) == ticket
        assert [each.sha256 for each in (await collect.fn(again, ticket)).images] == [image.sha256]
        assert (path.read_bytes(), studio.spent.amounts) == (data, (Money(amount=Decimal("0.25"), unit="CU"),))
    assert len(sandbox.jobs()) == 1


async def test_a_job_that_fails_closes_the_shot(studio: Studio, edit_of: ShotOf, sandbox: Sandbox) -> None:
    """The provider's words reach the error and the ledger; an unknown bill stays counted as reserved."""
    error = {"code": "unsafe_content", "message": "Not this.", "reason": "moderation_blocked", "retryable": False}
    sandbox.fault("job_fails", error=error)
    purchase = Purchase(edit_of(), studio)
    ticket = await submit.fn(purchase)
    with pytest.raises(JobFailed, match=r"Not this\.") as failed:
        await collect.fn(purchase, ticket)

    assert (failed.value.code, failed.value.retryable, failed.value.job_id) == (
        "moderation_blocked",
        False,
        ticket.job_id,
    )
    entry = await studio.archive.ledger.get(purchase.shot.key)
    assert entry is not None
    assert (entry.state, entry.error_code, entry.error_message, entry.retryable, entry.billed) == (
        ShotState.FAILED,
        "unsafe_content",
        "Not this.",
        False,
        None,
    )


async def test_a_job_that_takes_too_long_stays_known(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """Our deadline ends the waiting and not the shot: it is still running, and the next run collects it."""
    sandbox.fault("job_slow", seconds=0.8)
    async with studio_with(job_timeout_seconds=0.1) as studio:
        purchase = Purchase(shot_of(), studio)
        ticket = await submit.fn(purchase)
        with pytest.raises(JobTimedOut):
            await collect.fn(purchase, ticket)
        assert await state_of(studio, shot_of()) is ShotState.RUNNING
    async with studio_with() as studio:
        purchase = Purchase(shot_of(), studio)
        assert len((await collect.fn(purchase, await submit.fn(purchase))).images) == 1
        assert await state_of(studio, shot_of()) is ShotState.DONE
    assert len(sandbox.jobs()) == 1


async def test_a_dead_link_of_sunra_says_so(studio: Studio, edit_of: ShotOf, sandbox: Sandbox) -> None:
    """Sunra renews no links: the error is clear, the shot stays bought, and nothing is bought instead."""
    sandbox.fault("file_error", provider="sunra", times=None)
    purchase = Purchase(edit_of(), studio)
    ticket = await submit.fn(purchase)
    with pytest.raises(LinkExpired, match="no longer works"):
        await collect.fn(purchase, ticket)

    assert (await state_of(studio, edit_of()), len(sandbox.jobs())) == (ShotState.RUNNING, 1)


async def test_what_is_billed_is_what_the_provider_charged(
    studio_with: OpenStudio, shot_of: ShotOf, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """The ledger's bill is the sum of the provider's charges, refunds and both units included."""
    sandbox.fault("job_fails", match="broken", error="no")
    async with studio_with(sunra={"price_per_image": Decimal("0.01")}) as studio:
        for shot in (shot_of("one"), shot_of("two", outputs=2), shot_of("broken"), edit_of("x"), edit_of("y")):
            purchase = Purchase(shot, studio)
            ticket = await submit.fn(purchase)
            if "broken" in shot.prompt.text:
                with pytest.raises(JobFailed):
                    await collect.fn(purchase, ticket)
            else:
                await collect.fn(purchase, ticket)
        billed = (await studio.archive.ledger.totals()).billed
    charged = {unit: Decimal(0) for unit in ("CU", "USD")}
    for job in sandbox.jobs():
        charged[job["cost_unit"]] += Decimal(str(job["charged"]))

    assert {money.unit: money.amount for money in billed} == charged
    assert {money.unit: money.amount for money in studio.spent.amounts} == charged
