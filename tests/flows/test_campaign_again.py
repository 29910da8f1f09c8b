import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from blocks.archive.block import ImageArchive
from blocks.archive.layout import CATALOGUE_FILE, object_key
from blocks.errors import ArchiveError, SetupError
from flows.care import rebuild
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


def digests(result: CampaignResult) -> list[str]:
    return [image.sha256 for image in result.images]


def test_the_same_brief_again_buys_nothing_and_starts_no_task(
    workplace: Workplace, sandbox: Sandbox, started: Counter[str]
) -> None:
    """A second run finds everything in the archive: no job, no task run for any shot, the same images and verdicts."""
    brief = workplace.brief_with_edits()
    first = workplace.run(brief)
    assert started == {"submit": 6, "collect": 6}
    second = workplace.run(brief)

    assert len(sandbox.jobs()) == 6
    assert started == {"submit": 6, "collect": 6}
    assert (second.images, second.verdicts) == (first.images, first.verdicts)
    assert (second.bought, second.reused, second.cost.amounts) == (0, 6, ())


def test_a_brief_that_has_grown_buys_what_is_new(workplace: Workplace, sandbox: Sandbox) -> None:
    """A larger count begins with the prompts that were drawn before, so a finished campaign can grow."""
    prompts = "a {red|blue|green|black|white|golden} {teapot|cup|plate}"
    first = workplace.run(workplace.brief(prompts=prompts, count=3))
    second = workplace.run(workplace.brief(prompts=prompts, count=5))

    assert (second.bought, second.reused) == (2, 3)
    assert digests(second)[:3] == digests(first)
    bought = [job["request"]["prompt"] for job in sandbox.jobs()]
    assert sorted(bought) == sorted(image.prompt.text for image in second.images)


def test_another_edition_is_another_purchase(workplace: Workplace, sandbox: Sandbox) -> None:
    """An edition salts the seeds: the same prompts, other pictures."""
    brief = workplace.brief()
    spring = workplace.run(brief, edition="spring")
    autumn = workplace.run(brief, edition="autumn")

    assert autumn.bought == 2
    assert [image.prompt for image in autumn.images] == [image.prompt for image in spring.images]
    assert not set(digests(autumn)) & set(digests(spring))
    assert len({job["request"]["seed"] for job in sandbox.jobs()}) == 4


def test_a_lost_prefect_cache_costs_nothing(workplace: Workplace, sandbox: Sandbox, tmp_path: Path) -> None:
    """What was bought is known by the ledger: Prefect's results may be on another machine, or gone."""
    brief = workplace.brief_with_edits()
    first = workplace.run(brief)
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "elsewhere"}):
        second = workplace.run(brief)

    assert len(sandbox.jobs()) == 6
    assert digests(second) == digests(first)


def test_a_picture_that_vanished_is_brought_home_again(
    workplace: Workplace, sandbox: Sandbox, started: Counter[str]
) -> None:
    """Its job is still known: the bytes are fetched once more, nothing is bought, the others are left alone."""
    brief = workplace.brief()
    first = workplace.run(brief)
    lost = workplace.archive / object_key(first.images[0].sha256)
    lost.unlink()
    started.clear()
    second = workplace.run(brief)

    assert lost.is_file()
    assert digests(second) == digests(first)
    assert (second.bought, second.reused, started["collect"]) == (0, 2, 1)
    assert len(sandbox.jobs()) == 2


def test_a_database_that_was_lost_buys_nothing_again(workplace: Workplace, sandbox: Sandbox, tmp_path: Path) -> None:
    """Refused before anything is bought; after a rebuild the same campaign has the same result, and buys nothing.

    On a machine that does not know Prefect's results either; with edits, and with money of both providers.
    """
    brief = workplace.brief_with_edits()
    first = workplace.run(brief)
    for file in workplace.archive.glob(f"{CATALOGUE_FILE}*"):
        file.unlink()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "elsewhere"}):
        with pytest.raises(ArchiveError, match="has records but its catalogue is empty: run `python -m flows rebuild`"):
            workplace.run(brief)
        rebuild(workplace.archive)
        second = workplace.run(brief)

    assert len(sandbox.jobs()) == 6
    assert (second.bought, second.reused, second.cost.amounts) == (0, 6, ())
    same = {"images", "verdicts", "failures", "balances"}
    assert second.model_dump(include=same) == first.model_dump(include=same)
    assert workplace.run(brief.model_copy(update={"name": "others"})).bought == 0


def test_an_archive_that_is_gone_is_made_anew(workplace: Workplace, sandbox: Sandbox) -> None:
    """Who deletes an archive, or names another, buys again: ledger and pictures are one with it."""
    brief = workplace.brief()
    first = workplace.run(brief)
    shutil.rmtree(workplace.archive)
    second = workplace.run(brief)
    third = workplace.run(brief, archive=workplace.archive.with_name("another"))

    assert (first.bought, second.bought, third.bought) == (2, 2, 2)
    assert len(sandbox.jobs()) == 6
    assert digests(first) == digests(second) == digests(third)


def test_an_archive_that_is_not_mounted_is_not_made_anew(workplace: Workplace, sandbox: Sandbox) -> None:
    """The saved block has its id: a schedule that runs beside an empty folder buys nothing, and makes nothing there."""
    brief = workplace.brief()
    workplace.run(brief)
    there = json.loads((workplace.archive / "archive.json").read_bytes())
    shutil.rmtree(workplace.archive)
    workplace.archive.mkdir()
    saved = ImageArchive(root=str(workplace.archive), archive_id=there["id"])
    with pytest.raises(SetupError, match="is its disk mounted"):
        workplace.run(brief, archive=saved)

    assert len(sandbox.jobs()) == 2
    assert list(workplace.archive.iterdir()) == []
