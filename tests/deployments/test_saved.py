"""What is saved anew, beside what was saved before. The Prefect server is a real one, of this module."""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from blocks.archive.block import ImageArchive
from blocks.scenario.credentials import ScenarioCredentials
from blocks.signing.block import SigningCertificate
from blocks.sunra.credentials import SunraCredentials
from deployments.register import blocks_from, save, save_stand_ins
from deployments.saved import accounts_without_keys, one_root, saved_block
from tasks.provenance.demo_certificates import make_demo_certificates

KEYS = {"SCENARIO_SDK_API_KEY": "new-key", "SCENARIO_SDK_API_SECRET": "new-secret", "SUNRA_KEY": "new-sunra"}
TYPED_SCENARIO: Mapping[str, Any] = {
    "base_url": "https://proxy.example/v1",
    "project_id": "project-7",
    "max_in_flight": 3,
    "shared_limit": "our-limit",
    "timeout_seconds": 11.0,
    "deadline_seconds": 77.0,
    "max_picture_size_bytes": 4711,
    "price_per_creative_unit": Decimal("0.02"),
    "currency": "EUR",
}
TYPED_SUNRA: Mapping[str, Any] = {
    "auth_scheme": "Bearer",
    "max_in_flight": 4,
    "shared_limit": "our-limit",
    "submits_per_minute": 9,
    "price_per_image": Decimal("0.05"),
    "currency": "EUR",
}
SANDBOX = "http://127.0.0.1:8765"


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture(autouse=True)
async def _nothing_saved(_server: None) -> AsyncIterator[None]:
    yield
    async with get_client() as client:
        for document in await client.read_block_documents():
            await client.delete_block_document(document.id)


async def loaded(kind: type[Block]) -> Any:
    block = await saved_block(kind)
    assert block is not None
    return block


def caps(archive: ImageArchive) -> tuple[Decimal | None, Decimal | None, str]:
    return archive.cap_per_day, archive.cap_per_month, archive.cap_unit


