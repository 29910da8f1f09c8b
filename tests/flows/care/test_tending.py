"""Verify, repair, rebuild and gc on the archive of a real campaign, as flows and as commands."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from blocks.archive.block import ImageArchive
from blocks.archive.layout import CATALOGUE_FILE, object_key, record_key, trash_key
from blocks.errors import ArchiveError, BriefError, SetupError
from flows.care import gc, rebuild, repair, verify
from flows.cli.main import main
from tasks.care.findings import ArchiveDamaged, FindingKind
from tasks.models import CampaignResult, sha256_of
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace
from tests.tasks.care.upkeep import OTHER
from tests.tasks.gate.files import flipped

ORPHAN = sha256_of(OTHER)


@pytest.fixture
def result(workplace: Workplace) -> CampaignResult:
    """Two teapots, with edits that have a reference."""
    return workplace.run(workplace.brief_with_edits())


@pytest.fixture
def run(
    workplace: Workplace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; returns exit code, output and errors."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        where = ["--sandbox", sandbox.origin] if arguments[0] == "repair" else []
        code = main([*arguments, *where, "--archive", str(workplace.archive)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_command


def damage(workplace: Workplace, result: CampaignResult) -> None:
    """Turns a bit in one picture, and takes the bytes of another."""
    turned, gone = (workplace.archive / object_key(result.images[number].sha256) for number in (0, 1))
    turned.chmod(0o644)
    turned.write_bytes(flipped(turned.read_bytes(), 0.5))
    gone.unlink()


async def table_of(key: str) -> tuple[list[dict[str, Any]], str]:
    """The newest artifact of that key: its rows, and what stands above them."""
    of_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    async with get_client() as client:
        [newest] = await client.read_artifacts(artifact_filter=of_key, sort=ArtifactSort.CREATED_DESC, limit=1)
    return json.loads(str(newest.data)), newest.description or ""


def test_a_campaign_leaves_a_sound_archive(
    result: CampaignResult, workplace: Workplace, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Nothing is damaged, and nothing lies around."""
    verified = verify(deep=True, archive=workplace.archive)

    assert (verified.findings, verified.records, verified.objects) == ((), 6, 7)
    code, out, _ = run("verify", "--fraction", "1/30")
    assert code == 0
    assert out.startswith("Sound. 6 records, 7 objects; read ")
    assert asyncio.run(table_of("verify"))[0] == []


def test_damage_fails_the_run_and_stands_in_a_table(result: CampaignResult, workplace: Workplace) -> None:
    """So that a schedule that nobody watches is seen in red."""
    damage(workplace, result)
    with pytest.raises(ArchiveDamaged, match="2 things are damaged in the archive at") as caught:
        verify(archive=workplace.archive)

    found = {(finding.kind, finding.key) for finding in caught.value.findings}
    assert found == {
        (FindingKind.CHANGED, object_key(result.images[0].sha256)),
        (FindingKind.RECORD_WITHOUT_OBJECT, record_key(result.images[1].sha256)),
    }
    rows, said = asyncio.run(table_of("verify"))
    assert {row["what"] for row in rows} == {"changed", "record_without_object"}
    assert "2 damaged, 0 orphaned" in said


