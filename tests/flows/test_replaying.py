import asyncio
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from blocks.archive.layout import CATALOGUE_FILE
from blocks.errors import BriefError, BudgetExhausted, SetupError
from blocks.provider import DownloadedPicture, Money
from flows.care.rebuilding import rebuild
from flows.cli import console, images
from flows.cli.main import main
from flows.replaying import price_of, replay, request_of
from flows.showing import show
from tasks import ingest
from tasks.models import CampaignResult, ImageRecord
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


@pytest.fixture
def result(workplace: Workplace) -> CampaignResult:
    """One teapot, with an edit that has a reference."""
    return workplace.run(workplace.brief_with_edits(prompts="a red teapot"))


def edit_of(result: CampaignResult) -> ImageRecord:
    return next(image for image in result.images if image.references)


def test_a_request_is_rebuilt_to_the_letter(result: CampaignResult, workplace: Workplace, sandbox: Sandbox) -> None:
    """From the record alone, for every image: its key is the one under which it was bought. Nothing is bought."""
    for image in result.images:
        request = asyncio.run(request_of(image.sha256, workplace.archive))

        assert request.is_exact
        assert request.shot.request == image.request
    assert len(sandbox.jobs()) == 3


def test_a_replay_asks_for_the_very_same(result: CampaignResult, workplace: Workplace, sandbox: Sandbox) -> None:
    """What the provider gets is what it got before; the same edition buys nothing twice, another one does."""
    image = next(image for image in result.images if image.step == 0)
    (before,) = sandbox.jobs("scenario")
    replayed = replay(image.sha256, **workplace.terms)

    (_, again) = sandbox.jobs("scenario")
    assert again["request"] == before["request"]
    assert (replayed.bought, replayed.original, replayed.failures) == (1, image, ())
    assert [each.said for each in replayed.images] == ["the very same bytes"]
    assert replayed.cost.amounts == (Money(amount=Decimal("0.25"), unit="CU"),)
    assert replay(image.sha256, **workplace.terms).bought == 0
    assert replay(image.sha256, edition="2", **workplace.terms).bought == 1
    assert len(sandbox.jobs("scenario")) == 3


def test_an_edit_is_replayed_with_its_pictures(result: CampaignResult, workplace: Workplace, sandbox: Sandbox) -> None:
    """Parent and reference come from the archive."""
    replayed = replay(edit_of(result).sha256, **workplace.terms)

    requests = [job["request"] for job in sandbox.jobs("sunra")]
    assert (len(requests), replayed.bought, len(replayed.images)) == (3, 1, 1)
    assert requests[2]["prompt"] == requests[0]["prompt"]
    assert requests[2]["seed"] == requests[0]["seed"]
    assert len(requests[2]["image_urls"]) == 2


def test_the_campaign_of_the_image_stays_as_it_was(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox
) -> None:
    """Run again, it finds its own images and its verdicts, and buys nothing."""
    sandbox.fault("job_fails", match="teapot")
    image = next(image for image in result.images if image.step == 0)
    failed = replay(image.sha256, **workplace.terms)
    assert [failure.kind for failure in failed.failures] == ["JobFailed"]

    later = workplace.run(workplace.brief_with_edits(prompts="a red teapot"))
    assert (later.bought, later.images, later.verdicts) == (0, result.images, result.verdicts)


def test_a_replay_keeps_to_its_budget(result: CampaignResult, workplace: Workplace, sandbox: Sandbox) -> None:
    """A budget holds here, too."""
    with pytest.raises(BudgetExhausted):
        replay(edit_of(result).sha256, budget=Decimal("0.001"), **workplace.terms)
    assert len(sandbox.jobs("sunra")) == 2


def test_a_picture_of_the_sandbox_is_not_made_again_for_money(result: CampaignResult, workplace: Workplace) -> None:
    """It would be another request, to somebody else."""
    real = workplace.scenario.model_copy(update={"sandbox": False})
    with pytest.raises(SetupError, match="was made on the sandbox: to make it again elsewhere would be another"):
        replay(result.images[0].sha256, **{**workplace.terms, "scenario": real})


