"""The export as a flow: from a campaign's archive to a folder that others load."""

import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prefect.artifacts import Artifact
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate

from blocks.archive.layout import object_key
from blocks.errors import BriefError, SetupError
from blocks.signing.block import SigningCertificate
from flows.export import export
from tasks.export import copies
from tasks.export.export import Exported
from tasks.export.manifest import MANIFEST, Manifest
from tasks.provenance.demo_certificates import make_demo_certificates
from tests.flows.conftest import Workplace


def rows_in(folder: str) -> list[dict[str, Any]]:
    """What an imagefolder says of its pictures."""
    return [json.loads(line) for line in (Path(folder) / "metadata.jsonl").read_bytes().splitlines()]


def certificate() -> SigningCertificate:
    """A block with a certificate of our own making."""
    key = make_demo_certificates().key
    return SigningCertificate(private_key=key.private_key, certificate_chain=key.certificate_chain)


async def test_a_campaign_is_exported(workplace: Workplace, tmp_path: Path) -> None:
    """Its keepers, marked, with the chain of prompt and instructions as caption; the run's artifact says where."""
    made = await workplace.run_in_loop(workplace.brief_with_edits())
    exported: Exported = await export(
        campaign="teapots", edition="1", folder=tmp_path / "out", archive=workplace.archive
    )

    rows = rows_in(exported.folder)
    assert exported.folder == str(tmp_path / "out")
    assert {row["image_sha256"] for row in rows} == {image.sha256 for image in made.keepers}
    captions = {row["caption"] for row in rows}
    assert "a red teapot. Add the cup of image 2 to the table. Turn it into a watercolor." in captions
    edited = [row for row in rows if row["step"]]
    assert {row["digital_source_type"] for row in edited} == {"compositeWithTrainedAlgorithmicMedia"}
    artifact = await Artifact.aget("export")
    assert artifact is not None
    assert isinstance(artifact.data, str)
    (told,) = json.loads(artifact.data)
    assert told["pictures"] == len(rows)
    assert "campaign 'teapots', edition '1', verdict 'keeper'" in told["filter"].replace("\\", "")


async def test_prompts_that_could_not_be_written_are_logged(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever looks at the run reads how many came signed, and what helps."""
    await workplace.run_in_loop(workplace.brief())
    monkeypatch.setattr(copies, "mark", lambda data, *_, **__: data)
    with caplog.at_level(logging.WARNING, logger="prefect.flow_runs"):
        exported: Exported = await export(with_prompt=True, folder=tmp_path / "out", archive=workplace.archive)

    assert exported.without_prompt == exported.pictures
    assert exported.left_out
    assert exported.left_out in [record.getMessage() for record in caplog.records]


async def test_a_folder_that_nobody_named_lies_in_the_archive(workplace: Workplace) -> None:
    """Named after what is in it: the same again does nothing, and another wish goes elsewhere."""
    await workplace.run_in_loop(workplace.brief())
    first: Exported = await export(archive=workplace.archive, provenance="keep")
    again: Exported = await export(archive=workplace.archive, provenance="keep")
    other: Exported = await export(archive=workplace.archive, format="zip", campaign="teapots")

    assert Path(first.folder).parent == Path(other.folder).parent == workplace.archive / "exports"
    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert again.folder == first.folder != other.folder
    for row in rows_in(first.folder):
        original = workplace.archive / object_key(row["image_sha256"])
        assert (Path(first.folder) / row["file_name"]).samefile(original)


async def test_a_certificate_signs(workplace: Workplace, tmp_path: Path) -> None:
    """The one that is handed over; without any saved, the message says how to save one."""
    await workplace.run_in_loop(workplace.brief())
    with pytest.raises(SetupError, match="KLEINBILD_SIGNING_KEY_FILE"):
        await export(provenance="full", folder=tmp_path / "out", archive=workplace.archive)

    given = {"provenance": "full", "folder": tmp_path / "out", "archive": workplace.archive}
    exported: Exported = await export(**given, certificate=certificate())
    manifest = Manifest.model_validate_json((Path(exported.folder) / MANIFEST).read_bytes())
    assert manifest.order.signed_with is not None
    assert {row["provenance"] for row in rows_in(exported.folder)} == {"full"}


async def test_the_saved_certificate_signs(workplace: Workplace, tmp_path: Path) -> None:
    """`signing-certificate/default`, where none is handed over."""
    await workplace.run_in_loop(workplace.brief())
    await certificate().asave("default", overwrite=True)
    try:
        exported: Exported = await export(provenance="full", folder=tmp_path / "out", archive=workplace.archive)
    finally:
        await SigningCertificate.adelete("default")

    assert {row["provenance"] for row in rows_in(exported.folder)} == {"full"}


async def test_days_and_texts_and_periods_are_filters(workplace: Workplace, tmp_path: Path) -> None:
    """What the form leaves empty is no filter; an edition may follow the clock."""
    await workplace.run_in_loop(workplace.brief(), edition="daily")
    given: dict[str, Any] = {"archive": workplace.archive, "folder": tmp_path / "out"}
    exported: Exported = await export(campaign="", edition="daily", prompt="RED", since=date(2020, 1, 1), **given)

    assert [row["caption"] for row in rows_in(exported.folder)] == ["a red teapot"]
    with pytest.raises(BriefError, match="until '2020-01-01'"):
        await export(until=date(2020, 1, 1), archive=workplace.archive, folder=tmp_path / "none")


async def test_an_archive_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    """A typing mistake makes no empty archive."""
    with pytest.raises(SetupError, match="There is no archive at"):
        await export(archive=tmp_path / "nowhere", folder=tmp_path / "out")
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "out").exists()


def test_the_form_offers_what_there_is() -> None:
    """Choices are lists to choose from, and nothing has to be filled in."""
    schema = parameter_schema(export.fn).model_dump_for_openapi()

    choices = {name: field["enum"] for name, field in schema["properties"].items() if "enum" in field}
    assert choices == {
        "format": ["imagefolder", "webdataset", "parquet", "zip", "kohya"],
        "verdict": ["keeper", "duplicate", "rejected", "any"],
        "captions": ["chain", "prompt", "none"],
        "provenance": ["none", "keep", "xmp", "full"],
    }
    assert schema.get("required", []) == []
    assert validate({"campaign": "teapots", "since": "2026-11-20", "folder": "out"}, schema, raise_on_error=False) == []
