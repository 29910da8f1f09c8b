import io
from pathlib import Path

import pytest
from PIL import Image

from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import render
from flows.cli.main import main
from flows.foreign import is_foreign
from tests.flows.conftest import Workplace


@pytest.fixture
def holidays(tmp_path: Path) -> Path:
    """One picture, twice."""
    place = tmp_path / "holidays"
    place.mkdir()
    picture = Image.open(io.BytesIO(render(Recipe("a teapot and fruit", 1, 256, 256), [])))
    picture.save(place / "one.png")
    picture.resize((200, 200)).save(place / "two.webp")
    return place


def test_a_folder_is_looked_through(holidays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, and where the page is; the lists lie beside it."""
    out = tmp_path / "found"
    assert main(["dedupe", str(holidays), "--out", str(out), "--threshold", "20"]) == 0
    said = capsys.readouterr().out

    assert "2 pictures, 1 distinct, 1 near-duplicates; 0 other files skipped, 0 could not be read." in said
    assert said.splitlines()[-1] == str(out / "overview.html")
    assert sorted(file.name for file in out.iterdir()) == ["groups.csv", "groups.json", "overview.html"]
    assert sorted(file.name for file in holidays.iterdir()) == ["one.png", "two.webp"]


def test_a_name_can_neither_forge_a_line_nor_steer_the_terminal(
    holidays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line ends, control sequences and what turns the writing around become blanks; markup stays as it is."""
    (holidays / "two.webp").rename(holidays / "two\n0 distinct\x1b[2J\u202e[red].webp")
    (holidays / "bad\n0 distinct.png").write_bytes(b"")
    assert main(["dedupe", str(holidays), "--out", str(tmp_path / "found")]) == 0
    said = capsys.readouterr().out

    assert "two 0 distinct [2J [red].webp" in said
    assert "not read: bad 0 distinct.png: It is no complete" in said
    assert "\x1b" not in said


def test_without_a_place_the_results_lie_in_the_working_directory(
    holidays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never among the pictures."""
    monkeypatch.chdir(tmp_path)
    assert main(["dedupe", "holidays"]) == 0
    assert (tmp_path / "near-duplicates-holidays" / "overview.html").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--apply"], "is no archive: --apply and --sign have nothing to write to there."),
        (["--sign"], "is no archive"),
        (["--threshold", "97"], "'97' is no threshold: strict, normal, loose, or 0 to 96 bits."),
        (["--threshold", "near"], "'near' is no threshold"),
        (
            ["--out", "/dev/null/here"],
            "here cannot be written: Not a directory. Name another place by --out.",
        ),
    ],
)
def test_what_makes_no_sense_for_a_folder_is_refused(
    holidays: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """With exit code 2, and what to do."""
    assert main(["dedupe", str(holidays), *options]) == 2
    assert message in capsys.readouterr().err


def test_an_archive_is_no_foreign_folder(workplace: Workplace, holidays: Path) -> None:
    """What decides is its manifest; a place where nothing is is neither."""
    workplace.run(workplace.brief())
    assert is_foreign(holidays)
    assert not is_foreign(workplace.archive)
    assert not is_foreign(holidays / "missing")
