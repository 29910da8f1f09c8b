"""What copies say about themselves: the AI mark always, the prompt only if wished, and whole chains of signatures."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import c2pa  # type: ignore[import-untyped]  # ships no types
import pytest
from PIL import Image, ImageChops

from blocks.archive.layout import object_key
from blocks.errors import ArchiveError, SetupError
from blocks.signing import timestamps
from tasks.export.export import export_pictures
from tasks.export.family import Family
from tasks.export.manifest import MANIFEST, Manifest
from tasks.export.terms import ExportFormat, Terms, Wanted
from tasks.models import ImageRecord, sha256_of
from tasks.provenance import signing
from tasks.provenance.demo_certificates import DemoCertificates
from tasks.provenance.marking import ProvenanceMode, mark
from tasks.provenance.splice import packet_of
from tests.tasks.export.conftest import Shelf, left_in
from tests.timestamp_authorities import silence

MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def pictures_in(out: Path) -> dict[str, Path]:
    """Files of pictures, by SHA-256."""
    return {path.stem: path for path in (out / "images").iterdir()}


def rows_in(out: Path) -> dict[str, dict[str, Any]]:
    """What is said of each picture, by SHA-256."""
    lines = (out / "metadata.jsonl").read_bytes().splitlines()
    return {row["image_sha256"]: row for row in map(json.loads, lines)}


async def test_each_copy_is_marked_and_its_pixels_are_the_same(
    shelf: Shelf, mixed: list[ImageRecord], exiftool: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    """Exiftool reads the AI mark from every format, and no prompt; the archive's own files are untouched."""
    before = {each.sha256: await shelf.original(each) for each in mixed}
    await export_pictures(shelf.archive, Terms(), tmp_path / "out")

    for record in mixed:
        path = pictures_in(tmp_path / "out")[record.sha256]
        tags = exiftool(path)
        assert tags["XMP-iptcExt:DigitalSourceType"] == MADE
        assert tags["XMP-dc:Identifier"] == f"nih:sha-256;{record.sha256}"
        assert record.request.prompt not in tags.values()
        with Image.open(path) as copy, Image.open(io.BytesIO(before[record.sha256])) as original:
            assert copy.format == original.format
            assert ImageChops.difference(copy.convert("RGB"), original.convert("RGB")).getbbox() is None
        assert await shelf.original(record) == before[record.sha256]