@pytest.mark.parametrize("typed", ["pictures", "pictures/", "./pictures", "{here}/pictures/", "file://{here}/pictures"])
@pytest.mark.parametrize("given", ["pictures", "file://{here}/pictures/"])
async def test_caps_stay_however_the_archive_is_written(
    typed: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder has many names; what was typed for it stays, and it is saved under one name."""
    monkeypatch.chdir(tmp_path)
    fields: dict[str, Any] = {"browse_url": "http://127.0.0.1:8780", "credentials": "aws-credentials/ours"}
    limits: dict[str, Any] = {"cap_per_day": 5, "cap_per_month": 50, "cap_unit": "EUR"}
    await ImageArchive(root=typed.format(here=tmp_path), **limits, **fields).asave("default")

    lines = await save(blocks_from({"KLEINBILD_ARCHIVE": given.format(here=tmp_path)}))

    archive = await loaded(ImageArchive)
    assert (archive.root, caps(archive)) == (str(tmp_path / "pictures"), (Decimal(5), Decimal(50), "EUR"))
    assert (archive.browse_url, archive.credentials) == tuple(fields.values())
    assert lines == [
        "saved image-archive/default",
        "kept caps on spending: 5 EUR per day, 50 EUR per month",
        "ATTENTION: There is no saved block 'aws-credentials/ours': save it first, in Prefect's page or in Python.",
    ]


async def test_caps_outlive_the_archive() -> None:
    """Another archive has another database and other pages; a cap that vanished in silence would cost money."""
    limits: dict[str, Any] = {"cap_per_day": 5, "browse_url": "http://127.0.0.1:8780", "catalogue_url": "sqlite:////a"}
    await ImageArchive(root="/one", **limits).asave("default")

    lines = await save(blocks_from({"KLEINBILD_ARCHIVE": "/two", "KLEINBILD_CAP_PER_MONTH": "40"}))

    archive = await loaded(ImageArchive)
    assert (archive.root, caps(archive)) == ("/two", (Decimal(5), Decimal(40), "USD"))
    assert (archive.browse_url, archive.catalogue_url) == (None, None)
    assert lines == ["saved image-archive/default", "kept caps on spending: 5 USD per day"]


async def test_an_archive_that_is_there_is_known_by_its_id(tmp_path: Path) -> None:
    """Nothing is said of one that its first campaign has yet to make; what is known stays known when it is away."""
    given = {"KLEINBILD_ARCHIVE": str(tmp_path / "archive")}
    here = f"{tmp_path / 'archive'} on {socket.gethostname()}"
    assert await save(blocks_from(given)) == ["saved image-archive/default"]
    assert (await loaded(ImageArchive)).archive_id is None

    async with (await loaded(ImageArchive)).open() as archive:
        pass
    assert await save(blocks_from(given)) == [
        "saved image-archive/default",
        f"knows the archive at {here} by its id, {archive.id}",
    ]
    assert (await loaded(ImageArchive)).archive_id == archive.id
    assert await save(blocks_from(given)) == ["saved image-archive/default"]

    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    lines = await save(blocks_from(given))
    assert lines[0] == "saved image-archive/default"
    assert lines[1].startswith(f"ATTENTION: The archive {archive.id} is not at {here}: is its disk mounted?")
    assert len(lines) == 2
    assert (await loaded(ImageArchive)).archive_id == archive.id

    elsewhere = {"KLEINBILD_ARCHIVE": str(tmp_path / "new")}
    assert await save(blocks_from(elsewhere)) == ["saved image-archive/default"]
    assert (await loaded(ImageArchive)).archive_id is None


async def test_an_archive_that_cannot_be_looked_at_is_saved_all_the_same(tmp_path: Path) -> None:
    """Its keys, or its disk, may be on other machines than this one; what is in the way is said."""
    (tmp_path / "archive.json").write_text("{", encoding="utf-8")
    lines = await save(blocks_from({"KLEINBILD_ARCHIVE": str(tmp_path)}))
    assert lines[0] == "saved image-archive/default"
    assert lines[1].startswith(f"ATTENTION: archive.json in {tmp_path} is damaged")
    assert len(lines) == 2
    assert (await loaded(ImageArchive)).archive_id is None


async def test_a_root_that_never_worked_can_be_mended() -> None:
    """What was typed into the UI by mistake does not stand in the way of what is right."""
    await ImageArchive(root="ftp://somewhere", cap_per_day=Decimal(5)).asave("default")

    await save(blocks_from({"KLEINBILD_ARCHIVE": "/one"}))

    archive = await loaded(ImageArchive)
    assert (archive.root, archive.cap_per_day) == ("/one", Decimal(5))


def test_a_root_is_written_in_one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker runs in another folder than whoever registers; a bucket is the same everywhere."""
    monkeypatch.chdir(tmp_path)
    assert one_root("pictures/") == str(tmp_path / "pictures")
    assert one_root("file:///my%20pictures/") == "/my pictures"
    assert one_root("s3://bucket/prefix/") == one_root("s3://bucket/prefix") == "s3://bucket/prefix"


async def test_keys_change_and_all_else_stays() -> None:
    """What was typed in the UI is not undone by setting a key, at each start of `make serve` or of the containers."""
    await ScenarioCredentials.model_validate({"api_key": "a", "api_secret": "b", **TYPED_SCENARIO}).asave("default")
    await SunraCredentials.model_validate({"api_key": "c", **TYPED_SUNRA}).asave("default")

    await save(blocks_from({**KEYS, "SUNRA_PRICE_PER_IMAGE": "0.06"}))

    scenario, sunra = await loaded(ScenarioCredentials), await loaded(SunraCredentials)
    assert (scenario.api_key.get_secret_value(), scenario.api_secret.get_secret_value()) == ("new-key", "new-secret")
    assert {name: getattr(scenario, name) for name in TYPED_SCENARIO} == TYPED_SCENARIO
    assert sunra.api_key.get_secret_value() == "new-sunra"
    assert {name: getattr(sunra, name) for name in TYPED_SUNRA} == {**TYPED_SUNRA, "price_per_image": Decimal("0.06")}


async def test_an_account_takes_nothing_from_the_sandbox() -> None:
    """Its address, its word and its prices are the sandbox's alone."""
    await save_stand_ins(SANDBOX)

    await save(blocks_from(KEYS))

    for kind, limit in ((ScenarioCredentials, "scenario-credentials"), (SunraCredentials, "sunra-credentials")):
        block = await loaded(kind)
        assert (block.sandbox, block.shared_limit) == (False, f"{limit}-default")
        assert block.base_url == kind.model_fields["base_url"].default
        assert block.max_in_flight == kind.model_fields["max_in_flight"].default
    assert (await loaded(SunraCredentials)).price_per_image is None


@pytest.mark.parametrize(
    ("given", "kept", "stood_in"),
    [
        ({}, [], [ScenarioCredentials, SunraCredentials]),
        ({"SUNRA_KEY": "c"}, [SunraCredentials], [ScenarioCredentials]),
        (KEYS, [ScenarioCredentials, SunraCredentials], []),
    ],
    ids=["no keys", "one account", "two accounts"],
)
async def test_the_sandbox_stands_in_for_what_has_no_keys(
    given: dict[str, str], kept: list[type[Block]], stood_in: list[type[Block]]
) -> None:
    """Keys that are saved are no mistake and stay; each account without any gets the sandbox, also a second time."""
    blocks = blocks_from(given)
    assert list(await accounts_without_keys(blocks)) == stood_in
    await save(blocks)
    for _ in range(2):
        lines = await save_stand_ins(SANDBOX)
        slugs = [kind.get_block_type_slug() for kind in kept]
        assert [line for line in lines if not line.startswith("created")] == [
            *(f"saved {kind.get_block_type_slug()}/default" for kind in stood_in),
            *(f"kept {slug}/default: it holds the keys of a real account" for slug in slugs),
        ]
    for kind in (ScenarioCredentials, SunraCredentials):
        assert (await loaded(kind)).sandbox is (kind in stood_in)


async def test_a_signature_keeps_its_time(tmp_path: Path) -> None:
    """The service that was typed for a signing key stays with this key."""
    key = make_demo_certificates().key
    files = {"KEY": key.private_key.get_secret_value(), "CERTIFICATES": key.certificate_chain}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    variables = {f"KLEINBILD_SIGNING_{name}_FILE": str(tmp_path / name) for name in files}

    await save(blocks_from({**variables, "KLEINBILD_SIGNING_TIMESTAMP_URL": "http://tsa.example"}))
    await save(blocks_from(variables))

    assert (await loaded(SigningCertificate)).timestamp_url == "http://tsa.example"
