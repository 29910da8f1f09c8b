import asyncio
import tempfile
from pathlib import Path

import pytest

from blocks.errors import InvalidRequest
from blocks.provider import Money
from flows.questions import plan_of
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
