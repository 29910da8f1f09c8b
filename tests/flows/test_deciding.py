import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import BriefError, SetupError
from flows.cli.main import main
from flows.deciding import decide
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

PROMPTS = "a {red|blue|green} teapot"


@pytest.fixture
def save(workplace: Workplace, tmp_path: Path) -> Callable[..., Path]:
    """Saves a decisions file as the contact sheet of a result does."""

    def write(result: CampaignResult, *marks: dict[str, Any], **changes: Any) -> Path:
        values: dict[str, Any] = {
            "kind": "kleinbild-decisions",
            "format": 1,
            "archive": json.loads((workplace.archive / "archive.json").read_bytes())["id"],
            "campaign": result.campaign,
            "edition": result.edition,
            "saved_at": datetime.now(UTC).isoformat(),
            "marks": marks,
        }
        file = tmp_path / f"decisions-{len(list(tmp_path.glob('decisions-*')))}.json"
        file.write_text(json.dumps(values | changes), encoding="utf-8")
        return file

    return write


def items_of(result: CampaignResult) -> dict[str, dict[str, Any]]:
    """What the contact sheet says of each picture."""
    page = Path(result.contact_sheet).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="island">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return {item["sha"]: item for item in json.loads(found[1])["items"]}


def test_what_was_marked_on_a_sheet_holds_in_later_runs(
    workplace: Workplace, sandbox: Sandbox, save: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A rejected picture stays rejected, stars come back on the next sheet, and nothing is bought for it."""
    brief = workplace.brief(prompts=PROMPTS)
    first = workplace.run(brief)
    dull, fine, _ = (image.sha256 for image in first.images)
    bought = len(sandbox.jobs())
    file = save(first, {"sha256": dull, "verdict": "reject"}, {"sha256": fine, "stars": 4})

    assert main(["decide", str(file), "--archive", str(workplace.archive)]) == 0
    assert "1 rejected, 1 with stars, in decisions/review-" in capsys.readouterr().out
    assert main(["decide", str(file), "--archive", str(workplace.archive)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    second = workplace.run(brief)

    assert [verdict.sha256 for verdict in second.rejected] == [dull]
    assert dull not in [image.sha256 for image in second.keepers]
    items = items_of(second)
    assert (items[dull]["state"], items[fine]["stars"]) == ("rejected", 4)
    assert len(sandbox.jobs()) == bought

    main(["decide", str(save(first, {"sha256": dull, "verdict": "keep"})), "--archive", str(workplace.archive)])
    third = workplace.run(brief)
    assert third.rejected == ()
    assert items_of(third)[dull]["kept"] is True


async def test_one_bad_file_keeps_all_of_them_out(workplace: Workplace, tmp_path: Path) -> None:
    """All files are read before the first is taken in."""
    bad = tmp_path / "decisions.json"
    bad.write_text("{}", encoding="utf-8")

    with pytest.raises(BriefError, match=r"decisions\.json is no decisions file"):
        await decide([bad], workplace.archive)
    with pytest.raises(BriefError, match=r"missing\.json cannot be read: No such file or directory"):
        await decide([tmp_path / "missing.json"], workplace.archive)


def test_one_foreign_file_keeps_the_others_out_too(workplace: Workplace, save: Callable[..., Path]) -> None:
    """Decisions are written for ever: a slip among several files leaves none of them behind."""
    result = workplace.run(workplace.brief(prompts=PROMPTS))
    good = save(result, {"sha256": result.images[0].sha256, "stars": 3})
    foreign = save(result, {"sha256": result.images[0].sha256, "stars": 3}, archive="another")
    stranger = save(result, {"sha256": "0" * 64, "stars": 3})

    for bad, message in ((foreign, "another archive"), (stranger, "has no picture 000000000000")):
        with pytest.raises(BriefError, match=message):
            asyncio.run(decide([good, bad], workplace.archive))
        assert list(workplace.archive.glob("decisions/*")) == []


async def test_no_archive_is_made_for_a_decision(tmp_path: Path) -> None:
    """A slip of the pen in --archive leaves nothing behind."""
    file = tmp_path / "decisions.json"
    document = {"kind": "kleinbild-decisions", "format": 1, "archive": "a", "campaign": "b", "edition": "c"}
    marks = [{"sha256": "a" * 64, "stars": 1}]
    file.write_text(json.dumps(document | {"saved_at": "2026-11-20T12:00:00Z", "marks": marks}), encoding="utf-8")

    with pytest.raises(SetupError, match="There is no archive at"):
        await decide([file], tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
