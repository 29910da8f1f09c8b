import csv
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from blocks.errors import BriefError
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import render
from tasks.brief import Dedupe
from tasks.folder import Broken, FolderReport, look_through
from tasks.report.folder_page import write_report

NORMAL = Dedupe()


def drawn(prompt: str) -> Image.Image:
    """A picture of the sandbox."""
    return Image.open(io.BytesIO(render(Recipe(prompt, 1, 320, 320), [])))


def contents(folder: Path) -> dict[Path, bytes]:
    """All files, with their bytes."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, what repeats the first of them, and what is no picture."""
    place = tmp_path / "holidays"
    (place / "old").mkdir(parents=True)
    one = drawn("a teapot and fruit")
    one.save(place / "one.png")
    one.save(place / "old" / "one.JPEG", quality=70)
    one.resize((160, 160)).save(place / "=small.webp")
    ImageOps.mirror(one).save(place / "<b>mirror.png")
    one.crop((10, 10, 310, 310)).save(place / "crop.png")
    luma, blue, red = one.convert("YCbCr").split()
    other_colors = Image.merge(
        "YCbCr", (luma, blue.point(lambda level: level - 40), red.point(lambda level: level + 30))
    )
    other_colors.convert("RGB").save(place / "zzz.png")
    drawn("city skyline at dusk").save(place / "two.png")
    (place / "notes.txt").write_text("no picture", encoding="utf-8")
    (place / "broken.png").write_bytes((place / "one.png").read_bytes()[:500])
    return place


def stamp(folder: Path) -> None:
    """The first picture is the oldest."""
    for file in folder.rglob("*.*"):
        os.utime(file, (2e9, 1e9 if file.name == "one.png" else 2e9))


async def test_repeats_are_found_with_distance_and_way(folder: Path) -> None:
    """Copies, crops and mirror images below one keeper; others are counted, broken ones named; nothing is touched."""
    stamp(folder)
    before = contents(folder)
    steps: list[tuple[int, int]] = []
    report = await look_through(folder, NORMAL, on_read=lambda *step: steps.append(step))

    [group] = [group for group in report.groups if group.keeper.path == "one.png"]
    found = {each.path: each.how for each in group.members if not each.is_color_variant}
    assert found == {"old/one.JPEG": "copy", "=small.webp": "copy", "<b>mirror.png": "mirror", "crop.png": "crop"}
    assert [(each.path, each.because) for each in group.members if each.is_color_variant] == [
        ("zzz.png", "colour variant")
    ]
    assert (report.pictures, report.skipped, steps) == (7, 1, [(8, 8)])
    assert report.duplicates == sum(not each.is_color_variant for group in report.groups for each in group.members)
    [broken] = report.broken
    assert (broken.path, broken.reason.startswith("It is no complete PNG, JPEG or WebP picture")) == (
        "broken.png",
        True,
    )
    assert contents(folder) == before


async def test_the_answer_does_not_depend_on_names(folder: Path, tmp_path: Path) -> None:
    """The same pictures under other names are the same groups."""
    stamp(folder)
    first = await look_through(folder, NORMAL)
    other = tmp_path / "renamed"
    other.mkdir()
    for number, (file, data) in enumerate(sorted(contents(folder).items())[::-1]):
        (other / f"{number}{file.suffix}").write_bytes(data)
        os.utime(other / f"{number}{file.suffix}", (2e9, file.stat().st_mtime))
    second = await look_through(other, NORMAL)

    def groups(report: FolderReport) -> set[tuple[str, frozenset[str]]]:
        return {(each.keeper.sha256, frozenset(member.sha256 for member in each.members)) for each in report.groups}

    assert groups(first) == groups(second) != set()


async def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A pipe, a link to nowhere, a name that is no text: nothing waits, nothing fails."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"")
    report = await look_through(tmp_path, NORMAL)

    assert [each.path for each in report.broken] == ["nowhere.png", "pipe.png", "\ufffd.png"]
    assert report.broken[0] == Broken(path="nowhere.png", reason="It cannot be read: No such file or directory")
    assert write_report(report, tmp_path, tmp_path / "out").read_text(encoding="utf-8").count("<li>") == 3
    with pytest.raises(BriefError, match="gone cannot be read: No such file or directory"):
        await look_through(tmp_path / "gone", NORMAL)


async def test_a_picture_is_no_repeat_of_a_link_to_it(tmp_path: Path) -> None:
    """Whoever removes what is called a duplicate must not be left with links to nothing; a link elsewhere counts."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    for place in (folder / "one.png", tmp_path / "elsewhere.png"):
        drawn("a teapot and fruit").save(place)
    for link in (folder / "a.png", folder / "below" / "b.png"):
        link.symlink_to(folder / "one.png")
    (folder / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "way").symlink_to(folder)
    for way in (folder, tmp_path / "way"):
        report = await look_through(way, NORMAL)
        [group] = report.groups
        assert sorted([group.keeper.path, *(each.path for each in group.members)]) == ["one.png", "out.png"]
        assert (report.pictures, report.skipped, report.broken) == (2, 2, ())


async def test_the_page_and_the_lists_say_the_same(folder: Path, tmp_path: Path) -> None:
    """The page shows the pictures where they lie, and trusts no name; no spreadsheet takes a name for a formula."""
    stamp(folder)
    report = await look_through(folder, NORMAL)
    out = tmp_path / "found" / "here"
    page = write_report(report, folder, out).read_text(encoding="utf-8")

    assert 'src="../../holidays/%3Cb%3Emirror.png"' in page
    assert "&lt;b&gt;mirror.png" in page
    assert "<b>mirror" not in page
    assert "default-src 'none'; img-src 'self' file:" in page.replace("&#39;", "'")
    assert FolderReport.model_validate(json.loads((out / "groups.json").read_bytes())) == report
    with (out / "groups.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(1 + len(group.members) for group in report.groups)
    assert all(row["path"].startswith("./") for row in rows)
    assert {row["is"] for row in rows} <= {"keeper", "duplicate", "colour variant"}