def test_damage_is_found_mended_and_gone(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Exit code 5, then 0: what the provider still has is fetched again, from the job that was paid for."""
    damage(workplace, result)
    jobs = len(sandbox.jobs())

    code, out, err = run("verify")
    assert code == 5
    assert "record without object" in out
    assert "ArchiveDamaged: 2 things are damaged" in err
    code, out, _ = run("repair")
    assert code == 0
    assert "2 mended, 0 left as they are" in out
    assert asyncio.run(table_of("repair"))[1].startswith("2 of 2 mended")
    assert run("verify", "--deep")[0] == 0
    assert len(sandbox.jobs()) == jobs


def test_what_cannot_be_mended_is_exit_code_5(
    result: CampaignResult, workplace: Workplace, sandbox: Sandbox, run: Callable[..., tuple[int, str, str]]
) -> None:
    """With the reason beside it; nothing gets worse."""
    damage(workplace, result)
    sandbox.fault("poll_error", http_status=404, times=None)
    code, out, _ = run("repair")

    assert code == 5
    assert "0 mended, 2 left as they are" in out


def test_pictures_of_the_sandbox_are_not_asked_for_elsewhere(result: CampaignResult, workplace: Workplace) -> None:
    """A job means something only where it was made."""
    damage(workplace, result)
    real = workplace.scenario.model_copy(update={"sandbox": False})
    repaired = repair(archive=workplace.archive, scenario=real, sunra=workplace.sunra)

    assert [each.note for each in repaired.mendings] == ["It was made on the sandbox."] * 2


def test_a_lost_catalogue_is_rebuilt(
    result: CampaignResult, workplace: Workplace, run: Callable[..., tuple[int, str, str]]
) -> None:
    """`show` knows the images again, and a second rebuild finds nothing to do."""
    for file in workplace.archive.glob(f"{CATALOGUE_FILE}*"):
        file.unlink()
    code, _, err = run("show", result.images[0].sha256)
    assert (code, "or run `python -m flows rebuild`" in " ".join(err.split())) == (5, True)
    code, out, _ = run("rebuild")

    assert code == 0
    assert "6 records: 6 rows were missing, 0 said otherwise, 0 were right." in out
    assert "6 finished shots and 6 verdicts were put back." in out
    assert run("show", result.images[0].sha256)[0] == 0
    assert "6 were right" in run("rebuild")[1]
    assert rebuild(workplace.archive).records == 6
    assert verify(archive=workplace.archive).is_sound


def test_a_catalogue_that_was_lost_a_moment_ago_is_damage(
    result: CampaignResult, workplace: Workplace, run: Callable[..., tuple[int, str, str]]
) -> None:
    """One sentence at once, however young the pictures are; repair rebuilds it, and nothing is bought again."""
    for file in workplace.archive.glob(f"{CATALOGUE_FILE}*"):
        file.unlink()
    with pytest.raises(ArchiveError, match=r"is missing: .* run `python -m flows rebuild`"):
        verify(archive=workplace.archive)
    assert run("gc")[0] == 0  # what opens the archive for writing makes a new catalogue, an empty one
    with pytest.raises(ArchiveDamaged) as caught:
        verify(archive=workplace.archive)

    assert [finding.detail for finding in caught.value.findings] == [
        "The catalogue is empty beside 6 records: run `rebuild`."
    ]
    assert run("repair")[0] == 0
    assert verify(archive=workplace.archive).findings == ()
    assert workplace.run(workplace.brief_with_edits()).bought == 0


def test_orphans_are_shown_first_and_moved_when_told(
    result: CampaignResult, workplace: Workplace, run: Callable[..., tuple[int, str, str]]
) -> None:
    """A dry run by default, then the trash, then gone for good; what the campaign has made stays."""
    orphan = workplace.archive / object_key(ORPHAN)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(OTHER)
    code, out, _ = run("gc")
    assert (code, orphan.exists()) == (0, True)
    assert f"would be moved into the trash  {ORPHAN}" in out
    assert "Nothing was changed: add --yes to do it." in out

    code, out, _ = run("gc", "--yes")
    assert (code, orphan.exists(), (workplace.archive / trash_key(ORPHAN)).exists()) == (0, False, True)
    assert gc(yes=True, archive=workplace.archive).waiting == (ORPHAN,)
    code, out, _ = run("gc", "--yes", "--grace-days", "0")
    assert f"deleted for good  {ORPHAN}" in out
    assert not (workplace.archive / trash_key(ORPHAN)).exists()
    assert verify(archive=workplace.archive).findings == ()
    assert workplace.run(workplace.brief_with_edits()).bought == 0


def test_beside_a_run_gc_refuses(
    result: CampaignResult, workplace: Workplace, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Exit code 5, one sentence, nothing done."""

    async def beside() -> None:
        async with ImageArchive(root=str(workplace.archive)).open() as archive:
            await archive.ledger.begin_run("at-work")
            with pytest.raises(ArchiveError, match="Runs are at work on this archive"):
                await gc(yes=True, archive=workplace.archive)

    asyncio.run(beside())
    code, _, err = run("gc", "--yes")
    assert code == 5
    assert "Runs are at work" in err


@pytest.mark.parametrize("fraction", ["0", "2", "1/0", "1/-3", "half"])
def test_a_fraction_is_one_over_a_number(fraction: str, run: Callable[..., tuple[int, str, str]]) -> None:
    """Anything else is the person's mistake."""
    code, _, err = run("verify", "--fraction", fraction)

    assert code == 2
    assert "is no fraction of the form 1/30" in err
    with pytest.raises(BriefError):
        verify(fraction)


def test_without_an_archive_there_is_nothing_to_tend(tmp_path: Path) -> None:
    """A place that was typed has to exist; a schedule whose archive is still to come finds nothing, and makes none."""
    nowhere = tmp_path / "nowhere"
    for tend in (verify, repair, rebuild, gc):
        with pytest.raises(SetupError, match="There is no archive at"):
            tend(archive=nowhere)
    assert verify(archive=ImageArchive(root=str(nowhere))).records == 0
    assert not nowhere.exists()
