import asyncio
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from blocks.archive.layout import object_key
from blocks.errors import BriefError, SetupError
from flows.cli.main import main
from flows.showing import Provenance, show
from tasks.models import CampaignResult, ImageRecord
from tests.flows.conftest import Workplace


@pytest.fixture
def result(workplace: Workplace) -> CampaignResult:
    """A red and a blue teapot, each with two edits."""
    return workplace.run(workplace.brief_with_edits())


@pytest.fixture
def ask(workplace: Workplace) -> Callable[[str], Provenance]:
    return lambda name: asyncio.run(show(name, workplace.archive))


def chain(result: CampaignResult) -> tuple[ImageRecord, ImageRecord, ImageRecord]:
    """The first picture, and its edits."""
    first = next(image for image in result.images if image.step == 0)
    edit = next(image for image in result.images if image.parent_sha256 == first.sha256)
    return first, edit, next(image for image in result.images if image.parent_sha256 == edit.sha256)


def test_an_image_is_found_by_its_digest_a_prefix_or_its_file(
    result: CampaignResult, ask: Callable[[str], Provenance], workplace: Workplace, tmp_path: Path
) -> None:
    """Whatever names an image leads to its record, its verdicts and its edits."""
    parent, child, _ = chain(result)
    copy = tmp_path / "downloaded.png"
    copy.write_bytes((workplace.archive / object_key(parent.sha256)).read_bytes())

    found = [ask(name) for name in (parent.sha256, parent.sha256[:12], str(copy))]

    assert found[0] == found[1] == found[2]
    assert found[0].record == parent
    assert found[0].edits == (child.sha256,)
    assert [(row.campaign, row.kind) for row in found[0].verdicts] == [("teapots", "keeper")]
    assert Path(found[0].file).read_bytes() == copy.read_bytes()


def test_a_copy_that_was_encoded_anew_is_known_by_its_looks(
    result: CampaignResult,
    ask: Callable[[str], Provenance],
    workplace: Workplace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stripped of everything, as JPEG: the record is found, and nobody claims that the file is the image."""
    first, _, _ = chain(result)
    data = (workplace.archive / object_key(first.sha256)).read_bytes()
    copy = tmp_path / "from-the-web.jpg"
    Image.open(io.BytesIO(data)).convert("RGB").save(copy, quality=80)
    found = ask(str(copy))

    assert found.record == first
    assert (found.likenesses[0].sha256, found.likenesses[0].has_same_pixels) == (first.sha256, False)
    assert main(["show", str(copy), "--archive", str(workplace.archive)]) == 0
    shown = capsys.readouterr()
    bits = found.likenesses[0].distance_bits
    assert f"The file: looks like {first.sha256} ({bits} of 192 bits differ)" in shown.err
    assert first.request.prompt in shown.out


def test_a_mirrored_copy_is_said_to_be_one(
    result: CampaignResult, workplace: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was done to it is said beside what it looks like."""
    first, _, _ = chain(result)
    with Image.open(workplace.archive / object_key(first.sha256)) as picture:
        ImageOps.mirror(picture.convert("RGB")).save(tmp_path / "mirrored.png")

    assert main(["show", str(tmp_path / "mirrored.png"), "--archive", str(workplace.archive)]) == 0
    assert re.search(rf"^The file: looks like {first.sha256}, mirrored \(\d+ of 192", capsys.readouterr().err)


def test_a_lineage_goes_up_and_down(result: CampaignResult, ask: Callable[[str], Provenance]) -> None:
    """What an image was made from, the first one first, and all that was made from it."""
    first, edit, last = chain(result)

    assert (ask(first.sha256).ancestors, ask(first.sha256).descendants) == ((), (edit, last))
    assert (ask(edit.sha256).ancestors, ask(edit.sha256).descendants) == ((first,), (last,))
    assert (ask(last.sha256).ancestors, ask(last.sha256).descendants) == ((first, edit), ())


def test_a_tree_is_drawn_in_plain_lines(
    result: CampaignResult, workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ancestors above, edits below, references beside: no colours and no width where it is piped."""
    first, edit, last = chain(result)
    reference = edit.references[0].sha256
    assert main(["show", edit.sha256, "--tree", "--archive", str(workplace.archive)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{first.sha256[:12]} made · {first.request.prompt} · seed {first.request.seed}",
        f"└── {edit.sha256[:12]} ◀ edit 1 · Add the cup of image 2 to the table. · seed {edit.request.seed}",
        f"    ├── @cup {reference[:12]} (reference)",
        f"    └── {last.sha256[:12]} edit 2 · Turn it into a watercolor. · seed {last.request.seed}",
    ]


def test_an_unknown_image_or_archive_is_said(workplace: Workplace, tmp_path: Path) -> None:
    """A question never makes an archive, and an unknown image is the person's mistake."""
    with pytest.raises(SetupError, match="There is no archive at"):
        asyncio.run(show("abcdef", tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()

    workplace.run(workplace.brief())
    with pytest.raises(BriefError, match="No image in the archive begins with 'zz'"):
        asyncio.run(show("zz", workplace.archive))
    with pytest.raises(BriefError, match=r"No image in the archive is cup\.png, or looks like it"):
        asyncio.run(show(str(workplace.photograph), workplace.archive))
