import json
from pathlib import Path

import pytest

from flows.cli.main import main
from tasks.models import CampaignResult
from tests.flows.conftest import Workplace
from tests.read_only import contents_of, refuse_writes


@pytest.fixture
def result(workplace: Workplace) -> CampaignResult:
    """A red and a blue teapot."""
    return workplace.run(workplace.brief())


def test_an_archive_is_of_use_where_it_cannot_be_written(
    result: CampaignResult,
    workplace: Workplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A snapshot is shown, verified, exported from and replayed without buying; it stays as it is."""
    image, there = result.images[0], ("--archive", str(workplace.archive))
    before = contents_of(workplace.archive)
    refuse_writes(monkeypatch)

    codes = [
        main([*command, *there])
        for command in (
            ("show", image.sha256),
            ("show", image.sha256, "--tree"),
            ("verify", "--deep"),
            ("replay", image.sha256),
            ("export", str(tmp_path / "export")),
        )
    ]

    assert (codes, contents_of(workplace.archive)) == ([0] * 5, before)
    assert "Sound. 2 records, 2 objects" in capsys.readouterr().out
    assert json.loads((tmp_path / "export" / ".export.json").read_text("utf-8"))["pictures"] == 2
    assert main(["gc", *there]) == 3
    assert "cannot be written" in capsys.readouterr().err
