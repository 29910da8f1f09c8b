import asyncio
import tempfile
from pathlib import Path

import pytest

from blocks.archive.layout import object_key
from blocks.errors import BriefError, InvalidRequest, SetupError
from blocks.provider import Money
from flows.questions import plan_of, show
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


def test_a_plan_buys_nothing_and_leaves_nothing_behind(
    workplace: Workplace, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts and price come without a job, without an archive, and without a temporary one that stays."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    plan = asyncio.run(plan_of(workplace.brief_with_edits(seeds=3), **workplace.terms))

    assert [(line.stage, line.provider, line.shots, str(line.price)) for line in plan.estimate.lines] == [
        ("generate", "scenario", 6, "0.25 CU"),
        ("edit 1", "sunra", 6, "0.01 USD"),
        ("edit 2", "sunra", 6, "0.01 USD"),
    ]
    assert {money.unit: money for money in plan.estimate.total.amounts} == {
        "CU": Money.model_validate({"amount": "1.5", "unit": "CU"}),
        "USD": Money.model_validate({"amount": "0.12", "unit": "USD"}),
    }
    assert [prompt.text for prompt in plan.prompts] == ["a red teapot", "a blue teapot"]
    assert (plan.combinations, plan.already_made) == (2, 0)
    assert sandbox.jobs() == []
    assert not workplace.archive.exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_plan_knows_what_is_made_already(workplace: Workplace, sandbox: Sandbox) -> None:
    """Shots that the archive has cost nothing, and are counted."""
    workplace.run(workplace.brief())
    plan = asyncio.run(plan_of(workplace.brief(seeds=2), **workplace.terms))

    assert (plan.estimate.shots, plan.already_made) == (4, 2)
    assert len(sandbox.jobs()) == 2


def test_a_plan_refuses_what_a_campaign_would(workplace: Workplace) -> None:
    """Limits are checked by a plan too."""
    with pytest.raises(InvalidRequest, match="got 1000"):
        asyncio.run(plan_of(workplace.brief(generate={"width_px": 1000}), **workplace.terms))


def test_an_image_is_found_by_its_digest_a_prefix_or_its_file(workplace: Workplace, tmp_path: Path) -> None:
    """Whatever names an image leads to its record, its verdicts and its edits."""
    result = workplace.run(workplace.brief_with_edits())
    parent = next(image for image in result.images if image.step == 0)
    children = [image.sha256 for image in result.images if image.parent_sha256 == parent.sha256]
    copy = tmp_path / "downloaded.png"
    copy.write_bytes((workplace.archive / object_key(parent.sha256)).read_bytes())

    found = [asyncio.run(show(name, workplace.archive)) for name in (parent.sha256, parent.sha256[:12], str(copy))]

    assert found[0] == found[1] == found[2]
    assert found[0].record == parent
    assert list(found[0].edits) == children
    assert [(row.campaign, row.kind) for row in found[0].verdicts] == [("teapots", "keeper")]
    assert Path(found[0].file).read_bytes() == copy.read_bytes()


def test_an_unknown_image_or_archive_is_said(workplace: Workplace, tmp_path: Path) -> None:
    """A question never makes an archive, and an unknown image is the person's mistake."""
    with pytest.raises(SetupError, match="There is no archive at"):
        asyncio.run(show("abcdef", tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()

    workplace.run(workplace.brief())
    with pytest.raises(BriefError, match="No image in the archive begins with 'zz'"):
        asyncio.run(show("zz", workplace.archive))
    with pytest.raises(BriefError, match="No image in the archive"):
        asyncio.run(show(str(workplace.photograph), workplace.archive))
