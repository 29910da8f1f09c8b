"""Shots that a lost database knew, put back from what lies in the store."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.archive.archive import open_archive
from blocks.archive.layout import CATALOGUE_FILE
from blocks.archive.ledger import Ledger, LedgerEntry, RestoredShot, ShotState
from blocks.errors import ArchiveError, BadPicture, BudgetExhausted
from blocks.provider import DownloadedPicture, Money, PictureRequest
from flows.stages import make_pictures
from tasks import ingest
from tasks.archive import read_record
from tasks.attempts import attempt_after
from tasks.care.rebuild import rebuild
from tasks.care.restore import restored_shots
from tasks.generate import collect, submit
from tasks.models import ImageRecord, Shot, sha256_of
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.money import cu
from tests.tasks.buying import PRICE_CU, state_of
from tests.tasks.conftest import OpenStudio, ShotOf

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def outputs(image_of: Callable[..., ImageRecord]) -> Callable[..., ImageRecord]:
    """Makes the record of one output of a job that was asked for three."""

    def make(index: int, job_id: str = "job-1", **changes: Any) -> ImageRecord:
        request = PictureRequest(model="klein", prompt="a mug", seed=1, outputs=3)
        sha256 = sha256_of(f"{job_id} {index}".encode())
        made_at = NOON + timedelta(seconds=index)
        return image_of(
            sha256=sha256, output_index=index, job_id=job_id, request=request, made_at=made_at, cost=cu(5), **changes
        )

    return make


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_whole_job_is_done_in_the_order_of_its_outputs(
    order: tuple[int, ...], outputs: Callable[..., ImageRecord]
) -> None:
    """Its bill is that of its pictures together, whatever order they are read in."""
    [restored] = restored_shots(outputs(index) for index in order)

    assert restored == RestoredShot(
        shot_key="b" * 64,
        provider="scenario",
        sandbox=True,
        request_json=restored.request_json,
        campaign="cards",
        edition="1",
        state=ShotState.DONE,
        job_id="job-1",
        images=tuple(outputs(index).sha256 for index in range(3)),
        price=cu(15),
        made_at=NOON + timedelta(seconds=2),
    )
    assert Shot.model_validate_json(restored.request_json).request == outputs(0).request


def test_a_job_of_which_a_picture_is_missing_is_collected_again(outputs: Callable[..., ImageRecord]) -> None:
    """It is not called done, which would lose what was paid; its price is that of all that was asked for."""
    [restored] = restored_shots([outputs(0), outputs(2)])

    assert (restored.state, restored.images, restored.price) == (ShotState.RUNNING, (), cu(15))


def test_of_two_jobs_the_whole_one_counts(outputs: Callable[..., ImageRecord]) -> None:
    """A job that was given up and bought anew has left a picture, too: it was paid."""
    whole = [outputs(index, "job-2") for index in range(3)]
    [restored] = restored_shots([outputs(1, "job-1"), *whole])

    assert (restored.job_id, restored.images, restored.price) == ("job-2", tuple(each.sha256 for each in whole), cu(20))


def test_costs_that_nobody_knows_are_no_zero(outputs: Callable[..., ImageRecord]) -> None:
    """Nor are amounts in two units added up."""
    unknown = [outputs(index).model_copy(update={"cost": None}) for index in range(3)]
    dollars = outputs(0).model_copy(update={"cost": Money(amount=Decimal(1), unit="USD")})

    assert [each.price for each in restored_shots(unknown)] == [None]
    assert [each.price for each in restored_shots([dollars, outputs(1), outputs(2)])] == [None]


async def buy(shot: Shot, studio: Studio) -> LedgerEntry:
    purchase = Purchase(shot, studio)
    await collect.fn(purchase, await submit.fn(purchase))
    return await state_of(studio, shot)


def lose(tmp_path: Path) -> None:
    for file in (tmp_path / "archive").glob(f"{CATALOGUE_FILE}*"):
        file.unlink()


async def buy_one_that_is_refused_and_lose(
    studio_with: OpenStudio, shots: Sequence[Shot], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Buys two shots, of which the first one's picture goes to quarantine, and loses the database."""
    refused, kept = shots
    sandbox.fault("file_truncated")
    async with studio_with() as studio:
        with pytest.raises(BadPicture):
            await buy(refused, studio)
        await buy(kept, studio)
    lose(tmp_path)


async def rebuild_at(root: Path) -> tuple[int, int]:
    async with open_archive(str(root / "archive")) as archive:
        rebuilt = await rebuild(archive)
        return rebuilt.shots, rebuilt.open_shots