def test_the_price_is_asked_for_and_nothing_bought(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox
) -> None:
    """Also of an edit, for which its pictures are uploaded."""
    request = asyncio.run(request_of(edit_of(result).sha256, workplace.archive))

    assert asyncio.run(price_of(request, **workplace.terms)) == Money(amount=Decimal("0.01"), unit="USD")
    assert len(sandbox.jobs()) == 3


def test_the_command_prints_the_request_and_buys_only_when_told(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON on standard output, and beside it whether it is exact."""
    image = edit_of(result)
    where = ["--archive", str(workplace.archive), "--sandbox", sandbox.origin]
    assert main(["replay", image.sha256[:12], *where]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == image.request.model_dump(mode="json", exclude_none=True)
    assert f"exactly what was asked for: its shot key is the record's, {image.shot_key}" in shown.err
    assert len(sandbox.jobs()) == 3

    assert main(["replay", image.sha256, "--run", *where]) == 0
    assert "bought now" in capsys.readouterr().out
    assert main(["replay", image.sha256, "--run", *where]) == 0
    assert "had before, in edition 1: another one buys again" in capsys.readouterr().out
    assert len(sandbox.jobs()) == 4


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_is_told_the_price_and_asked(
    agrees: bool, result: CampaignResult, workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal nothing is bought before a yes."""
    asked: list[str] = []

    def answer(question: str) -> bool:
        asked.append(question)
        return agrees

    own: dict[str, Any] = {"scenario": workplace.scenario, "sunra": workplace.sunra}
    monkeypatch.setattr(console, "asks_first", lambda is_agreed: not is_agreed)
    monkeypatch.setattr(console, "confirmed", answer)
    monkeypatch.setattr(images, "accounts", lambda _: own)
    image = edit_of(result).sha256

    assert main(["replay", image, "--run", "--archive", str(workplace.archive)]) == 0
    assert asked == ["Make it again for 0.01 USD?"]
    assert len(sandbox.jobs("sunra")) == 2 + agrees


def test_what_was_made_again_repeats_the_image(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other bytes become an image of their own, as a repeat of the first, whose campaign finds what it had.

    Also when the database was lost: otherwise the replay would be an older picture that the image repeats.
    """
    real = ingest.fetch

    async def turned(*arguments: Any) -> DownloadedPicture:
        picture = await real(*arguments)
        with io.BytesIO() as file:
            Image.open(io.BytesIO(picture.data)).rotate(180).save(file, "PNG")
            return picture.model_copy(update={"data": file.getvalue()})

    monkeypatch.setattr(ingest, "fetch", turned)
    image = next(image for image in result.images if image.step == 0)
    (made,) = replay(image.sha256, **workplace.terms).images
    found = asyncio.run(show(made.record.sha256, workplace.archive))

    assert made.record.sha256 != image.sha256
    assert (made.record.request, made.record.again) == (image.request, "1")
    assert [(row.campaign, row.kind, row.keeper_sha256) for row in found.verdicts] == [
        (f"replay-{image.sha256[:12]}", "duplicate", image.sha256)
    ]
    assert asyncio.run(request_of(made.record.sha256, workplace.archive)).is_exact
    # The ledger would give back the image itself, and it would seem that the model had made it once more.
    with pytest.raises(BriefError, match="is itself the replay of edition '1': name another edition"):
        replay(made.record.sha256, **workplace.terms)
    later = workplace.run(workplace.brief_with_edits(prompts="a red teapot"))
    assert (later.bought, later.images, later.verdicts) == (0, result.images, result.verdicts)

    for file in workplace.archive.glob(f"{CATALOGUE_FILE}*"):
        file.unlink()
    rebuild(workplace.archive)
    assert asyncio.run(show(made.record.sha256, workplace.archive)).verdicts == found.verdicts
    at_last = workplace.run(workplace.brief_with_edits(prompts="a red teapot"))
    assert (at_last.bought, at_last.images, at_last.verdicts) == (0, result.images, result.verdicts)