async def test_the_prompt_is_in_the_file_only_if_it_is_wished(
    shelf: Shelf, mixed: list[ImageRecord], exiftool: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    """It may be personal or secret. Wished, it comes back equal, line ends and all."""
    await export_pictures(shelf.archive, Terms(with_prompt=True), tmp_path / "out")

    for record in mixed:
        tags = exiftool(pictures_in(tmp_path / "out")[record.sha256])
        assert tags["XMP-dc:Description"] == record.request.prompt


async def test_pictures_that_cannot_take_the_prompt_are_counted(
    shelf: Shelf, certificates: DemoCertificates, tmp_path: Path
) -> None:
    """One more chunk would break their provider's signature. `full` says the prompt, and keeps what was signed."""
    plain = await shelf.add()
    with signing.open_signer(certificates.key) as signer:
        data = mark(await shelf.original(plain), plain, "full", signer=signer)
    signed = await shelf.add("a signed mug", data=data)
    exported = await export_pictures(shelf.archive, Terms(with_prompt=True), tmp_path / "out")
    again = await export_pictures(shelf.archive, Terms(with_prompt=True), tmp_path / "out")

    assert (exported.without_prompt, again.without_prompt) == (1, 1)
    assert "not in 1 of 2 pictures" in exported.left_out
    assert "--provenance full" in exported.left_out
    assert pictures_in(tmp_path / "out")[signed.sha256].read_bytes() == data
    unwished = await export_pictures(shelf.archive, Terms(), tmp_path / "unwished")
    assert (unwished.without_prompt, unwished.left_out) == (0, "")

    terms = Terms(with_prompt=True, provenance="full")
    full = await export_pictures(shelf.archive, terms, tmp_path / "full", key=certificates.key)
    copy = pictures_in(tmp_path / "full")[signed.sha256].read_bytes()
    assert b"a signed mug" in (packet_of(copy) or b"")
    assert (full.without_prompt, full.left_out) == (0, "")


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "parquet", "zip"])
async def test_without_captions_no_prompt_leaves_the_archive(
    kind: ExportFormat, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """Neither in a file beside the pictures nor in them, as the README promises of every format."""
    await export_pictures(shelf.archive, Terms(format=kind, captions="none"), tmp_path / "out")

    data = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert mixed
    for word in ("mug", "teapot", "night", "caption"):
        assert data.count(word.encode()) == ('"captions":"none"'.count(word) if word == "caption" else 0)


@pytest.mark.parametrize("mode", ["none", "keep"])
async def test_unchanged_bytes_are_links_to_the_archive(
    mode: ProvenanceMode, shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path
) -> None:
    """They take no space and cannot be written to; the manifest and each row say that there is no mark of ours."""
    out = tmp_path / "out"
    await export_pictures(shelf.archive, Terms(provenance=mode), out)

    for sha256, path in pictures_in(out).items():
        assert path.samefile(tmp_path / "archive" / object_key(sha256))
        assert path.stat().st_mode & 0o222 == 0
    assert {row["provenance"] for row in rows_in(out).values()} == {mode}
    manifest = Manifest.model_validate_json((out / MANIFEST).read_bytes())
    assert manifest.order.terms.provenance == mode
    assert ("without any mark of ours" if mode == "none" else "as the providers sent them") in manifest.remark


async def test_where_no_link_can_be_made_a_copy_is(
    shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another disk, or a file system without links."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    await export_pictures(shelf.archive, Terms(provenance="keep"), tmp_path / "out")

    copies = pictures_in(tmp_path / "out")
    assert {sha256: path.read_bytes() for sha256, path in copies.items()} == {
        each.sha256: await shelf.original(each) for each in mixed
    }
    assert {path.stat().st_nlink for path in copies.values()} == {1}


async def test_a_foreign_reference_anywhere_makes_it_an_edit(shelf: Shelf, tmp_path: Path) -> None:
    """A photograph in the chain shows in the source type of all that came of it; a generated reference does not."""
    plain = await shelf.add("a plain mug")
    dressed = await shelf.add("a mug like @cup", references=(plain.sha256,))
    foreign = await shelf.add("a mug like the photograph", references=("f" * 64,))
    edit = await shelf.edit(foreign, "Make it night.")
    again = await shelf.edit(dressed, "Use the style.", references=(edit.sha256,))
    await export_pictures(shelf.archive, Terms(), tmp_path / "out")

    terms = {sha256: row["digital_source_type"] for sha256, row in rows_in(tmp_path / "out").items()}
    edited = {"compositeWithTrainedAlgorithmicMedia"}
    assert {terms[each.sha256] for each in (plain, dressed)} == {"trainedAlgorithmicMedia"}
    assert {terms[each.sha256] for each in (foreign, edit, again)} == edited


async def test_a_signed_chain_is_whole(shelf: Shelf, certificates: DemoCertificates, tmp_path: Path) -> None:
    """Only the last of a chain of eight edits goes out; all before it are ingredients, and it reads as valid."""
    photograph = await shelf.add("foreign", verdict=None)
    record = await shelf.add("a mug", verdict="duplicate", references=(photograph.sha256,))
    for step in range(1, 9):
        record = await shelf.edit(record, f"Edit {step}.", verdict="keeper" if step == 8 else "duplicate")
    await export_pictures(shelf.archive, Terms(provenance="full"), tmp_path / "out", key=certificates.key)

    (path,) = pictures_in(tmp_path / "out").values()
    assert path.stem == record.sha256
    trusted = {"trust": {"user_anchors": certificates.trust_anchors}, "verify": {"verify_trust": True}}
    with (
        c2pa.Context.from_dict(trusted) as context,
        c2pa.Reader("image/png", io.BytesIO(path.read_bytes()), context=context) as reader,
    ):
        report = json.loads(reader.json())
    assert report["validation_state"] == "Trusted"
    assert len(report["manifests"]) == 10
    titles = {manifest["title"] for manifest in report["manifests"].values()}
    assert {record.sha256[:16], photograph.sha256[:16]} <= titles
    manifest = Manifest.model_validate_json((tmp_path / "out" / MANIFEST).read_bytes())
    assert manifest.order.signed_with is not None


async def test_nothing_is_signed_for_that_is_not_what_it_was(
    shelf: Shelf, certificates: DemoCertificates, encode: Callable[..., bytes], tmp_path: Path
) -> None:
    """A reference that another picture lies in the place of: a credential would name it by the hash of the first."""
    photograph = encode(Image.new("RGB", (48, 32), "red"), "PNG")
    await shelf.archive.store.put_if_absent(object_key(sha256_of(photograph)), photograph)
    await shelf.add("a mug like the photograph", references=(sha256_of(photograph),))
    await shelf.archive.store.put(object_key(sha256_of(photograph)), encode(Image.new("RGB", (48, 32), "blue"), "PNG"))
    with pytest.raises(ArchiveError, match=f"{sha256_of(photograph)} is no more what was received"):
        await export_pictures(shelf.archive, Terms(provenance="full"), tmp_path / "out", key=certificates.key)
    assert left_in(tmp_path) == set()


async def test_a_lost_parent_is_named_without_its_credentials(
    shelf: Shelf, certificates: DemoCertificates, tmp_path: Path
) -> None:
    """An archive that has lost a picture still exports what came of it."""
    parent = await shelf.add(verdict="duplicate")
    child = await shelf.edit(parent, "Make it night.")
    await shelf.archive.store.delete(object_key(parent.sha256))

    exported = await export_pictures(shelf.archive, Terms(provenance="full"), tmp_path / "out", key=certificates.key)
    assert exported.pictures == 1
    assert set(pictures_in(tmp_path / "out")) == {child.sha256}


@pytest.mark.parametrize("from_the_start", [True, False])
async def test_an_authority_that_never_answers_ends_an_export_in_time(
    from_the_start: bool,
    shelf: Shelf,
    certificates: DemoCertificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the first picture or in the middle: one clear message, and nothing half-written."""
    monkeypatch.setattr(timestamps, "TIMEOUT_SECONDS", 0.2)
    if not from_the_start:
        monkeypatch.setattr(signing, "_try_out", lambda library, context: None)
    await shelf.add()
    with silence() as url:
        key = certificates.key.model_copy(update={"timestamp_url": url})
        refused = SetupError if from_the_start else ArchiveError
        with pytest.raises(
            refused, match=r"authority 127\.0\.0\.1 did not answer within 0\.2 seconds\. Try again later"
        ):
            await export_pictures(shelf.archive, Terms(provenance="full"), tmp_path / "out", key=key)

    assert not (tmp_path / "out").exists()
    assert left_in(tmp_path) == set()


async def test_full_without_a_certificate_says_how_to_save_one(shelf: Shelf, tmp_path: Path) -> None:
    """Before anything is written."""
    await shelf.add()
    with pytest.raises(SetupError, match="KLEINBILD_SIGNING_KEY_FILE"):
        await export_pictures(shelf.archive, Terms(provenance="full"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_parquet_without_its_library_says_what_to_install(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that the other formats need nothing."""
    await shelf.add()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SetupError, match=r"needs the package pyarrow.*extra `parquet`"):
        await export_pictures(shelf.archive, Terms(format="parquet"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_that_were_made_from_each_other_are_damage(image_of: Callable[..., ImageRecord]) -> None:
    """A record that lies sends nobody into a circle."""
    one = image_of(sha256="1" * 64, parent_sha256="2" * 64)
    two = image_of(sha256="2" * 64, parent_sha256="1" * 64)
    with pytest.raises(ArchiveError, match="111111111111 and 222222222222"):
        Family({each.sha256: each for each in (one, two)})


async def test_only_the_wanted_pictures_are_in_it(shelf: Shelf, mixed: list[ImageRecord], tmp_path: Path) -> None:
    """The filter is kept in the manifest, as it was given."""
    wanted = Wanted(campaign="cards", prompt="TEAPOT")
    await export_pictures(shelf.archive, Terms(filter=wanted), tmp_path / "out")

    teapots = {each.sha256 for each in mixed if "teapot" in each.request.prompt}
    assert set(pictures_in(tmp_path / "out")) == teapots
    assert Manifest.model_validate_json((tmp_path / "out" / MANIFEST).read_bytes()).order.terms.filter == wanted
