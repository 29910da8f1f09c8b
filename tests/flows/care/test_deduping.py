"""Dedupe over the archive of real campaigns, as a flow and as a command, and what people have said in between."""

import asyncio
from pathlib import Path

import pytest

from blocks.archive.block import ImageArchive
from blocks.archive.signatures import Signature
from blocks.errors import BriefError, SetupError
from flows.care import dedupe
from flows.cli.main import main
from flows.deciding import not_duplicate, restore
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


@pytest.fixture
def result(workplace: Workplace) -> CampaignResult:
    """Twelve teapots; by a rule that finds everything alike, one of them is kept."""
    alike = {"scope": "campaign", "distance_bits": 96}
    return workplace.run(workplace.brief(prompts="a teapot", seeds=12, dedupe=alike))


def verdicts(workplace: Workplace, result: CampaignResult) -> dict[str, str]:
    """What the catalogue says of each picture."""

    async def read() -> dict[str, str]:
        async with ImageArchive(root=str(workplace.archive)).open() as archive:
            rows = await archive.catalogue.verdicts_of(result.campaign, result.edition)
            return {row.sha256: row.kind for row in rows}

    return asyncio.run(read())


def test_a_preview_first_then_the_verdicts(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing changes without --apply; with it, what strict says is on record, and the next look agrees."""
    before, jobs, place = verdicts(workplace, result), len(sandbox.jobs()), str(workplace.archive)
    assert "duplicate" in before.values()
    assert main(["dedupe", place, "--threshold", "0"]) == 0
    said = capsys.readouterr().out
    assert "verdicts on record are by another rule" in said
    assert "Nothing was changed: add --apply to write the verdicts." in said
    assert verdicts(workplace, result) == before

    assert main(["dedupe", place, "--threshold", "0", "--apply"]) == 0
    assert "verdicts changed" in capsys.readouterr().out
    assert set(verdicts(workplace, result).values()) == {"keeper"}
    assert dedupe("0", archive=workplace.archive).rejudged.changes == ()
    assert len(sandbox.jobs()) == jobs


def test_what_was_restored_and_told_apart_holds_in_later_runs(
    result: CampaignResult, workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, when the campaign runs again, and when the whole archive is judged; nothing is bought for it."""
    first, second, *_ = result.duplicates
    place = str(workplace.archive)
    assert main(["restore", first.sha256[:16], "--archive", place]) == 0
    assert f"{first.sha256[:12]} is a keeper: 1 verdict changed." in capsys.readouterr().out
    assert main(["not-duplicate", second.sha256, second.keeper_sha256, "--archive", place]) == 0
    assert "are no duplicates of each other: 1 verdict changed." in capsys.readouterr().out
    assert main(["not-duplicate", second.keeper_sha256, second.sha256, "--archive", place]) == 0
    assert "(known before): 0 verdicts changed" in capsys.readouterr().out
    assert verdicts(workplace, result)[first.sha256] == verdicts(workplace, result)[second.sha256] == "keeper"

    alike = {"scope": "campaign", "distance_bits": 96}
    again = workplace.run(workplace.brief(prompts="a teapot", seeds=12, dedupe=alike))
    assert again.bought == 0
    assert first.sha256 in [image.sha256 for image in again.keepers]
    now = {each.sha256: each for each in again.verdicts}[second.sha256]
    assert now.keeper_sha256 != second.keeper_sha256
    dedupe("96", apply=True, archive=workplace.archive)
    assert verdicts(workplace, result)[first.sha256] == "keeper"
    assert main(["show", first.sha256, "--archive", place]) == 0
    assert "all campaigns: restored (by command)" in capsys.readouterr().out


def test_pictures_of_another_rule_are_counted_and_signed(
    result: CampaignResult, workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their verdicts stay as they are until they are signed."""
    sha256 = result.images[0].sha256

    async def forget() -> None:
        async with ImageArchive(root=str(workplace.archive)).open() as archive:
            await archive.catalogue.put_signatures([Signature(sha256, "an older rule", b"old")])

    asyncio.run(forget())
    assert main(["dedupe", str(workplace.archive)]) == 0
    said = capsys.readouterr().out
    assert "1 could not be compared" in said
    assert "add --sign to sign it" in said
    assert main(["dedupe", str(workplace.archive), "--sign"]) == 0
    said = capsys.readouterr().out
    assert "1 pictures were signed anew, 0 could not be read." in said
    assert "could not be compared" not in said


async def test_what_makes_no_sense_is_refused(workplace: Workplace, result: CampaignResult, tmp_path: Path) -> None:
    """A picture is not told apart from itself; a slip of the pen makes no archive."""
    sha256 = result.images[0].sha256
    with pytest.raises(BriefError, match="are the same picture"):
        await not_duplicate(sha256, sha256[:20], workplace.archive)
    with pytest.raises(BriefError, match="No image in the archive begins with"):
        await restore("0" * 64, workplace.archive)
    with pytest.raises(SetupError, match="There is no archive at"):
        await dedupe(archive=tmp_path / "nowhere")
    with pytest.raises(BriefError, match="is no threshold"):
        await dedupe("loosely", archive=workplace.archive)
    assert not (tmp_path / "nowhere").exists()


def test_out_is_for_folders(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """An archive's verdicts lie in its catalogue."""
    assert main(["dedupe", str(workplace.archive), "--out", "x"]) == 2
    assert "--out is for folders that are no archive" in capsys.readouterr().err
