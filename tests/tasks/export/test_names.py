"""Whatever people and models write, it names no file."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from tasks.export.captions import caption_of, on_one_line
from tasks.export.copied import Copy
from tasks.export.family import Family
from tasks.export.manifest import Order
from tasks.export.place import name_for
from tasks.export.rows import Facts
from tasks.export.select import Chosen
from tasks.export.terms import ExportFormat, Terms, Wanted
from tasks.export.writer import open_writer
from tasks.models import ImageRecord, sha256_of

FORMATS: tuple[ExportFormat, ...] = ("imagefolder", "webdataset", "zip", "kohya")
OURS = re.compile(
    r"metadata\.jsonl|README\.md|pictures\.zip|(png|jpg|webp)-\d{6}\.tar|images/[0-9a-f]{64}\.png|1_pictures/[0-9a-f]{64}\.(png|txt)"
)
hostile = st.text(max_size=200) | st.sampled_from(["../../etc/passwd", "/etc/passwd", "CON", "a\0b", "x" * 300, "\r\n"])


@given(campaign=hostile | st.none(), edition=hostile | st.none(), prompt=hostile)
@example(campaign="../..", edition="/", prompt="")
def test_a_folder_that_nobody_named_is_one_plain_word(campaign: str | None, edition: str | None, prompt: str) -> None:
    """It lies in the folder of exports and nowhere else, on every file system."""
    wanted = Wanted(campaign=campaign, edition=edition, prompt=prompt)
    order = Order(archive="a", terms=Terms(filter=wanted), contents_sha256="0" * 64)
    name = name_for(order)

    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
    assert len(name) < 120
    assert name_for(order.model_copy(update={"contents_sha256": "1" * 64})) != name


@given(text=hostile, kind=st.sampled_from(FORMATS))
def test_only_names_of_ours_are_written(text: str, kind: ExportFormat) -> None:
    """Prompts, campaigns, editions, models and jobs say what they say inside of files, and come back equal."""
    record = hostile_record(text)
    facts = Facts(Chosen(record, "keeper"), Family({record.sha256: record}), Terms(format=kind))
    row = facts.row(record.sha256)
    with TemporaryDirectory() as folder:
        writer = open_writer(kind, Path(folder), with_caption=True)
        writer.add(Copy(row=row, suffix="png", data=b"a picture"))
        files = writer.close()
        there = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
        assert there == {file.path for file in files}
        assert all(OURS.fullmatch(path) for path in there)
        if kind == "imagefolder":
            lines = (Path(folder) / "metadata.jsonl").read_bytes().split(b"\n")
            assert json.loads(lines[0])["caption"] == record.request.prompt
            assert lines[1:] == [b""]
        if kind == "kohya":
            caption = (Path(folder) / "1_pictures" / f"{record.sha256}.txt").read_bytes().decode()
            assert len(caption.splitlines()) == 1


def hostile_record(text: str) -> ImageRecord:
    """A record in which a stranger has written wherever strangers can."""
    said = text or " "
    request = {"model": said, "prompt": said, "seed": 1}
    return ImageRecord.model_validate(
        {
            "sha256": sha256_of(text.encode()),
            "shot_key": "b" * 64,
            "provider": "scenario",
            "sandbox": True,
            "job_id": text,
            "output_index": 0,
            "request": request,
            "prompt": {"text": said, "template": said},
            "step": 0,
            "parent_sha256": None,
            "references": [],
            "campaign": text,
            "edition": text,
            "position": 0,
            "cost": None,
            "checks": {
                "media_type": "image/png",
                "width_px": 1,
                "height_px": 1,
                "size_bytes": 9,
                "fingerprint": "0" * 48,
            },
            "made_at": "2026-11-20T00:00:00Z",
        }
    )


def test_captions(image_of: Callable[..., ImageRecord]) -> None:
    """A chain is told as sentences; the prompt alone is the very prompt."""

    def asked(prompt: str) -> ImageRecord:
        plain = image_of()
        return plain.model_copy(update={"request": plain.request.model_copy(update={"prompt": prompt})})

    first, night, snow = asked("a mug "), asked("Make it night!"), asked("Add snow")
    assert caption_of(snow, (night, first), "chain") == "a mug. Make it night! Add snow"
    assert caption_of(snow, (night, first), "prompt") == "Add snow"
    assert caption_of(first, (), "chain") == "a mug "
    assert caption_of(snow, (night, first), "none") == ""


@given(st.text())
def test_a_caption_on_one_line_is_one_line(text: str) -> None:
    """Whatever ends a line for anybody: also U+2028, U+0085 and the separators of ASCII."""
    assert len(on_one_line(text).splitlines()) <= 1