@pytest.mark.usefixtures("impatient")
async def test_the_ledger_knows_again_what_was_bought(
    studio_with: OpenStudio, shot_of: ShotOf, edit_of: ShotOf, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Of both providers, one of which says no price; and nothing can be bought before."""
    shots = [shot_of(outputs=2), edit_of()]
    async with studio_with(sunra={"price_per_image": Decimal("0.25")}) as studio:
        before = [await buy(shot, studio) for shot in shots]
    lose(tmp_path)

    with pytest.raises(ArchiveError, match="has records but its catalogue is empty: run `python -m flows rebuild`"):
        async with studio_with():
            pass
    assert await rebuild_at(tmp_path) == (2, 0)
    async with studio_with() as studio:
        after = [await state_of(studio, shot) for shot in shots]
        made = await make_pictures(shots, studio)
        assert (len(made.images), made.bought, made.reused) == (3, 0, 2)
        totals = await studio.archive.ledger.totals("cards", "1")
    same = ("shot_key", "provider", "state", "job_id", "images", "billed", "reserved", "campaign", "edition")
    assert [each.model_dump(include=set(same)) for each in after] == [
        each.model_dump(include=set(same)) for each in before
    ]
    assert {str(money) for money in totals.billed} == {str(each.billed) for each in before}
    assert len(sandbox.jobs()) == 2


@pytest.mark.usefixtures("impatient")
async def test_shots_that_made_the_same_bytes_are_all_known_again(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a moderation's placeholder: the bytes have one record, and each shot was paid for, with all its outputs."""
    shots = [shot_of(), shot_of("another"), shot_of("a third", outputs=2)]
    fetched = ingest.fetch
    first: list[DownloadedPicture] = []

    async def fetch_the_same(*arguments: Any) -> DownloadedPicture:
        first.append(await fetched(*arguments))
        return first[0]

    monkeypatch.setattr(ingest, "fetch", fetch_the_same)
    async with studio_with() as studio:
        before = [await buy(shot, studio) for shot in shots]
    lose(tmp_path)

    assert await rebuild_at(tmp_path) == (3, 0)
    async with studio_with() as studio:
        after = [await state_of(studio, shot) for shot in shots]
        made = await make_pictures(shots, studio)
    assert [(each.images, each.job_id, each.billed) for each in after] == [
        (each.images, each.job_id, each.billed) for each in before
    ]
    assert (len(made.images), made.bought, len(sandbox.jobs())) == (4, 0, 3)


@pytest.mark.usefixtures("impatient")
async def test_what_lay_in_quarantine_is_collected_and_not_bought_again(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its job is known from the note beside the bytes; by now the provider may send the whole picture."""
    await buy_one_that_is_refused_and_lose(studio_with, [shot_of(), shot_of("another")], sandbox, tmp_path)
    assert await rebuild_at(tmp_path) == (1, 1)

    async with studio_with() as studio:
        entry = await state_of(studio, shot_of())
        assert (entry.state, entry.reserved, entry.billed) == (ShotState.RUNNING, cu(PRICE_CU), None)
        purchase = Purchase(shot_of(), studio, attempt_after(entry))
        [image] = (await collect.fn(purchase, await submit.fn(purchase))).images
        assert (await state_of(studio, shot_of())).images == (image.sha256,)
    assert len(sandbox.jobs()) == 2


@pytest.mark.usefixtures("impatient")
async def test_shots_that_got_the_same_refused_bytes_are_all_known_again(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a CDN's error page: the bytes lie in quarantine once, and each shot was paid for. Nothing else is here."""
    shots = [shot_of(), shot_of("another")]
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "fetch", the_same_page)
        async with studio_with() as studio:
            for shot in shots:
                with pytest.raises(BadPicture):
                    await buy(shot, studio)
    lose(tmp_path)

    with pytest.raises(ArchiveError, match="run `python -m flows rebuild` first"):
        async with studio_with():
            pass
    assert await rebuild_at(tmp_path) == (0, 2)
    async with studio_with() as studio:
        assert (await make_pictures(shots, studio)).bought == 0
    assert len(sandbox.jobs()) == 2


async def the_same_page(*_: object) -> DownloadedPicture:
    return DownloadedPicture(data=b"<html>try again later</html>", media_type="image/png")


@pytest.mark.usefixtures("impatient")
async def test_a_rebuild_that_is_stopped_between_its_batches_has_put_back_what_has_no_row(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a shot whose picture lies in quarantine no row tells the next run that it was bought."""
    await buy_one_that_is_refused_and_lose(studio_with, [shot_of(), shot_of("another")], sandbox, tmp_path)
    with monkeypatch.context() as patched:
        real, asked = Ledger.restore, list[int]()

        async def stopped(ledger: Ledger, shots: Sequence[RestoredShot]) -> tuple[RestoredShot, ...]:
            asked.append(len(shots))
            if len(asked) == 2:
                raise InterruptedError
            return await real(ledger, shots)

        patched.setattr(Ledger, "restore", stopped)
        with pytest.raises(InterruptedError):
            await rebuild_at(tmp_path)

    async with studio_with() as studio:
        assert (await make_pictures([shot_of()], studio)).bought == 0
    assert len(sandbox.jobs()) == 2


async def test_a_rebuild_that_was_stopped_leaves_nothing_to_be_bought_twice(
    studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where the catalogue has pictures of a shot that the ledger does not know, the run is told to rebuild first."""
    async with studio_with() as studio:
        [image] = (await buy(shot_of(), studio)).images
        [other] = (await buy(shot_of("another"), studio)).images
        rows = await studio.archive.catalogue.entries([image, other])
    lose(tmp_path)
    async with open_archive(str(tmp_path / "archive")) as archive:
        await archive.catalogue.put(rows)
        await archive.ledger.restore(restored_shots([read_record(rows[1].record_json)]))

    async with studio_with() as studio:
        with pytest.raises(ArchiveError, match="has the pictures of 1 of these shots, and its ledger does not know"):
            await make_pictures([shot_of(), shot_of("another")], studio)
    assert len(sandbox.jobs()) == 2


@pytest.mark.parametrize(
    "terms", [{"budget": cu("0.4")}, {"caps": {"cap_per_month": Decimal("0.4"), "cap_unit": "CU"}}]
)
async def test_budgets_count_what_was_put_back(
    terms: dict[str, Any], studio_with: OpenStudio, shot_of: ShotOf, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The limit comes back with the next run that names it, and what was spent before with it: once."""
    async with studio_with(**terms) as studio:
        await buy(shot_of(), studio)
    lose(tmp_path)
    await rebuild_at(tmp_path)
    for _ in range(2):
        async with studio_with(**terms) as studio:
            with pytest.raises(BudgetExhausted, match=r"0\.25.* CU of 0\.4.* CU are committed"):
                await buy(shot_of("another"), studio)
    assert len(sandbox.jobs()) == 1
